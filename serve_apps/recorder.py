"""Makes a replica's facts durable before anything that depends on them goes on."""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.books.catalogue import Catalogue
from engine.books.feedback import FeedbackBook, FeedbackCommitter, Outcome
from engine.books.spool import Committer, Spool
from engine.errors import StoreFullError

Row = dict[str, Any]


class Recorder:
    """One process's way to the store: its own spool, committed in groups by one thread."""

    def __init__(self, root: Path) -> None:
        self._writer = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        catalogue = Catalogue(root / "catalogue.db")
        self._spool = Spool(root / "spools" / f"{self._writer}.db", catalogue)
        self._committer = Committer(self._spool)
        self._feedback = FeedbackCommitter(FeedbackBook(root / "feedback.db"))
        self.lost_traces = 0

    async def exposure(self, row: Row) -> None:
        """Commit an exposure.

        Raises:
            StoreFullError: It can't be made durable, so the paid call must not happen.
        """
        row["writer"] = self._writer
        await self._committer.hand("exposure", row)

    async def trace(self, row: Row) -> None:
        """Commit a trace; one that can't be is counted, and the answer still leaves."""
        row["writer"] = self._writer
        try:
            await self._committer.hand("trace", row)
        except StoreFullError:
            self.lost_traces += 1

    async def feedback(self, rows: Sequence[Row]) -> list[Outcome]:
        """Commit feedback; each item is stored, duplicate or conflict."""
        return [await one for one in self._feedback.hand_many(rows)]

    def close(self) -> None:
        """Drain what was submitted."""
        self._committer.close()
        self._feedback.close()
        self._spool.close()
