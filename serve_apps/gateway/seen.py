"""What a gateway tells of itself and of its requests to those who watch from outside."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.books.task import Ended, Standing
from engine.books.tasklearning import Masking
from engine.config.observability import Observability
from engine.errors import ClusterError, StoreFullError, TrimtabError
from serve_apps.gateway.call import Json
from serve_apps.gateway.guard import Guard
from serve_apps.protection.refusal import RefusedError
from serve_apps.recorder import Recorder
from serve_apps.telemetry import table
from serve_apps.telemetry.context import TraceContext
from serve_apps.telemetry.instruments import ray_instrument
from serve_apps.telemetry.meters import Instrument, Labels
from serve_apps.telemetry.outside import Outside
from serve_apps.telemetry.table import Metric

REASONS: dict[type[TrimtabError], str] = {StoreFullError: "storage_full", ClusterError: "starting"}


class Seen:
    """One gateway's metrics, log and exported traces."""

    def __init__(
        self,
        root: Path,
        observability: Observability,
        instrument: Callable[[Metric], Instrument] = ray_instrument,
    ) -> None:
        self._outside = Outside(root, "gateway", observability, instrument)
        self._masks = observability.masking.stored
        self._heard_at = time.monotonic()
        self._lost = 0

    def answered(self, row: Json, spans: list[Json], context: TraceContext | None) -> None:
        """Tell of a request, by its trace row."""
        self._outside.answered(row, spans, context)

    def refused(self, workflow: str, error: TrimtabError) -> None:
        """Count a request that was turned away; what the client did wrong is not counted."""
        reason = error.code if isinstance(error, RefusedError) else REASONS.get(type(error))
        if reason is not None:
            self._outside.meters.count(table.REFUSED, workflow, reason)

    def fed_back(self, outcome: str) -> None:
        """Count feedback by what became of it."""
        self._outside.meters.count(table.FEEDBACK, outcome)

    def heard(self) -> None:
        """The control actor answered."""
        self._heard_at = time.monotonic()

    def kept(self, told: Any) -> Any:
        """A text, or a value with texts in it, as the store may keep it."""
        return self._outside.mask.value(told) if self._masks else told

    @property
    def masking(self) -> Masking | None:
        """What masks a JSON document that is stored; None where it is stored as it is."""
        return self._kept_document if self._masks else None

    def tasks(self, standing: Standing, ended: Mapping[Ended, int]) -> None:
        """Tell how the workspace's tasks stand, and of those that this gateway ended."""
        meters = self._outside.meters
        meters.gauge(table.TASKS, standing.waiting, "waiting")
        meters.gauge(table.TASKS, standing.running, "running")
        meters.gauge(table.TASK_WAIT, standing.oldest_s)
        for outcome, tasks in ended.items():
            meters.count(table.TASKS_ENDED, outcome, by=tasks)

    async def keep_telling(
        self, guard: Guard, recorder: Recorder, ongoing: Callable[[], int]
    ) -> None:
        """Hand everything on each second, for ever."""
        meters = self._outside.meters

        def before() -> None:
            meters.gauge(table.UNDER_WAY, float(ongoing()))
            meters.gauge(table.QUEUE, float(sum(room.queued for room in guard.rooms.values())))
            meters.gauge(table.SNAPSHOT_AGE, time.monotonic() - self._heard_at)
            meters.count(table.LOST_TRACES, by=recorder.lost_traces - self._lost)
            self._lost = recorder.lost_traces
            for workflow, one in guard.news():
                if one.what == "ejected":
                    meters.count(table.EJECTIONS, workflow, one.variant)
            out: dict[Labels, float] = {
                (name, variant): 1.0 for name in guard.rooms for variant in guard.out(name)
            }
            meters.gauges(table.EJECTED, out)

        await self._outside.keep_telling(before)

    def close(self) -> None:
        """Send what waits, and close the log."""
        self._outside.close()

    def _kept_document(self, payload: bytes) -> bytes:
        return json.dumps(self.kept(json.loads(payload)), ensure_ascii=False).encode()
