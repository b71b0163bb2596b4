"""Makes one call for all who want the same answer at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """The first caller of a key makes the call; the others wait for it.

    Only an answer that fits others is shared. A failure is its maker's own (it may have run out of
    its own time or money), so those who waited then make the call themselves, all at once. Where
    the first caller goes away, one of those who wait takes its place.
    """

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Future[T | None]] = {}

    async def joined(self, key: str, left_s: Callable[[], float]) -> T | None:
        """The answer that another caller is making; None where the caller has to make it.

        `left_s` says how long may be waited, and raises when that is over.
        """
        while (flight := self._flights.get(key)) is not None:
            # Not the future itself is awaited: a waiter that is cancelled would cancel it for all.
            await asyncio.wait([flight], timeout=left_s())
            if flight.done() and not flight.cancelled():
                return flight.result()
        return None

    async def led(self, key: str, make: Callable[[], Awaitable[T]], fits: Callable[[T], bool]) -> T:
        """The answer, made here; who joins meanwhile gets it too, if it fits."""
        if key in self._flights:
            return await make()
        flight: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        try:
            value = await make()
            flight.set_result(value if fits(value) else None)
        except asyncio.CancelledError:
            flight.cancel()
            raise
        else:
            return value
        finally:
            del self._flights[key]
            if not flight.done():
                flight.set_result(None)
