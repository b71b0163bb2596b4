"""How many requests of a workflow a gateway takes on at a time, and who waits for a seat."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from engine.config.protection import Crowding
from engine.errors import DeadlineError
from serve_apps.protection.refusal import RefusedError, too_many

# A round of answers in time widens the limit by a twentieth, a late one halves what is in work: a
# limit that is too high makes all work late, one that is too low for a while only makes some wait.
WIDER = 0.05
NARROWER = 0.5


class Room:
    """The seats of one workflow in one gateway.

    Work that comes too late is work for nothing, and a backlog makes all of it late; so the seats
    become fewer while answers are late, and more again while they are in time and asked for. Who
    finds none waits a short while, keys in turn, so that a rush of one key costs the others no
    more than their turn; in a full queue the key with the most waiting loses its newest.
    """

    def __init__(self, settings: Crowding, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._limit = float(settings.most_in_flight)
        self._taken = 0
        self._queued = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._narrowed_at = -1.0

    @property
    def seats(self) -> int:
        """How many there are at present."""
        return int(self._limit)

    @property
    def taken(self) -> int:
        """Requests in flight."""
        return self._taken

    @property
    def queued(self) -> int:
        """Requests that wait for a seat."""
        return self._queued

    @asynccontextmanager
    async def seat(self, key: str, within_s: float) -> AsyncIterator[None]:
        """A seat for as long as the block runs, for a request that has `within_s` to answer in.

        Raises:
            RefusedError: There is none, nor will there be one soon.
            DeadlineError: The request's time is over already.
        """
        if within_s <= 0.0:
            raise DeadlineError("the time for this request is over; nothing was begun")
        if self._taken < self.seats and not self._queued:
            self._taken += 1
        else:
            spare_s = (1.0 - self._settings.late_share) * within_s
            await self._wait(key, min(self._settings.queue_s, spare_s))
        seated_at = self._clock()
        try:
            yield
        finally:
            late_s = self._settings.late_share * within_s
            self._learn(seated_at, late=self._clock() - seated_at > late_s)
            self._leave()

    async def _wait(self, key: str, most_s: float) -> None:
        if self._queued >= self._settings.queue:
            self._make_place(key)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        self._queued += 1
        try:
            async with asyncio.timeout(most_s):
                await turn
        except TimeoutError as error:
            self._give_up(key, turn)
            raise self._full() from error
        except asyncio.CancelledError:
            self._give_up(key, turn)
            raise

    def _make_place(self, key: str) -> None:
        """Let a key that waits little take the place of one that waits a lot.

        Raises:
            RefusedError: This key is the one that waits a lot.
        """
        own = len(self._waiting.get(key, ()))
        # Only a key with less than an equal part can be in the right, which spares a flood's
        # refusals the search.
        if not self._waiting or own * len(self._waiting) >= self._queued:
            raise self._full()
        heaviest = max(self._waiting, key=lambda one: len(self._waiting[one]))
        newest = self._waiting[heaviest][-1]
        self._drop(heaviest, newest)
        if not newest.done():
            newest.set_exception(self._full())

    def _give_up(self, key: str, turn: asyncio.Future[None]) -> None:
        if turn in self._waiting.get(key, ()):
            self._drop(key, turn)
        elif not turn.cancelled() and turn.exception() is None:
            # The seat was given in the very moment in which the wait ended.
            self._leave()

    def _drop(self, key: str, turn: asyncio.Future[None]) -> None:
        line = self._waiting[key]
        line.remove(turn)
        if not line:
            del self._waiting[key]
        self._queued -= 1

    def _leave(self) -> None:
        self._taken -= 1
        while self._queued and self._taken < self.seats:
            key, line = next(iter(self._waiting.items()))
            turn = line[0]
            self._drop(key, turn)
            if key in self._waiting:
                self._waiting[key] = self._waiting.pop(key)
            # Who hung up in this very moment takes no seat.
            if not turn.done():
                turn.set_result(None)
                self._taken += 1

    def _learn(self, seated_at: float, *, late: bool) -> None:
        known = self._settings
        if not late:
            if self._taken * 2 >= self.seats:
                self._limit = min(self._limit + WIDER, float(known.most_in_flight))
        # Who sat down before the last narrowing says nothing about the seats there are now.
        elif seated_at > self._narrowed_at:
            least = min(known.least_in_flight, known.most_in_flight)
            self._limit = max(min(self._limit, self._taken) * NARROWER, float(least))
            self._narrowed_at = self._clock()

    def _full(self) -> RefusedError:
        return too_many(
            f"{self._taken} requests are in work and {self._queued} wait; retry shortly",
            "overloaded",
            self._settings.retry_after_s,
        )
