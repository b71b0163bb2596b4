import gzip
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from engine.config.observability import Otlp
from serve_apps.telemetry.context import TraceContext
from serve_apps.telemetry.otlp import sender_of
from tests.serve_apps.telemetry.requests import SPANS, row

UNSAMPLED = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", flags=0)


class Collector:
    """A collector on a port of its own that takes its time."""

    def __init__(self, delay_s=0.0):
        self.spans, self.headers, self.answers = [], [], 0
        self.may_answer = threading.Event()
        collector = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if delay_s:
                    collector.may_answer.wait(delay_s)
                said = ExportTraceServiceRequest.FromString(body)
                collector.headers.append(dict(self.headers))
                collector.resources = [one.resource for one in said.resource_spans]
                collector.spans += [
                    span
                    for one in said.resource_spans
                    for scope in one.scope_spans
                    for span in scope.spans
                ]
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"


@contextmanager
def collecting(delay_s=0.0):
    collector = Collector(delay_s)
    thread = threading.Thread(target=collector.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.may_answer.set()
        collector.server.shutdown()
        collector.server.server_close()


def sender(url, **changes):
    made = sender_of(Otlp(endpoint=url, **changes), "gateway", "0.1.0")
    assert made is not None
    return made


def test_without_an_endpoint_nothing_is_sent():
    assert sender_of(Otlp(), "gateway", "0.1.0") is None


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector"])
def test_an_endpoint_is_a_whole_address(endpoint):
    with pytest.raises(ValidationError, match="write it whole"):
        Otlp(endpoint=endpoint)


def test_requests_arrive_with_their_steps(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc")
    with collecting() as collector:
        ours = sender(collector.url, service="help-desk")
        for _ in range(3):
            ours.offer(row(), SPANS)
        ours.close()

    assert len(collector.spans) == 3 * (1 + len(SPANS))
    assert collector.headers[0]["x-key"] == "abc"
    about = {one.key: one.value.string_value for one in collector.resources[0].attributes}
    assert about["service.name"] == "help-desk"
    assert about["trimtab.process"] == "gateway"
    assert ours.dropped() == 0


def test_a_request_whose_caller_samples_it_out_is_not_sent():
    with collecting() as collector:
        ours = sender(collector.url)
        ours.offer(row(), SPANS, UNSAMPLED)
        ours.close()

    assert collector.spans == []


def test_a_slow_collector_fills_the_queue_and_no_more():
    with collecting(delay_s=5.0) as collector:
        ours = sender(collector.url, queue=4, batch=1)
        for _ in range(100):
            ours.offer(row(), SPANS)
        dropped = ours.dropped()
        collector.may_answer.set()
        ours.close()

    assert 95 <= dropped <= 96
    assert len(collector.spans) == (100 - dropped) * (1 + len(SPANS))
    assert ours.dropped() == 0


def test_a_port_that_swallows_everything_costs_the_request_nothing():
    with socket.create_server(("127.0.0.1", 0), backlog=1) as hole:
        ours = sender(f"http://127.0.0.1:{hole.getsockname()[1]}/v1/traces", queue=8, timeout_s=0.2)
        for _ in range(1_000):
            ours.offer(row(), SPANS)
        give_up = time.monotonic() + 10.0
        dropped = 0
        while dropped < 1_000 and time.monotonic() < give_up:
            dropped += ours.dropped()
            time.sleep(0.02)
        ours.close(timeout_s=0.5)

    assert dropped == 1_000


def test_where_nobody_listens_everything_is_dropped_and_counted():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ours = sender(f"http://127.0.0.1:{port}/v1/traces", timeout_s=0.1)
    ours.offer(row(), SPANS)
    ours.close()

    assert ours.dropped() == 1


def test_a_row_that_can_not_be_told_ends_nothing():
    with collecting() as collector:
        ours = sender(collector.url, batch=1)
        ours.offer({"trace_id": "x"}, SPANS)
        ours.offer(row(), ())
        ours.close()

    assert (len(collector.spans), ours.dropped()) == (1, 1)
