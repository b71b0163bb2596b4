"""What the clients of a chaos run write down: every request, every try of it, every rating."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Class = Literal["2xx", "4xx", "5xx", "connection", "timeout"]


class Try(BaseModel):
    """One HTTP exchange of a request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    began_at: float
    """Unix seconds, as all times of a journal."""
    ended_at: float
    status: int
    """0 where no HTTP answer came."""
    code: str = ""
    """The error object's `code`; `connection` or `timeout` where no HTTP answer came."""
    trace_id: str = ""
    variant: str = ""
    echoed: bool = True
    """Whether the answer repeats what this request said; a wrong one is somebody else's."""

    @property
    def is_ok(self) -> bool:
        """Whether the client got its answer."""
        return self.status == 200

    @property
    def kind(self) -> Class:
        """The class that it counts in."""
        match self.status // 100:
            case 0:
                return "timeout" if self.code == "timeout" else "connection"
            case 2:
                return "2xx"
            case 4:
                return "4xx"
            case _:
                return "5xx"


class Ping(BaseModel):
    """A client's request: the first try, and a second where the first failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    tries: tuple[Try, ...]

    @property
    def first(self) -> Try:
        """What a client that never tries again gets."""
        return self.tries[0]

    @property
    def last(self) -> Try:
        """What a client that tries once more gets."""
        return self.tries[-1]


class Rating(BaseModel):
    """Feedback as it was sent and answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    trace_id: str
    score: float
    at: float
    status: int
    said: str = ""
    """`stored`, `duplicate` or `conflict`; empty where no HTTP answer came."""
    again: bool = False
    """The same key with the same score, after an acknowledgement."""
    other: bool = False
    """The same key with another score, after an acknowledgement."""


class Journal(BaseModel):
    """All that the clients saw."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pings: tuple[Ping, ...] = ()
    ratings: tuple[Rating, ...] = ()

    @property
    def tries(self) -> list[Try]:
        """Every exchange, of every request."""
        return [one for ping in self.pings for one in ping.tries]


def line_of(what: Ping | Rating) -> str:
    """A record as one line of the file."""
    kind = "ping" if isinstance(what, Ping) else "rating"
    return json.dumps({"kind": kind, **what.model_dump(mode="json")}) + "\n"


def read_journal(path: Path) -> Journal:
    """Everything that was written whole; a last line that its writer did not finish is left out."""
    pings: list[Ping] = []
    ratings: list[Rating] = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            continue
        record = json.loads(line)
        if record.pop("kind") == "ping":
            pings.append(Ping.model_validate(record))
        else:
            ratings.append(Rating.model_validate(record))
    return Journal(pings=tuple(pings), ratings=tuple(ratings))


def counts(tries: Iterable[Try]) -> dict[str, dict[str, int]]:
    """How many fell in each class, and in each code of it."""
    found: dict[str, dict[str, int]] = {}
    for one in tries:
        codes = found.setdefault(one.kind, {})
        name = f"{one.status} {one.code}".strip() if one.status else one.code
        codes[name] = codes.get(name, 0) + 1
    return found


def availability(tries: Sequence[Try]) -> float | None:
    """The share that was answered; None where nobody asked."""
    return sum(one.is_ok for one in tries) / len(tries) if tries else None
