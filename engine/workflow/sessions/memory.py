"""Keeps conversations in this process, for as long as it lives."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.config.agents import Conversations
from engine.workflow.sessions.packing import packed, unpacked
from engine.workflow.sessions.session import Session, StaleSessionError, bounded


@dataclass(frozen=True)
class _Kept:
    body: bytes
    version: int
    expires_at: float


class MemorySessions:
    """For one process and its tests; packed as on disk, so that nobody holds what it keeps.

    It takes no lock: nothing here waits between reading and writing.
    """

    def __init__(
        self, settings: Conversations | None = None, *, now: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings or Conversations()
        self._now = now
        self._kept: dict[str, _Kept] = {}
        """By their last turn: the next to expire comes first."""

    async def load(self, id: str) -> Session:
        """See `Sessions.load`."""
        kept = self._live(id)
        return Session() if kept is None else unpacked(kept.body, kept.version)

    async def save(self, id: str, session: Session) -> Session:
        """See `Sessions.save`; what it keeps is lost with the process."""
        kept = self._live(id)
        if session.version != (0 if kept is None else kept.version):
            raise StaleSessionError(id, session.version)
        saved = replace(bounded(session, self._settings), version=session.version + 1)
        self._kept.pop(id, None)
        expires_at = self._now() + self._settings.ttl_s
        self._kept[id] = _Kept(packed(saved), saved.version, expires_at)
        self._sweep()
        return saved

    async def forget(self, id: str) -> None:
        """See `Sessions.forget`."""
        self._kept.pop(id, None)

    def _live(self, id: str) -> _Kept | None:
        kept = self._kept.get(id)
        return kept if kept is not None and kept.expires_at > self._now() else None

    def _sweep(self) -> None:
        while self._kept:
            first = next(iter(self._kept))
            if self._live(first) is not None:
                return
            del self._kept[first]
