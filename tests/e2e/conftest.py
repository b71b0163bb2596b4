import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray

from cluster.demo.files import WORKFLOW
from cluster.head import default_profile, free_ports, load
from cluster.session import bring_up, take_down
from engine.config.experiment import load_workflow

CACHE = Path(".trimtab/test-cache")


class Served:
    """A deployment of the demo's workflow in a workspace of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
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


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("workspace")
    CACHE.mkdir(parents=True, exist_ok=True)
    (root / "cache").symlink_to(CACHE.resolve())
    served = Served(root)
    bring_up(
        root,
        served.workflow,
        profile=default_profile(),
        port=free_ports(1)[0],
        dashboard=False,
    )
    yield served
    if ray.is_initialized():
        ray.shutdown()
    take_down(root)
    shutil.rmtree(root, ignore_errors=True)
