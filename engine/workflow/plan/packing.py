"""Values as JSON, which is all that a journal keeps and all that an answer may hold."""

import json
import zlib
from typing import Any

from engine.workflow.failure import StepError


def packed(value: object, what: str) -> bytes:
    """A value as the journal keeps it.

    Raises:
        StepError: `not_json`: it is more than JSON can say.
    """
    return zlib.compress(_text(value, what).encode(), 1)


def unpacked(kept: bytes) -> Any:  # noqa: ANN401 - any JSON
    """A value that was kept."""
    return json.loads(zlib.decompress(kept))


def sayable(value: object, what: str) -> object:
    """The value itself, if an answer may hold it.

    Raises:
        StepError: `not_json`: it is more than JSON can say.
    """
    if not isinstance(value, str):
        _text(value, what)
    return value


def _text(value: object, what: str) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StepError("not_json", f"{what} can't be written as JSON: {error}") from error
