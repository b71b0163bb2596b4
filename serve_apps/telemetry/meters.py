"""Adds up what requests did, and hands the sums on each second: the request itself only adds."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from serve_apps.telemetry import table
from serve_apps.telemetry.spans import span_marks
from serve_apps.telemetry.table import Metric

log = logging.getLogger("trimtab.telemetry")

FLUSH_S = 1.0
SLICE = 32
"""Values handed on before requests may go on: some 0.1 ms."""
MOST_VALUES = 128
"""Values that a metric's label may take in one process; others after them are one, `other`."""
OTHER = "other"

Labels = tuple[str, ...]


class Instrument(Protocol):
    """Where one metric's values go."""

    def record(self, values: Sequence[float], labels: dict[str, str]) -> None:
        """Add to a counter, set a gauge, or observe."""
        ...


class Meters:
    """One process's metrics; for the event loop's thread only."""

    def __init__(self, instrument: Callable[[Metric], Instrument]) -> None:
        self._instrument = instrument
        self._instruments: dict[Metric, Instrument] = {}
        self._sums: defaultdict[tuple[Metric, Labels], float] = defaultdict(float)
        self._values: defaultdict[tuple[Metric, Labels], list[float]] = defaultdict(list)
        self._gauges: dict[Metric, dict[Labels, float]] = {}
        self._seen: defaultdict[tuple[Metric, str], set[str]] = defaultdict(set)

    def request(self, row: Mapping[str, Any], spans: Sequence[Mapping[str, Any]]) -> None:
        """Count a request by its trace row and its spans; what nobody measured counts nowhere."""
        workflow, variant = row["workflow"], row["variant"]
        who = (workflow, variant)
        sums, values = self._sums, self._values
        sums[table.REQUESTS, (*who, row["status"])] += 1
        values[table.REQUEST_SECONDS, who].append(row["duration_s"])
        values[table.OVERHEAD_SECONDS, (workflow,)].append(row["overhead_s"])
        sums[table.SEGMENTS, (workflow, row.get("segment") or "unknown")] += 1
        if row["error"]:
            sums[table.ERRORS, (*who, row["error"])] += 1
        if row["input_tokens"]:
            sums[table.TOKENS, (*who, "input")] += row["input_tokens"]
        if row["output_tokens"]:
            sums[table.TOKENS, (*who, "output")] += row["output_tokens"]
        if row["cost_usd"]:
            sums[table.COST, who] += row["cost_usd"]
        if row["cache_hit"]:
            sums[table.CACHED, who] += 1
        for span in spans:
            for metric, labels, value in span_marks(span):
                if metric.kind == "histogram":
                    values[metric, (workflow, *labels)].append(value)
                else:
                    sums[metric, (workflow, *labels)] += value

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        if by:
            self._sums[metric, labels] += by

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        self._values[metric, labels].append(value)

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge; it stays so until it is set again."""
        self._gauges.setdefault(metric, {})[labels] = value

    def gauges(self, metric: Metric, values: Mapping[Labels, float]) -> None:
        """Set all of a gauge's values; those that were there before go."""
        self._gauges[metric] = dict(values)

    def flush(self) -> None:
        """Hand on everything that was added up since the last time."""
        for _ in self._handing_on():
            pass

    async def keep_flushing(
        self, before: Callable[[], None] = lambda: None, every_s: float = FLUSH_S
    ) -> None:
        """Hand on for ever; `before` sets the gauges that are read just in time."""
        while True:
            await asyncio.sleep(every_s)
            try:
                before()
                for _ in self._handing_on():
                    await asyncio.sleep(0)
            except Exception:
                # A figure that can't be told must not end the telling of all others.
                log.exception("some metrics of this second were not handed on")

    def _handing_on(self) -> Iterator[None]:
        """Hand everything on in slices, so that requests may go on in between."""
        slice_ = 0
        for metric, labels, values in self._taken():
            instrument = self._instruments.get(metric)
            if instrument is None:
                instrument = self._instruments[metric] = self._instrument(metric)
            few = {
                name: self._known((metric, name), value)
                for name, value in zip(metric.labels, labels, strict=True)
            }
            for start in range(0, len(values), SLICE):
                instrument.record(values[start : start + SLICE], few)
                slice_ += min(SLICE, len(values) - start)
                if slice_ >= SLICE:
                    slice_ = 0
                    yield

    def _taken(self) -> list[tuple[Metric, Labels, Sequence[float]]]:
        sums, self._sums = self._sums, defaultdict(float)
        values, self._values = self._values, defaultdict(list)
        return [
            *((metric, labels, (value,)) for (metric, labels), value in sums.items()),
            *((metric, labels, observed) for (metric, labels), observed in values.items()),
            *(
                (metric, labels, (value,))
                for metric, known in self._gauges.items()
                for labels, value in known.items()
            ),
        ]

    def _known(self, label: tuple[Metric, str], value: str) -> str:
        seen = self._seen[label]
        # A gauge's old series go by themselves; those of others stay as long as the process.
        if value in seen or label[0].kind == "gauge":
            return value
        if len(seen) >= MOST_VALUES:
            return OTHER
        seen.add(value)
        return value
