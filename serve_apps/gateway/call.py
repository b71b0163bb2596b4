"""What a client asks of a workflow, and what it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serve_apps.telemetry.context import TraceContext

Json = dict[str, Any]
Event = tuple[str, Json]
"""A kind and what is said."""


@dataclass(frozen=True)
class Call:
    """One request, however it arrived."""

    workflow: str
    messages: Sequence[Json]
    """The conversation; the last message is the user's, or what a tool of the client's gave."""
    given: Mapping[str, Any] | None = None
    """Named inputs, where the workflow takes some."""
    conversation: str = ""
    """An id of ours, or the client's own; empty for a conversation of this request alone."""
    forced: str = ""
    """A tester's variant; such a request is no evidence."""
    key: str = ""
    """Who asks: the API key, as it was shown."""
    context: TraceContext | None = None
    """The caller's trace, of which this request is a part."""
    offer: Json | None = None
    """The client's own `tools`, and its `choice` among them."""
    id: str = ""
    """Names the run, so that one that was begun before is known again; empty for a new one."""

    @property
    def question(self) -> Json:
        """What is asked: the user's last message, or the last one where none is the user's."""
        users = (one for one in reversed(self.messages) if one["role"] == "user")
        return next(users, self.messages[-1])


@dataclass(frozen=True)
class Answered:
    """One request's end, whether it succeeded or not."""

    workflow: str
    variant: str
    """Answered."""
    trace_id: str
    conversation: str
    """The signed id that the client sends back to go on."""
    segment: str
    created: float
    """Unix time."""
    overhead_s: float
    outcome: Json
    """As a slot answers: see `serve_apps.outcome`."""
    left: Mapping[str, str] = field(default_factory=dict)
    """What remains to the key, as headers."""

    @property
    def status(self) -> str:
        """How it ended: ok, error or timeout."""
        return str(self.outcome["status"])

    @property
    def headers(self) -> dict[str, str]:
        """What every answer says of itself."""
        said = {
            "x-trimtab-variant": self.variant,
            "x-trimtab-trace-id": self.trace_id,
            "x-trimtab-conversation": self.conversation,
            "x-trimtab-overhead-ms": f"{self.overhead_s * 1e3:.2f}",
            **self.left,
        }
        if self.status == "ok" and self.outcome["degraded"]:
            said["x-trimtab-degraded"] = ",".join(self.outcome["degraded"])
        return said
