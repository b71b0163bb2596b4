"""What this process uses of the machine."""

import psutil

from serve_apps.telemetry import table
from serve_apps.telemetry.meters import Meters


class Usage:
    """Reads the process's own figures; the first reading of its CPU is of no time yet, so 0."""

    def __init__(self, process: str) -> None:
        self._name = process
        self._process = psutil.Process()
        self._process.cpu_percent()

    def tell(self, meters: Meters) -> None:
        """Set the gauges of this process; some 0.1 ms."""
        with self._process.oneshot():
            meters.gauge(table.CPU, self._process.cpu_percent(), self._name)
            meters.gauge(table.MEMORY, self._process.memory_info().rss, self._name)
        meters.gauge(table.FILES, self._process.num_fds(), self._name)
