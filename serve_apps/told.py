"""What a client is told over HTTP, before anybody writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

ERROR_TYPES = {
    400: "invalid_request_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    410: "gone_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
    502: "upstream_error",
    503: "unavailable_error",
    504: "timeout_error",
}


@dataclass(frozen=True)
class Told:
    """An answer by its parts."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)


def error_body(status: int, code: str, message: str) -> Json:
    """An error in OpenAI's shape, which the stock client raises as its own class."""
    error = {"message": message, "type": ERROR_TYPES.get(status, "api_error"), "code": code}
    return {"error": error | {"param": None}}
