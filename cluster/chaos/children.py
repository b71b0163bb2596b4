"""The child processes of a chaos run: the deployment, the fault model, the clients, a reader."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cluster.chaos.pinger import Habits
from cluster.head import free_ports
from engine.errors import ClusterError
from engine.testing.faults.launch import FaultModel
from engine.testing.faults.script import Script

UP_S = 240.0
DOWN_S = 60.0
COMMAND_S = 60.0
END_S = 30.0


class Model:
    """The fault model server, which may be killed and started again at its port."""

    def __init__(self, seed: int) -> None:
        self.port = free_ports(1)[0]
        self._seed = seed
        self._process: subprocess.Popen[str] | None = None

    @property
    def base_url(self) -> str:
        """What the deployment is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = self._launched()
        self._hear(self._process)

    def away(self, seconds: float) -> None:
        """Let nobody listen at its port for so long, however long a process takes to start."""
        successor = self._launched("--when-told")
        self._hear(successor)
        self.kill()
        time.sleep(seconds)
        self._process = successor
        assert successor.stdin is not None
        successor.stdin.write("\n")
        successor.stdin.flush()
        self._hear(successor)

    def kill(self) -> None:
        """Kill it; connections to its port are refused from now on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def play(self, script: Script) -> None:
        """Play another script."""
        asyncio.run(FaultModel(self.port, 0).control(script))

    def served(self) -> dict[str, int]:
        """What was served since the script began, by fault; `left` are clients that gave up."""
        counts: dict[str, Any] = asyncio.run(FaultModel(self.port, 0).counts())
        return {**counts["served"], "left": counts["left"]}

    def _launched(self, *further: str) -> "subprocess.Popen[str]":
        settings = ("--port", str(self.port), "--seed", str(self._seed))
        return subprocess.Popen(
            _python("engine.testing.faults", *settings, *further),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _hear(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise ClusterError(f"the fault model did not listen on port {self.port}")


class Serving:
    """The deployment, driven by the same commands that an operator has."""

    def __init__(self, root: Path, model: Model, *, port: int) -> None:
        self.root = root
        self.port = port
        self._model = model

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> float:
        """Bring it up; the seconds that it took.

        Raises:
            ClusterError: It did not come up.
        """
        began = time.monotonic()
        arguments = (str(self.root / "chaos.json"), "--port", str(self.port), "--no-dashboard")
        done = self.command("up", *arguments, timeout_s=UP_S)
        if done.returncode:
            raise ClusterError(f"`trimtab up` failed: {done.stderr.strip()[-2_000:]}")
        return time.monotonic() - began

    def down(self) -> None:
        """Take it down."""
        self.command("down", timeout_s=DOWN_S)

    def command(
        self, *words: str, timeout_s: float = COMMAND_S
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command of ours on the workspace, and hand back what it came to."""
        return subprocess.run(
            _python("cluster.main", *words, "-w", str(self.root)),
            env=os.environ | {"OPENAI_BASE_URL": self._model.base_url},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


class Child:
    """A process that lives until its standard input is closed."""

    def __init__(self, module: str, said: str, log: Path) -> None:
        with log.open("ab") as err:
            self._process = subprocess.Popen(
                _python(module, said), stdin=subprocess.PIPE, stdout=err, stderr=err, text=True
            )

    def end(self) -> None:
        """Let it finish what is under way."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=END_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def pinger(habits: Habits, log: Path) -> Child:
    """Clients in a process of their own."""
    return Child("cluster.chaos.pinger", habits.model_dump_json(), log)


def reader(root: Path, log: Path) -> Child:
    """A reader of the store in a process of its own."""
    return Child("cluster.chaos.reader", json.dumps({"root": str(root)}), log)


def _python(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", module, *words]
