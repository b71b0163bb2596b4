import contextlib
import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

from cluster.demo.files import QUESTIONS, WORKFLOW
from cluster.demo.users import Habits
from cluster.head import default_profile, free_ports, load
from cluster.session import Beside, bring_up, take_down
from engine.config.experiment import load_workflow
from engine.config.tls import Tls
from tests.cluster.certificates import certificate

CACHE = Path(".trimtab/test-cache")


class Served:
    """A deployment of the demo's workflow in a workspace of its own."""

    def __init__(self, root: Path, tls: Tls, grpc: str) -> None:
        self.root = root
        self.tls = tls
        self.grpc = grpc
        self.workflow = load_workflow(WORKFLOW)

    @property
    def url(self) -> str:
        cluster = load(self.root)
        assert cluster is not None
        return cluster.url

    def pids(self, title: str) -> list[int]:
        """The cluster's processes whose title begins so."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if " ".join(process.cmdline()).startswith(title):
                    found.append(process.pid)
        return found


class Crowd:
    """Users in a process of their own, with their journal."""

    def __init__(self, served: Served, **habits: Any) -> None:
        self.journal = served.root / f"journal-{uuid.uuid4().hex[:8]}.jsonl"
        said = Habits(
            url=served.url,
            workflow="docs-qa",
            questions=str(QUESTIONS),
            late=0.0,
            journal=str(self.journal),
            **habits,
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cluster.demo.users", said.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def lines(self) -> list[dict[str, Any]]:
        """What is in the journal; a line that is still being written is not in it yet."""
        text = self.journal.read_text() if self.journal.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[-1:] == "\n"]

    def answers(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["what"] == "answer"]

    def wait_for(self, count: int, timeout_s: float = 30.0) -> None:
        give_up = time.monotonic() + timeout_s
        while len(self.answers()) < count:
            assert time.monotonic() < give_up, f"only {len(self.answers())} of {count} answers"
            time.sleep(0.1)

    def go_home(self) -> list[dict[str, Any]]:
        if self.process.poll() is None:
            self.process.communicate(timeout=60)
        return self.lines()


@pytest.fixture
def crowd_of(served: Served) -> Iterator[Callable[..., Crowd]]:
    """Sends users who ask until the test is over."""
    crowds: list[Crowd] = []

    def send(**habits: Any) -> Crowd:
        crowds.append(Crowd(served, **habits))
        return crowds[-1]

    yield send
    for crowd in crowds:
        crowd.go_home()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("workspace")
    CACHE.mkdir(parents=True, exist_ok=True)
    (root / "cache").symlink_to(CACHE.resolve())
    port, grpc_port, tls_port = free_ports(3)
    cert, key = certificate(root)
    tls = Tls(cert=cert, key=key, port=tls_port)
    served = Served(root, tls, f"127.0.0.1:{grpc_port}")
    bring_up(
        root,
        served.workflow,
        profile=default_profile(),
        port=port,
        beside=Beside(tls, grpc_port=grpc_port),
        dashboard=False,
    )
    yield served
    if ray.is_initialized():
        ray.shutdown()
    take_down(root)
    shutil.rmtree(root, ignore_errors=True)
