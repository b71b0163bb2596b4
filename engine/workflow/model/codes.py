"""Names what went wrong between us and a model's endpoint, and what may be done about it."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import openai

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


def failed(code: str, why: str, retry_after_s: float | None = None) -> LlmError:
    """The failure of this code, with its severity and action."""
    severity, action = _MEANING[code]
    return LlmError(code, why, severity=severity, action=action, retry_after_s=retry_after_s)


def translated(error: Exception, model: str, *, answering: bool = False) -> LlmError:
    """What the client raised, in our words; `answering` once the answer had begun to arrive."""
    code = _code_answering(error) if answering else _code(error)
    return failed(code, f"{model}: {error}", _retry_after_s(error))


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


def _retry_after_s(error: Exception) -> float | None:
    if not isinstance(error, openai.APIStatusError):
        return None
    return retry_after_s(error.response.headers, datetime.now(UTC))


def _code(error: Exception) -> str:
    match error:
        case openai.APIStatusError():
            return _code_of_status(error)
        case openai.APITimeoutError() if _waited_for_data(error):
            return "upstream_stalled"
        case openai.APIConnectionError() | aiohttp.ClientError():
            return "upstream_unreachable"
        case _:
            return "upstream_malformed"


def _code_of_status(error: openai.APIStatusError) -> str:
    match error.status_code:
        case 401 | 402 | 403:
            return "upstream_denied"
        case 429:
            # An empty account answers like a busy endpoint, but waiting does not fill it.
            empty = "insufficient_quota" in (error.code, error.type)
            return "upstream_denied" if empty else "upstream_throttled"
        case 408:
            return "upstream_stalled"
        case status if status >= 500:
            return "upstream_5xx"
        case 413:
            return "context_too_long"
        case _:
            return _refusal(error) or "upstream_rejected"


def _code_answering(error: Exception) -> str:
    match error:
        case openai.APITimeoutError() if _waited_for_data(error):
            return "upstream_stalled"
        case openai.APIConnectionError() | aiohttp.ClientError():
            return "upstream_cut"
        case openai.APIError(code="429" | "rate_limit_exceeded"):
            return "upstream_throttled"
        case openai.APIError():
            return _refusal(error) or "upstream_5xx"
        case _:
            return "upstream_malformed"


def _refusal(error: openai.APIError) -> str | None:
    words = _words(error)
    if _TOO_LONG.search(words):
        return "context_too_long"
    return "upstream_filtered" if _FILTERED.search(words) else None


def _words(error: openai.APIError) -> str:
    return f"{error.code} {error.type} {error.message}"


def _waited_for_data(error: Exception) -> bool:
    # Engine knows no HTTP library, and aiohttp's adapter calls a refused connection a
    # ConnectTimeout; so only the two names that mean silence on an open line are trusted.
    return type(error.__cause__).__name__ in {"ReadTimeout", "WriteTimeout"}
