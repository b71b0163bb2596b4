import asyncio
import contextlib
import json
import logging

import pytest

from engine.config.observability import Observability, Otlp
from serve_apps.telemetry import table
from serve_apps.telemetry.outside import Outside
from tests.serve_apps.telemetry.registry import Registry
from tests.serve_apps.telemetry.requests import SPANS, row
from tests.serve_apps.telemetry.test_otlp import collecting

WHO = {"workflow": "docs-qa", "variant": "0123456789ab"}


@pytest.fixture
def registry():
    return Registry()


def outside(root, registry, **settings):
    return Outside(root, "gateway", Observability(**settings), registry.instrument)


def test_a_request_is_metered_and_sent(tmp_path, registry):
    with collecting() as collector:
        told = outside(tmp_path, registry, otlp=Otlp(endpoint=collector.url))
        told.answered(row(), SPANS)
        told.close()

    assert registry.value(table.REQUESTS, **WHO, status="ok") == 1
    assert len(collector.spans) == 1 + len(SPANS)


def test_what_is_logged_lies_in_the_workspace(tmp_path, registry):
    told = outside(tmp_path, registry)
    logging.getLogger("trimtab.gateway").info("up")
    told.close()
    logging.getLogger("trimtab.gateway").warning("after the end")

    (path,) = (tmp_path / "logs").iterdir()
    assert [json.loads(line)["message"] for line in path.read_text().splitlines()] == ["up"]


async def test_gauges_are_read_each_time_just_before_they_are_told(tmp_path, registry):
    told = outside(tmp_path, registry)
    read = asyncio.Event()

    def before():
        told.meters.gauge(table.UNDER_WAY, 7)
        read.set()

    telling = asyncio.create_task(told.keep_telling(before))
    async with asyncio.timeout(5.0):
        await read.wait()
    await asyncio.sleep(0.05)
    telling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await telling
    told.close()

    assert registry.value(table.UNDER_WAY) == 7
    assert registry.value(table.MEMORY, process="gateway") > 1e6
