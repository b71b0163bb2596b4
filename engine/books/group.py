"""One commit for everybody who waits."""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Generic, TypeVar

from engine.errors import BookError, StoreFullError

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
Promise = Future[Outcome] | asyncio.Future[Outcome]

CAPACITY = 8192
"""Items that may wait; beyond it they are refused, so that a slow disk never eats the memory."""
MOST = 512
"""Items in one commit."""


class GroupCommit(Generic[Item, Outcome]):
    """A thread that writes whatever waits in one transaction, then tells every waiter.

    No timer delays anything: who arrives during a commit shares the next one, so groups grow
    by themselves when the disk is slow.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Outcome]],
        *,
        capacity: int = CAPACITY,
        most: int = MOST,
    ) -> None:
        self._write = write
        self._capacity = capacity
        self._most = most
        self._waiting: deque[tuple[Item, Promise[Outcome]]] = deque()
        self._turn = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> Future[Outcome]:
        """Hand over one item; the future resolves after its commit.

        Raises:
            StoreFullError: Too many items wait already.
            BookError: Closed.
        """
        return self.submit_many((item,))[0]

    def submit_many(self, items: Iterable[Item]) -> list[Future[Outcome]]:
        """Hand over several items, all of them or none."""
        pairs: list[tuple[Item, Future[Outcome]]] = [(item, _promised()) for item in items]
        self._take(pairs)
        return [future for _, future in pairs]

    def hand(self, item: Item) -> asyncio.Future[Outcome]:
        """Hand over one item from a running loop, which is woken once a commit, not once an item.

        Whoever gives up waiting can't take the item back: its commit may be under way.

        Raises:
            StoreFullError: Too many items wait already.
            BookError: Closed.
        """
        promise: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._take(((item, promise),))
        return promise

    def hand_many(self, items: Iterable[Item]) -> list[asyncio.Future[Outcome]]:
        """Hand over several items from a running loop, all of them or none."""
        promised = asyncio.get_running_loop().create_future
        pairs: list[tuple[Item, asyncio.Future[Outcome]]] = [(item, promised()) for item in items]
        self._take(pairs)
        return [promise for _, promise in pairs]

    def close(self) -> None:
        """Write everything that waits, then stop."""
        with self._turn:
            self._closed = True
            self._turn.notify()
        self._thread.join()

    def _take(self, pairs: Sequence[tuple[Item, Promise[Outcome]]]) -> None:
        with self._turn:
            if self._closed:
                raise BookError("this writer is closed; open another one")
            if len(self._waiting) + len(pairs) > self._capacity:
                raise StoreFullError(
                    f"{len(self._waiting)} facts wait to be written, the limit is "
                    f"{self._capacity}; retry later"
                )
            self._waiting.extend(pairs)
            self._turn.notify()

    def _serve(self) -> None:
        while pairs := self._next():
            answers: Sequence[Outcome | Exception]
            try:
                answers = self._write([item for item, _ in pairs])
            except Exception as error:  # noqa: BLE001 - whatever happened, the waiters must hear it
                answers = [error] * len(pairs)
            _tell([promise for _, promise in pairs], answers)

    def _next(self) -> list[tuple[Item, Promise[Outcome]]]:
        with self._turn:
            while not self._waiting and not self._closed:
                self._turn.wait()
            count = min(self._most, len(self._waiting))
            return [self._waiting.popleft() for _ in range(count)]


def _promised() -> Future[Outcome]:
    future: Future[Outcome] = Future()
    # a waiter that gives up can't take its row back: the commit may be under way
    future.set_running_or_notify_cancel()
    return future


def _tell(promises: Sequence[Promise[Outcome]], answers: Sequence[Outcome | Exception]) -> None:
    """Settle a group, waking each loop once: a wake-up costs more than the waiter's row."""
    on_loops: dict[asyncio.AbstractEventLoop, list[tuple[Promise[Outcome], Outcome | Exception]]]
    on_loops = defaultdict(list)
    for promise, answer in zip(promises, answers, strict=True):
        if isinstance(promise, Future):
            _settle(promise, answer)
        else:
            on_loops[promise.get_loop()].append((promise, answer))
    for loop, told in on_loops.items():
        # a loop that is closed has nobody left to hear it
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_all, told)


def _settle_all(told: Sequence[tuple[Promise[Outcome], Outcome | Exception]]) -> None:
    for promise, answer in told:
        _settle(promise, answer)


def _settle(promise: Promise[Outcome], answer: Outcome | Exception) -> None:
    if promise.done():
        return
    if isinstance(answer, Exception):
        promise.set_exception(answer)
    else:
        promise.set_result(answer)
