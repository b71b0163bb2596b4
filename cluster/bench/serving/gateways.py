"""Other gateways for language models, each set up for the same work and started by its own."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from cluster.bench.serving import tensorzero_gateway
from cluster.bench.serving.rounds import Target
from cluster.head import free_ports
from engine.errors import ClusterError

START_S = 90.0

TENSORZERO = """\
[gateway]
observability.enabled = false

[models.instant]
routing = ["upstream"]
[models.instant.providers.upstream]
type = "openai"
model_name = "instant"
api_base = "{base_url}"
api_key_location = "none"

[functions.bench]
type = "chat"
[functions.bench.variants.first]
type = "chat_completion"
model = "instant"
[functions.bench.variants.second]
type = "chat_completion"
model = "instant"
[functions.bench.experimentation]
type = "static"
candidate_variants = {{first = 0.9, second = 0.1}}
"""

Start = Callable[[Path, Path, str], contextlib.AbstractContextManager[Target]]
"""From the environment's programs, a folder and the upstream's base URL."""


class Peer(NamedTuple):
    """A gateway and what it keeps of a request."""

    name: str
    start: Start
    durability: str


@contextlib.contextmanager
def litellm(programs: Path, folder: Path, base_url: str) -> Iterator[Target]:
    """LiteLLM's proxy with one worker and two deployments of one model."""
    asked = {"model": "openai/instant", "api_base": base_url, "api_key": "none"}
    config = {
        "model_list": [
            {"model_name": "bench", "litellm_params": asked | {"weight": weight}}
            for weight in (9, 1)
        ],
        # A key would cost it a look-up; it refuses to start without one unless told to.
        "general_settings": {"dangerously_permit_weak_or_unset_master_key": True},
    }
    path, port = folder / "litellm.yaml", free_ports(1)[0]
    path.write_text(json.dumps(config))
    words = ("--config", str(path), "--host", "127.0.0.1", "--port", str(port))
    command = [str(programs / "litellm"), *words, "--num_workers", "1", "--telemetry", "False"]
    with _running(command, folder / "litellm.log") as process:
        _wait_for("application startup complete", folder / "litellm.log", process)
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        yield Target("litellm", url, "bench", lambda: _family(process.pid))


@contextlib.contextmanager
def tensorzero(programs: Path, folder: Path, base_url: str) -> Iterator[Target]:
    """TensorZero's gateway with a function of two variants."""
    path = folder / "tensorzero.toml"
    path.write_text(TENSORZERO.format(base_url=base_url))
    script = str(tensorzero_gateway.__file__)
    command = [str(programs / "python"), script, str(path)]
    with _running(command, folder / "tensorzero.log") as process:
        said = _wait_for("listening ", folder / "tensorzero.log", process)
        url = f"{said.partition('listening ')[2].split()[0]}/chat/completions"
        model = "tensorzero::function_name::bench"
        yield Target("tensorzero", url, model, lambda: _family(process.pid))


PEERS = (
    Peer("litellm", litellm, "which keeps nothing: no database"),
    Peer("tensorzero", tensorzero, "which keeps nothing: observability off"),
)


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    # A virtual environment's own programs come first for those that it starts in turn.
    path = f"{Path(command[0]).parent}:{os.environ.get('PATH', '')}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env=os.environ | {"PATH": path, "NO_COLOR": "1"},
        )
    try:
        yield process
    finally:
        family = _family(process.pid)
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.terminate()
        _, alive = psutil.wait_procs(family, timeout=10.0)
        for one in alive:
            one.kill()
        process.wait(timeout=10.0)
        if process.stdin is not None:
            process.stdin.close()


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    return []


def _wait_for(text: str, log: Path, process: "subprocess.Popen[bytes]") -> str:
    """The log once it holds this text.

    Raises:
        ClusterError: It did not come, or the process ended first.
    """
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        said = log.read_text(errors="replace")
        if text in said.lower():
            return said
        if process.poll() is not None:
            last = said.strip().splitlines()[-1:] or ["no message"]
            raise ClusterError(f"{log.stem} ended with {process.returncode}: {last[0]}")
        time.sleep(0.1)
    raise ClusterError(f"{log.stem} did not start within {START_S:g} s; see {log}")
