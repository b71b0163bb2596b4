"""What is known of a task: as it is submitted, in a worker's hands, and as it stands."""

from dataclasses import dataclass
from typing import Literal

State = Literal["queued", "running", "done", "failed", "cancelled", "expired"]
Outcome = Literal["queued", "known", "conflict", "full"]
Ending = Literal["done", "failed", "expired"]
Ended = Literal[Ending, "cancelled"]


@dataclass(frozen=True)
class NewTask:
    """What a client wants done."""

    id: str
    """32 hex digits, drawn by the caller."""
    workflow: str
    asked: bytes
    submitted_at: float
    deadline_at: float
    owner: str = ""
    """Who may list it."""
    key: str | None = None
    """The owner's idempotency key."""


@dataclass(frozen=True)
class Submitted:
    """What became of a new task; a known one goes by the id that it got first."""

    outcome: Outcome
    id: str


@dataclass(frozen=True)
class Claimed:
    """A task in a worker's hands until its lease ends."""

    id: str
    token: int
    attempt: int
    workflow: str
    owner: str
    asked: bytes
    deadline_at: float


@dataclass(frozen=True)
class Task:
    """How a task stands."""

    id: str
    workflow: str
    state: State
    submitted_at: float
    deadline_at: float
    started_at: float | None
    ended_at: float | None
    attempts: int
    reason: str | None
    """Why it failed or expired."""


@dataclass(frozen=True)
class Standing:
    """How a workspace's tasks stand now."""

    waiting: int
    running: int
    oldest_s: float
    """How long the oldest waiting task has waited; 0 where none waits."""
