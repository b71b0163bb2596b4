"""The two books as search uses them: decisions appended lawfully, facts followed as they arrive."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from engine.books.ledger import Entry, Ledger
from engine.books.store import Store
from engine.errors import StaleAppendError
from engine.evidence.measure import Facts
from engine.evidence.records import Kind, empty
from engine.experiment.entries import Decision
from engine.experiment.fold import after, fold
from engine.experiment.state import State

BULKY = ("spans", "question", "answer")
"""Columns of a trace that no verdict rests on."""


class Decisions:
    """The ledger with its fold kept up to date."""

    def __init__(self, root: Path) -> None:
        self.ledger = Ledger(str(root / "ledger.db"))
        self._state = State()

    def state(self) -> State:
        """The fold of everything that was decided so far."""
        self._state = fold(self.ledger.read(self._state.seq), self._state)
        return self._state

    def append(
        self, decide: Callable[[State], Decision | None], *, actor: str, clock: Callable[[], float]
    ) -> Entry | None:
        """Append what `decide` makes of the newest state; when somebody else was first, ask again.

        `decide` answers None when, seen from the newest state, there is nothing to decide.

        Raises:
            LedgerCorruptError: The decision is not lawful; nothing was written.
        """
        while True:
            state = self.state()
            decision = decide(state)
            if decision is None:
                return None
            at = clock()
            after(state, decision, seq=state.seq + 1, at=at)
            try:
                return self.ledger.append(
                    type(decision).__name__,
                    decision.model_dump(mode="json"),
                    expected=state.seq,
                    at=at,
                    actor=actor,
                )
            except StaleAppendError:
                continue

    def close(self) -> None:
        """Let go of the ledger."""
        self.ledger.close()


class FactsFollower:
    """The store's facts since a moment, read once each, file by file."""

    def __init__(self, root: Path, *, whole: bool = False) -> None:
        """Follow the facts that verdicts rest on; with `whole`, the traces' texts and spans, too.

        These are most of its bytes, and what is followed stays in memory.
        """
        self._store = Store(root)
        self._frames: dict[Kind, pl.DataFrame] = {
            "exposure": empty("exposure"),
            "trace": empty("trace") if whole else empty("trace").drop(BULKY),
            "feedback": empty("feedback"),
        }
        self.upto = 0
        self._settled_at = 0.0

    def settled_at(self) -> float:
        """Unix time before which every fact is among those followed."""
        return self._settled_at

    def follow(self, upto: int | None = None) -> Facts:
        """Everything up to the newest catalogue number, or up to the one that is named."""
        # Read before the position: what was settled then is in the files that follow.
        settled_at = self._store.settled_at()
        newest = self._store.position() if upto is None else upto
        if newest > self.upto:
            for kind, frame in self._frames.items():
                news = self._store.read(kind, after=self.upto, upto=newest, columns=frame.columns)
                self._frames[kind] = pl.concat([frame, news])
            self.upto = newest
        self._settled_at = max(self._settled_at, settled_at)
        return Facts(self._frames["exposure"], self._frames["trace"], self._frames["feedback"])
