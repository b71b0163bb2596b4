"""What is kept of a request, so that finished steps are never paid for twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Outputs = dict[str, Any]
Status = Literal["running", "waiting", "done", "failed", "undone"]
"""`undone`: failed, and its effects were taken back."""
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
class Undoing:
    """The call that takes an effect back."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """What is known of a request that was begun before."""

    status: Status = "running"
    outputs: Mapping[str, Outputs] = field(default_factory=dict)
    """Of finished steps by path, in the order of their ends."""
    decided: Mapping[str, Decided] = field(default_factory=dict)
    """By the question's id."""
    begun: Mapping[str, int] = field(default_factory=dict)
    """How often an effect began, by path, where nobody knows how the last time ended."""
    owed: Mapping[str, Undoing] = field(default_factory=dict)
    """What takes back the effects that still stand, by path in the order of the effects."""
    output: object = None
    error: str = ""
    """What it failed with: from then on its effects are taken back, and it never goes on."""


class Journal(Protocol):
    """Keeps requests; what it has acknowledged survives a kill."""

    async def opened(self, run_id: str, about: Mapping[str, Any]) -> Kept | None:
        """Begin a request or go on with it; `about` is kept from the first time.

        None while somebody else works on it. Whoever gets it lets go of it: `waits`, `closed` and
        `released` do.
        """
        ...

    async def released(self, run_id: str) -> None:
        """Nobody works on the request any more, and it isn't over."""
        ...

    async def began(self, run_id: str, path: str) -> None:
        """A step that changes something is about to."""
        ...

    async def finished(
        self, run_id: str, path: str, outputs: Outputs, undoing: Undoing | None = None
    ) -> None:
        """A step has ended well; `undoing` would take its effect back.

        Raises:
            StepError: Its outputs are no JSON.
        """
        ...

    async def failed(self, run_id: str, path: str) -> None:
        """A step that was to change something has failed, which is an end too."""
        ...

    async def undone(self, run_id: str, path: str) -> None:
        """A step's effect was taken back."""
        ...

    async def failing(self, run_id: str, error: str) -> None:
        """The request has failed; what it changed is taken back from now on."""
        ...

    async def waits(self, run_id: str, questions: Sequence[Question]) -> None:
        """The request stops until a person has decided."""
        ...

    async def closed(
        self, run_id: str, status: Status, *, output: object = None, error: str = ""
    ) -> None:
        """The request is over."""
        ...
