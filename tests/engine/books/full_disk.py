"""A disk of four megabytes that is really full, in a namespace of its own."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from engine.books.compactor import Compactor
from engine.books.store import Store
from engine.errors import StoreFullError
from serve_apps.recorder import Recorder
from tests.engine.books.facts import exposure, score, trace

ALONE = ("unshare", "-Urm")


def allowed():
    """Whether this machine lets a process mount a disk that only it sees."""
    try:
        probe = subprocess.run([*ALONE, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return probe.returncode == 0


def told(root):
    """Play the story in a process of its own and return what it says."""
    command = [*ALONE, sys.executable, "-m", "tests.engine.books.full_disk", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


async def serve(recorder, names):
    """Serve requests until the disk is full; return who was exposed, paid for and refused."""
    exposed, refused = [], []
    for name in names:
        try:
            await recorder.exposure(exposure(name))
        except StoreFullError:
            refused.append(name)
            continue
        exposed.append(name)
        await recorder.trace(trace(name) | {"spans": os.urandom(2_000).hex()})
    return exposed, refused


async def story(root):
    recorder = Recorder(root)
    first, _ = await serve(recorder, [f"a{number}" for number in range(20)])
    ballast = root / "ballast"
    fill(ballast)
    during, refused = await serve(recorder, [f"b{number}" for number in range(200)])
    try:
        await recorder.feedback([score("k")])
        feedback = "stored"
    except StoreFullError:
        feedback = "refused"
    ballast.unlink()
    afterwards, still_refused = await serve(recorder, [f"c{number}" for number in range(20)])
    await recorder.feedback([score("l")])
    recorder.close()
    with closing(Compactor(root)) as compactor:
        compactor.step(2.0)
        with closing(Store(root)) as store:
            stored = store.read("exposure")["trace_id"].to_list()
            keys = store.read("feedback")["key"].to_list()
    return {
        "acknowledged": [*first, *during, *afterwards],
        "refused": len(refused),
        "still_refused": len(still_refused),
        "lost_traces": recorder.lost_traces,
        "feedback": feedback,
        "stored": stored,
        "keys": keys,
    }


def fill(path):
    """Write until the disk takes no more byte."""
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 512, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


if __name__ == "__main__":
    disk = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)], check=True)
    sys.stdout.write(json.dumps(asyncio.run(story(disk))) + "\n")
