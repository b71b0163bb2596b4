"""What is kept of a request, so that finished steps are never paid for twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Outputs = dict[str, Any]
Status = Literal["running", "waiting", "done", "failed", "undone", "stuck"]
"""`undone`: failed, and every effect was taken back; `stuck`: one of them could not be."""
Choice = Literal["approve", "reject", "answer"]


@dataclass(frozen=True)
class Question:
    """What a request waits for a person to say."""

    id: str
    run_id: str
    path: str
    """The step that asks."""
    ask: str
    options: tuple[str, ...]
    asked_at: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Decided:
    """What a person said, and why."""

    decision: Choice
    reason: str
    answer: str = ""
    by: str = ""


@dataclass(frozen=True)
class Kept:
    """What is known of a request that was begun before."""

    status: Status = "running"
    outputs: Mapping[str, Outputs] = field(default_factory=dict)
    """Of finished steps by path, in the order of their ends."""
    decided: Mapping[str, Decided] = field(default_factory=dict)
    """By the question's id."""
    undone: frozenset[str] = frozenset()
    """Paths of steps whose effect was taken back."""
    output: object = None
    error: str = ""


class Journal(Protocol):
    """Keeps requests; what it has acknowledged survives a kill."""

    async def opened(self, run_id: str, about: Mapping[str, Any]) -> Kept:
        """Begin a request or go on with it; `about` is kept from the first time."""
        ...

    async def began(self, run_id: str, path: str) -> None:
        """A step that changes something is about to."""
        ...

    async def finished(self, run_id: str, path: str, outputs: Outputs) -> None:
        """A step has ended well."""
        ...

    async def undone(self, run_id: str, path: str) -> None:
        """A step's effect was taken back."""
        ...

    async def waits(self, run_id: str, questions: Sequence[Question]) -> None:
        """The request stops until a person has decided."""
        ...

    async def closed(
        self, run_id: str, status: Status, *, output: object = None, error: str = ""
    ) -> None:
        """The request is over."""
        ...
