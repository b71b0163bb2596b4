"""The processes of a deployment by what they do, found and watched from outside."""

import contextlib
import threading
import time
from pathlib import Path

import psutil

from cluster.chaos.evidence import DiskUse, Watched
from cluster.head import load, processes_of

TITLES = {
    "gateway": "ray::ServeReplica:gateway:",
    "slot": "ray::ServeReplica:slot-",
    "embedder": "ray::ServeReplica:embedder:",
    "embedded": "ray::ServeReplica:embedded:",
    "controller": "ray::ServeController",
    "control": "ray::Control",
    "selector": "ray::Selector",
    "proxy": "ray::ProxyActor",
    "haproxy_keeper": "ray::HAProxyManager",
}
WATCH_S = 2.0
BUSY_S = 0.3
MIB = 1024 * 1024


def family(root: Path) -> dict[str, list[psutil.Process]]:
    """Every process of the workspace's cluster, by its role."""
    cluster = load(root)
    found: dict[str, list[psutil.Process]] = {}
    for process in processes_of(cluster) if cluster else []:
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.setdefault(_role(process), []).append(process)
    return found


def busiest(processes: list[psutil.Process]) -> psutil.Process | None:
    """The one that works most just now: the one that serves; None where there is none."""
    before = {process: _worked_s(process) for process in processes}
    time.sleep(BUSY_S)
    worked = {process: _worked_s(process) - before[process] for process in processes}
    alive = [process for process in processes if process.is_running()]
    return max(alive, key=lambda process: worked[process], default=None)


class Watch:
    """Notes from time to time what every process and the workspace take."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self.watched: list[Watched] = []
        self.disk: list[DiskUse] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the look that is under way."""
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(WATCH_S):
            now = time.time()
            for role, processes in family(self._root).items():
                for process in processes:
                    with contextlib.suppress(psutil.Error):
                        self.watched.append(_seen(process, role, now))
            self.disk.append(DiskUse(at=now, mib=_size(self._root) / MIB))


def _seen(process: psutil.Process, role: str, now: float) -> Watched:
    with process.oneshot():
        return Watched(
            at=now,
            role=role,
            pid=process.pid,
            rss_mib=process.memory_info().rss / MIB,
            fds=process.num_fds(),
        )


def _role(process: psutil.Process) -> str:
    if process.name() == "haproxy":
        return "haproxy"
    title = " ".join(process.cmdline())
    named = (role for role, start in TITLES.items() if title.startswith(start))
    return next(named, process.name())


def _worked_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _size(root: Path) -> int:
    total = 0
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size if path.is_file() else 0
    return total
