import asyncio
import json
import logging

import pytest

from engine.config.observability import Logs
from engine.trust.masking import Mask
from serve_apps.telemetry.logs import LOGGERS, about, serve_logs, write_logs

log = logging.getLogger("trimtab.test")


@pytest.fixture
def written(tmp_path):
    kept = {name: list(logging.getLogger(name).handlers) for name in LOGGERS}
    handler = write_logs(tmp_path, "gateway", Logs(), Mask())

    def lines():
        found = sorted((tmp_path / "logs").glob("*.jsonl"))
        return [json.loads(line) for path in found for line in path.read_text().splitlines()]

    yield lines
    for name, handlers in kept.items():
        logging.getLogger(name).handlers = handlers
    handler.close()


def test_an_event_is_one_line_with_what_and_when_and_whom_it_is_about(written):
    with about("abc.def", "docs-qa", "0123456789ab"):
        log.info("seated in %s", "slot-1", extra={"replicas": 2})

    (line,) = written()
    assert line.pop("at") > 1.7e9
    assert line == {
        "level": "INFO",
        "logger": "trimtab.test",
        "process": "gateway",
        "message": "seated in slot-1",
        "trace_id": "abc.def",
        "workflow": "docs-qa",
        "variant": "0123456789ab",
        "replicas": 2,
    }


def test_outside_of_a_request_no_request_is_named(written):
    log.warning("the control actor is away")

    assert "trace_id" not in written()[0]


async def test_requests_side_by_side_keep_their_own_ids(written):
    async def one(name):
        with about(name, "docs-qa"):
            await asyncio.sleep(0)
            log.info("said by %s", name)

    async with asyncio.TaskGroup() as tasks:
        for name in "abc":
            tasks.create_task(one(name))

    assert {line["trace_id"]: line["message"] for line in written()} == {
        name: f"said by {name}" for name in "abc"
    }


def test_messages_fields_and_failures_are_masked(written):
    try:
        int("no such user ada@mail.example")
    except ValueError:
        log.exception("asked with %s", "Bearer abc123.def456", extra={"password": "tr0ub4dor"})

    (line,) = written()
    assert line["message"] == "asked with Bearer [key]"
    assert line["password"] == "[hidden]"
    assert "no such user [email]'" in line["failure"]
    assert "ada@" not in json.dumps(line)


def test_a_record_is_masked_for_every_listener_of_its_logger(written, caplog):
    logger = logging.getLogger("ray.serve")
    seen = []

    class Listener(logging.Handler):
        def emit(self, record):
            seen.append(record.getMessage())

    logger.addHandler(Listener())
    logger.warning("call +47 22 12 34 56")

    assert seen == ["call [phone]"]


def test_a_message_that_does_not_fit_its_values_is_told_all_the_same(written):
    values = (1,)

    log.info("%d of %d", *values)

    assert "%d of %d" in written()[0]["message"]


def test_what_is_no_text_of_utf8_is_written_all_the_same(written, monkeypatch):
    # Tests in several processes tell each other what was logged, in UTF-8.
    monkeypatch.setattr(logging.getLogger("trimtab"), "propagate", False)

    log.info("half a \ud83d character", extra={"odd": object})

    assert "half a" in written()[0]["message"]


def test_serve_writes_json_and_no_line_for_each_request():
    config = serve_logs(Logs())

    assert config.encoding == "JSON"
    assert config.enable_access_log is False
    assert config.log_level == "WARNING"
