"""A request's place in a trace that began elsewhere, by W3C's `traceparent` and `tracestate`."""

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple, Self

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
MOST_STATE = 512
"""Signs of `tracestate` that are passed on; a longer one is left out whole."""
SAMPLED = 0x01

_SHAPE = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_STATE = re.compile(r"[\x20-\x7e]*", re.ASCII)


class TraceContext(NamedTuple):
    """Which trace a request belongs to, and which span of it the request is a part of."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    flags: int = SAMPLED
    state: str = ""
    """What other systems wrote to each other, passed on unread."""

    @property
    def is_sampled(self) -> bool:
        """Whether the caller wants the spans to be kept."""
        return bool(self.flags & SAMPLED)

    def within(self, trace_id: str) -> Self:
        """The same trace with our request of this id as the parent of what follows."""
        return self._replace(span_id=span_id_of(trace_id))


def incoming(headers: Mapping[str, str]) -> TraceContext | None:
    """What the caller said of its trace; None where it said nothing, or nothing usable."""
    found = _SHAPE.fullmatch(headers.get(TRACEPARENT, "").strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    # Later versions may add fields; the first one has none, and `ff` is no version.
    if version == "ff" or (version == "00" and more):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, int(flags, 16), _state(headers))


def outgoing(context: TraceContext) -> dict[str, str]:
    """The headers that tell the next server of the trace."""
    # Of the flags only `sampled` is ours to pass on: the rest may mean what we do not keep to.
    flags = context.flags & SAMPLED
    headers = {TRACEPARENT: f"00-{context.trace_id}-{context.span_id}-{flags:02x}"}
    return headers | ({TRACESTATE: context.state} if context.state else {})


def own(trace_id: str) -> TraceContext:
    """The trace of a request whose caller named none: its id is our own, without its signature."""
    plain = trace_id.partition(".")[0]
    if re.fullmatch(r"[0-9a-f]{32}", plain) is None or not int(plain, 16):
        plain = hashlib.blake2b(trace_id.encode(), digest_size=16).hexdigest()
    return TraceContext(plain, span_id_of(trace_id))


def span_id_of(trace_id: str) -> str:
    """The id of the span that a request is: known before the span is written."""
    return hashlib.blake2b(trace_id.encode(), digest_size=8).hexdigest()


def _state(headers: Mapping[str, str]) -> str:
    state = headers.get(TRACESTATE, "").strip()
    return state if len(state) <= MOST_STATE and _STATE.fullmatch(state) else ""
