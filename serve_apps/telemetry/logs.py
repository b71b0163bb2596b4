"""What a process writes of its own events: one JSON object a line, masked, with the request's id.

Files lie in the workspace, not in Ray's session folder: they outlive the cluster.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, NamedTuple

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter
from ray.serve.schema import LoggingConfig

from engine.config.observability import Logs
from engine.trust.masking import Mask

LOGGERS = ("trimtab", "ray.serve")
"""Ours, and the one by which Serve and what runs in its replicas speak."""
FOLDER = "logs"
KNOWN = frozenset({*RESERVED_ATTRS, "message", "asctime"})


class About(NamedTuple):
    """The request that this task works for; empty outside of one."""

    trace_id: str = ""
    workflow: str = ""
    variant: str = ""


NOTHING = About()
_about: ContextVar[About] = ContextVar("about", default=NOTHING)


@contextlib.contextmanager
def about(trace_id: str, workflow: str, variant: str = "") -> Iterator[None]:
    """Whatever is logged within says which request it is about."""
    token = _about.set(About(trace_id, workflow, variant))
    try:
        yield
    finally:
        _about.reset(token)


class MaskedFilter(logging.Filter):
    """Masks a record before anything formats it: its message, its failure and its extra fields."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask
        self._formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, masked; a message that can't be put together is told as it is."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = f"{record.msg} {record.args}"
        record.msg, record.args = self._mask.text(message), None
        if record.exc_info:
            record.exc_text = self._formatter.formatException(record.exc_info)
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self._mask.text(record.exc_text)
        for name in record.__dict__.keys() - KNOWN:
            hidden = self._mask.value({name: record.__dict__[name]})
            assert isinstance(hidden, dict)
            record.__dict__.update(hidden)
        return True


class AboutFilter(logging.Filter):
    """Writes into each record which request it is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass; fields that the caller named himself stay."""
        for name, value in zip(About._fields, _about.get(), strict=True):
            if value and not hasattr(record, name):
                setattr(record, name, value)
        return True


class EventFormatter(JsonFormatter):
    """A record as one line: at, level, logger, message, then what else there is to say."""

    def __init__(self, process: str) -> None:
        super().__init__(reserved_attrs=[*RESERVED_ATTRS, "message", "asctime"])
        self._process = process

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Put the fields in their order."""
        log_data["at"] = round(record.created, 6)
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["process"] = self._process
        super().add_fields(log_data, record, message_dict)
        log_data["message"] = record.getMessage()
        if record.exc_text:
            log_data["failure"] = record.exc_text
            log_data.pop("exc_info", None)


def write_logs(root: Path, process: str, logs: Logs, mask: Mask) -> logging.Handler:
    """Write this process's events into the workspace's `logs` folder; a second call adds a file."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        folder / f"{process}-{os.getpid()}.jsonl",
        maxBytes=logs.megabytes * 1_000_000,
        backupCount=logs.files,
        encoding="utf-8",
        errors="backslashreplace",
        delay=True,
    )
    handler.setLevel(logs.level)
    handler.addFilter(AboutFilter())
    handler.addFilter(MaskedFilter(mask))
    handler.setFormatter(EventFormatter(process))
    logging.getLogger(LOGGERS[0]).setLevel(logs.level)
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        # The masked record is the same that handlers after this one get; those before it too.
        for other in logger.handlers:
            if not any(isinstance(one, MaskedFilter) for one in other.filters):
                other.addFilter(MaskedFilter(mask))
    return handler


def stop_logs(handler: logging.Handler) -> None:
    """Close a file of events; what is logged after it goes elsewhere."""
    for name in LOGGERS:
        logging.getLogger(name).removeHandler(handler)
    handler.close()


def serve_logs(logs: Logs) -> LoggingConfig:
    """How Serve's own processes log: JSON as well, and no line for each request."""
    level = "WARNING" if logs.level == "INFO" else logs.level
    return LoggingConfig(encoding="JSON", log_level=level, enable_access_log=False)
