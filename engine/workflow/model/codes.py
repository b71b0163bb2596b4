"""Names what went wrong between us and a model's endpoint, and what may be done about it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import openai
import orjson

from engine.workflow.failure import Action, LlmError, Severity

# What each code asks for: throttling and broken lines pass, a refused key does not, and to a
# refused question another model may have an answer.
_MEANING: Mapping[str, tuple[Severity, Action]] = {
    "upstream_throttled": ("medium", "retry"),
    "upstream_5xx": ("high", "retry"),
    "upstream_unreachable": ("high", "retry"),
    "upstream_stalled": ("high", "retry"),
    "upstream_cut": ("high", "retry"),
    "upstream_denied": ("critical", "terminate"),
    "upstream_rejected": ("high", "fallback"),
    "upstream_malformed": ("high", "fallback"),
    "upstream_filtered": ("medium", "fallback"),
    "context_too_long": ("medium", "fallback"),
}
_FAULTS = {code for code, (_, action) in _MEANING.items() if action == "retry"} | {
    "upstream_malformed"
}
_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context|context (length|window|size)|prompt is too long", re.I
)
_FILTERED = re.compile(r"content_filter|content_policy|content management policy", re.I)

_WORDS = 2_000
"""Letters of an endpoint's own words that are kept; some send a whole page."""


def failed(code: str, why: str, retry_after_s: float | None = None) -> LlmError:
    """The failure of this code, with its severity and action."""
    severity, action = _MEANING[code]
    return LlmError(code, why, severity=severity, action=action, retry_after_s=retry_after_s)


def refused(status: int, headers: Mapping[str, str], content: bytes, model: str) -> LlmError:
    """The failure that an endpoint's status says, with what its body says of it."""
    said = _Said.of(_error_in(content))
    code = _code_of_status(status, said)
    wait_s = retry_after_s(headers, datetime.now(UTC))
    return failed(code, f"{model}: status {status}: {said.message}", wait_s)


def told(error: object, model: str) -> LlmError:
    """The failure that a stream tells of in the middle of an answer."""
    said = _Said.of(error)
    throttled = said.code in {"429", "rate_limit_exceeded"}
    code = "upstream_throttled" if throttled else said.refusal or "upstream_5xx"
    return failed(code, f"{model}: {said.message}")


def translated(error: Exception, model: str, *, answering: bool = False) -> LlmError:
    """What the openai client raised, in our words; `answering` once an answer had begun."""
    why = f"{model}: {error}"
    match error:
        case openai.APIStatusError():
            said = error.response
            return refused(error.status_code, said.headers, said.content, model)
        case openai.APITimeoutError() if _waited_for_data(error):
            return failed("upstream_stalled", why)
        case openai.APIConnectionError() | aiohttp.ClientError():
            return failed("upstream_cut" if answering else "upstream_unreachable", why)
        case openai.APIError() if answering:
            return told(error.body, model)
        case _:
            return failed("upstream_malformed", why)


def is_fault(failure: BaseException) -> bool:
    """Whether a failed call speaks against the endpoint, and not against what it was asked."""
    return isinstance(failure, LlmError) and failure.code in _FAULTS


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the other side asks to be left alone; None where it does not say so readably."""
    if (wait_ms := _amount(headers.get("retry-after-ms"))) is not None:
        return wait_ms / 1_000.0
    written = headers.get("retry-after", "")
    if (wait_s := _amount(written)) is not None:
        return wait_s
    try:
        until = parsedate_to_datetime(written)
    except (ValueError, OverflowError):
        return None
    # A date whose zone is "-0000" comes without one; HTTP dates are in UTC.
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((aware - now).total_seconds(), 0.0)


def _amount(written: str | None) -> float | None:
    try:
        amount = float(written or "")
    except ValueError:
        return None
    return amount if math.isfinite(amount) and amount >= 0.0 else None


@dataclass(frozen=True)
class _Said:
    """What an endpoint says of a failure, in the protocol's words or in others."""

    code: str
    type: str
    message: str

    @classmethod
    def of(cls, error: object) -> "_Said":
        if not isinstance(error, dict):
            return cls("", "", str(error)[:_WORDS])
        message = str(error.get("message") or error)[:_WORDS]
        return cls(str(error.get("code")), str(error.get("type")), message)

    @property
    def refusal(self) -> str | None:
        """The code of a refusal that these words are known for."""
        words = f"{self.code} {self.type} {self.message}"
        if _TOO_LONG.search(words):
            return "context_too_long"
        return "upstream_filtered" if _FILTERED.search(words) else None


def _error_in(content: bytes) -> object:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return content[:_WORDS].decode(errors="replace")
    return body.get("error", body) if isinstance(body, dict) else body


def _code_of_status(status: int, said: _Said) -> str:
    match status:
        case 401 | 402 | 403:
            return "upstream_denied"
        case 429:
            # An empty account answers like a busy endpoint, but waiting does not fill it.
            empty = "insufficient_quota" in (said.code, said.type)
            return "upstream_denied" if empty else "upstream_throttled"
        case 408:
            return "upstream_stalled"
        case _ if status >= 500:
            return "upstream_5xx"
        case 413:
            return "context_too_long"
        case _:
            return said.refusal or "upstream_rejected"


def _waited_for_data(error: Exception) -> bool:
    # Engine knows no HTTP library, and aiohttp's adapter calls a refused connection a
    # ConnectTimeout; so only the two names that mean silence on an open line are trusted.
    return type(error.__cause__).__name__ in {"ReadTimeout", "WriteTimeout"}
