"""Sends traces to a collector of OpenTelemetry from a thread of its own; no request waits for it.

What can't be sent in time is dropped and counted: a collector that is slow, away or full costs
memory up to the queue's bound, and nothing else.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from engine.config.observability import Otlp
from serve_apps.telemetry.context import TraceContext
from serve_apps.telemetry.genai import SCHEMA_URL, otel_spans

CLOSE_S = 5.0

log = logging.getLogger("trimtab.telemetry")

Row = Mapping[str, Any]
Spans = Sequence[Mapping[str, Any]]


class Offered(NamedTuple):
    """A request that waits to be sent."""

    row: Row
    spans: Spans
    context: TraceContext | None


class OtlpSender:
    """One process's way to the collector."""

    def __init__(self, endpoint: str, otlp: Otlp, attributes: Mapping[str, str]) -> None:
        named = {"service.name": otlp.service, **attributes}
        self._resource = Resource.create(named, schema_url=SCHEMA_URL)
        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=otlp.timeout_s)
        self._batch = otlp.batch
        self._waiting: queue.Queue[Offered | None] = queue.Queue(otlp.queue)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._dropped = 0
        self._thread = threading.Thread(target=self._send_all, name="otlp", daemon=True)
        self._thread.start()

    def offer(self, row: Row, spans: Spans, context: TraceContext | None = None) -> None:
        """Have a request sent, unless its caller said that nobody looks at its trace."""
        if context is not None and not context.is_sampled:
            return
        try:
            self._waiting.put_nowait(Offered(row, spans, context))
        except queue.Full:
            self._drop(1)

    def dropped(self) -> int:
        """Requests that were dropped since this was last asked."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Send what waits, for so long at most."""
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(timeout_s)
        # The exporter's own method is not annotated.
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _send_all(self) -> None:
        while (batch := self._next()) or not self._closing.is_set():
            if batch and not self._sent(batch):
                self._drop(len(batch))

    def _sent(self, batch: Sequence[Offered]) -> bool:
        try:
            spans = [span for one in batch for span in otel_spans(*one, self._resource)]
            return self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception:
            log.exception("%d requests could not be told to the collector", len(batch))
            return False

    def _next(self) -> list[Offered]:
        """The requests that wait, at most a batch; it waits for the first one."""
        batch: list[Offered] = []
        while len(batch) < self._batch:
            try:
                found = self._waiting.get(block=not batch and not self._closing.is_set())
            except queue.Empty:
                break
            if found is None:
                break
            batch.append(found)
        return batch

    def _drop(self, count: int) -> None:
        with self._lock:
            self._dropped += count


def sender_of(otlp: Otlp, process: str, version: str) -> OtlpSender | None:
    """The way to the collector that is configured, or None where there is none."""
    if otlp.endpoint is None:
        return None
    about = {"service.version": version, "trimtab.process": process}
    return OtlpSender(otlp.endpoint, otlp, about)
