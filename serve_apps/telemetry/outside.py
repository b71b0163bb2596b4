"""Everything by which one serving process is seen from outside, behind one door."""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.config.observability import Observability
from engine.trust.masking import Mask
from serve_apps.telemetry import table
from serve_apps.telemetry.context import TraceContext
from serve_apps.telemetry.instruments import ray_instrument
from serve_apps.telemetry.logs import stop_logs, write_logs
from serve_apps.telemetry.meters import Instrument, Meters
from serve_apps.telemetry.otlp import sender_of
from serve_apps.telemetry.process import Usage
from serve_apps.telemetry.table import Metric


class Outside:
    """A process's metrics, its log and, where a collector is configured, its traces."""

    def __init__(
        self,
        root: Path,
        process: str,
        observability: Observability,
        instrument: Callable[[Metric], Instrument] = ray_instrument,
    ) -> None:
        self.meters = Meters(instrument)
        self.mask = Mask(observability.masking)
        self._usage = Usage(process)
        self._sender = sender_of(observability.otlp, process, _version())
        self._log = write_logs(root, process, observability.logs, self.mask)

    def answered(
        self,
        row: Mapping[str, Any],
        spans: Sequence[Mapping[str, Any]],
        context: TraceContext | None = None,
    ) -> None:
        """Tell of a request by its trace row and spans; some microseconds, and never a wait."""
        self.meters.request(row, spans)
        if self._sender is not None:
            self._sender.offer(row, spans, context)

    async def keep_telling(self, before: Callable[[], None] = lambda: None) -> None:
        """Hand the metrics on each second, for ever; `before` sets gauges just in time."""

        def read() -> None:
            self._usage.tell(self.meters)
            if self._sender is not None:
                self.meters.count(table.OTLP_DROPPED, by=self._sender.dropped())
            before()

        await self.meters.keep_flushing(read)

    def close(self) -> None:
        """Send what waits, for some seconds at most, and close the log."""
        self.meters.flush()
        if self._sender is not None:
            self._sender.close()
        stop_logs(self._log)


def _version() -> str:
    try:
        return importlib.metadata.version("trimtab")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
