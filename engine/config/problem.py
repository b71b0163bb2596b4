"""What is wrong with a configuration, and where."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import PydanticCustomError
from rapidfuzz import fuzz

Where = tuple[str | int, ...]
"""Keys and list positions from the top of a file down to one value."""

NEAR_ENOUGH = 65.0
"""Below this similarity, out of 100, a suggestion misleads more than it helps."""

PART_OF_NAME = 85.0
"""How similar a name is to one that contains it."""


@dataclass(frozen=True)
class Problem:
    """One thing that an operator has to change."""

    where: Where
    message: str
    """What was got; what to do."""
    at_key: bool = False
    """The key itself is wrong, not its value."""

    def __str__(self) -> str:
        return f"{dotted(self.where)}: {self.message}" if self.where else self.message

    def under(self, prefix: Where) -> "Problem":
        """The same problem, seen from further up."""
        return Problem((*prefix, *self.where), self.message, self.at_key)


def impossible(problems: Iterable[Problem]) -> PydanticCustomError:
    """What a validator raises when single values are fine and their combination is not."""
    found = tuple(problems)
    why = "; ".join(str(problem) for problem in found)
    return PydanticCustomError("impossible", "{why}", {"why": why, "problems": found})


def dotted(where: Where) -> str:
    """A place as it is written in messages: `space.llm.temperature.low`, `choices[2]`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in where]
    return "".join(parts).removeprefix(".")


def nearest(wanted: str, known: Iterable[str], *, beside: str | None = None) -> str | None:
    """The known dotted path that the operator most likely meant.

    A path's last name counts as much as the whole, so that a key under the wrong section is found;
    keys under `beside`, the section that was written to, come first.
    """
    scored = [(*_likeness(wanted, path, beside), path) for path in sorted(known)]
    best = max(scored, key=lambda entry: entry[:2], default=None)
    return best[2] if best and best[0] >= NEAR_ENOUGH else None


def did_you_mean(wanted: str, known: Iterable[str], *, beside: str | None = None) -> str:
    """A hint that names the nearest known path, or what there is to choose from."""
    names = sorted(known)
    near = nearest(wanted, names, beside=beside)
    if near is not None:
        return f"did you mean `{near}`?"
    return f"known: {listed(names)}" if names else "nothing is known here"


def listed(names: Iterable[str], *, most: int = 12) -> str:
    """Names in backticks; a long list is cut and says so."""
    every = list(names)
    shown = ", ".join(f"`{name}`" for name in every[:most])
    return f"{shown} and {len(every) - most} more" if len(every) > most else shown


def _likeness(wanted: str, path: str, beside: str | None) -> tuple[float, float]:
    section, _, last = path.rpartition(".")
    whole = fuzz.ratio(wanted.lower(), path.lower())
    own = _name_likeness(wanted.rpartition(".")[2].lower(), last.lower())
    misplaced = 0.0 if beside is None or section == beside else 5.0
    return max(whole, own - misplaced), whole


def _name_likeness(one: str, other: str) -> float:
    short, long = sorted((one, other), key=len)
    # `tool_agent` means `qa_with_tool_agent`, which letter by letter is far away.
    part = PART_OF_NAME if len(short) >= 4 and short in long else 0.0
    return max(part, fuzz.ratio(one, other))
