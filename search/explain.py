"""The ledger in words: what was decided, why, on which figures, and what it changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from engine.books.ledger import Entry
from engine.errors import NotFoundError
from engine.experiment.decide import Figures
from engine.experiment.entries import decision_of
from engine.experiment.fold import after
from engine.experiment.state import State
from search.telling import Changes, tell
from search.words import setting

SHORTEST = 4
"""Digits of a variant's hash that are enough to name it."""


@dataclass(frozen=True)
class Explained:
    """One entry of the ledger, told to a person."""

    seq: int
    at: float
    actor: str
    kind: str
    experiment: str
    windows: tuple[str, ...]
    variants: tuple[str, ...]
    text: str
    changes: Changes = field(default_factory=dict)
    """The settings that the entry puts on trial or into force, as (before, after)."""
    figures: Figures = field(default_factory=dict)
    reason: str = ""
    """The recorded reason, word for word."""

    def is_about(self, name: str) -> bool:
        """Whether the entry concerns this experiment, window or (beginning of a) variant."""
        if not name:
            return False
        return name in {self.experiment, *self.windows} or (
            len(name) >= SHORTEST and any(variant.startswith(name) for variant in self.variants)
        )


def explain(entries: Sequence[Entry], about: str | None = None) -> list[Explained]:
    """Tell the whole ledger, or what concerns one experiment, window or variant.

    Raises:
        NotFoundError: Nothing is called that.
        LedgerCorruptError: An entry does not follow from those before it.
    """
    told = list(_all(entries))
    if about is None:
        return told
    own = [one for one in told if one.is_about(about)]
    if not own:
        experiments = ", ".join(sorted({one.experiment for one in told if one.experiment}))
        raise NotFoundError(
            f"{about!r} is no experiment, window or variant of this ledger; "
            f"experiments: {experiments or 'none'}; `trimtab ledger` lists the rest"
        )
    return own


def _all(entries: Sequence[Entry]) -> Iterator[Explained]:
    state = State()
    for entry in entries:
        decision = decision_of(entry)
        told = tell(state, decision)
        state = after(state, decision, seq=entry.seq, at=entry.at)
        verdict = told.verdict
        yield Explained(
            seq=entry.seq,
            at=entry.at,
            actor=entry.actor,
            kind=entry.kind,
            experiment=told.experiment,
            windows=told.windows,
            variants=told.variants,
            text=told.text,
            changes=told.changes,
            figures=verdict.figures if verdict else {},
            reason=told.reason or (verdict.reason if verdict else ""),
        )


def changes_in_words(changes: Changes) -> str:
    """Changes of settings, one after another."""
    return (
        "; ".join(
            f"{path}: {setting(before)} → {setting(after_)}"
            for path, (before, after_) in changes.items()
        )
        or "nothing"
    )
