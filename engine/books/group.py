"""One commit for everybody who waits."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from engine.errors import BookError, StoreFullError

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

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
        self._waiting: deque[tuple[Item, Future[Outcome]]] = deque()
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
        return [future for _, future in pairs]

    def close(self) -> None:
        """Write everything that waits, then stop."""
        with self._turn:
            self._closed = True
            self._turn.notify()
        self._thread.join()

    def _serve(self) -> None:
        while pairs := self._next():
            items = [item for item, _ in pairs]
            try:
                outcomes = self._write(items)
            except Exception as error:  # noqa: BLE001 - whatever happened, the waiters must hear it
                for _, future in pairs:
                    future.set_exception(error)
            else:
                for (_, future), outcome in zip(pairs, outcomes, strict=True):
                    future.set_result(outcome)

    def _next(self) -> list[tuple[Item, Future[Outcome]]]:
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
