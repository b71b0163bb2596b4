"""How much memory a whole deployment takes, measured while it works."""

import contextlib
import threading
from types import TracebackType
from typing import Self

import psutil

from cluster.head import Cluster, processes_of

PERIOD_S = 5.0


def memory_of(processes: "list[psutil.Process]") -> dict[str, float]:
    """Proportional set size in megabytes by process title: shared pages are counted once in all."""
    sizes: dict[str, float] = {}
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            title = " ".join(process.cmdline())[:60] or process.name()
            size = process.memory_full_info().pss / 1e6
            sizes[title] = sizes.get(title, 0.0) + size
    return sizes


class PeakMemory:
    """Samples the processes of a cluster, and this one, until told to stop."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_mb = 0.0
        self.at_peak: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            sizes = memory_of([*processes_of(self._cluster), psutil.Process()])
            if sum(sizes.values()) > self.peak_mb:
                self.peak_mb, self.at_peak = sum(sizes.values()), sizes
            if self._stop.wait(PERIOD_S):
                return
