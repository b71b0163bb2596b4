"""From `trimtab up` to the first answer, where nothing is there yet and where the index is."""

import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from cluster.bench.rows import Row
from cluster.bench.serving.ground import Setting
from cluster.bench.serving.rounds import unmeasured
from cluster.demo.files import WORKFLOW
from cluster.head import load

QUESTION = b'{"input": "What is a coroutine?"}'
MOST_S = 300.0


def measure(setting: Setting) -> list[Row]:
    """The demonstration's workflow, which reads a corpus and asks the embedded model."""
    root = setting.root / "serving-start"
    shutil.rmtree(root, ignore_errors=True)
    made = []
    for id_, what in (("cold", "a fresh workspace"), ("warm", "a workspace that was up before")):
        try:
            seconds = first_answer_s(root, setting)
        except (OSError, subprocess.SubprocessError) as error:
            made.append(unmeasured(f"start-{id_}", f"{what}, first answer", "s", str(error)))
        else:
            whole = f"`trimtab up` in {what} to its first answer"
            made.append(Row(id=f"start-{id_}", what=whole, value=seconds, unit="s"))
    return made


def first_answer_s(root: Path, setting: Setting) -> float:
    """Bring it up, ask once, take it down; seconds until the answer was there."""
    began = time.monotonic()
    words = ("up", str(WORKFLOW), "--port", str(setting.port), "--profile", setting.profile)
    try:
        _trimtab(root, *words, "--no-dashboard")
        cluster = load(root)
        assert cluster is not None
        url = f"{cluster.url}/v1/workflows/docs-qa/run"
        asked = urllib.request.Request(url, QUESTION, {"content-type": "application/json"})
        with urllib.request.urlopen(asked, timeout=MOST_S) as response:
            response.read()
        return time.monotonic() - began
    finally:
        _trimtab(root, "down")


def _trimtab(root: Path, *words: str) -> None:
    command = [sys.executable, "-m", "cluster.main", *words, "-w", str(root)]
    subprocess.run(command, check=True, capture_output=True, timeout=MOST_S)
