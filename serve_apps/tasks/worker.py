"""Does a workspace's tasks in one process, as many at once as there is room for."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.books.task import Claimed, Ended, Ending, Standing
from engine.books.tasks import TaskBook
from engine.config.tasks import TaskSettings
from engine.errors import ClusterError, ConfigError, NotFoundError, StoreFullError
from serve_apps.protection.refusal import RefusedError

RETRY_S = 1.0
"""How long a task waits when nobody can answer it, and a result when it can't be written."""
TEND_S = 60.0
TELL_S = 5.0

log = logging.getLogger("ray.serve")


@dataclass(frozen=True)
class Answer:
    """What a task came to: the status and body that the same request would have got at once."""

    status: int
    body: dict[str, Any]


Work = Callable[[Claimed], Awaitable[Answer]]
"""Answers a task; cancelling it ends the work.

It may raise ConfigError or NotFoundError for what can never be answered, and ClusterError,
RefusedError or StoreFullError for what could not be begun now.
"""

Watcher = Callable[[Standing, Mapping[Ended, int]], None]
"""Hears how the tasks stand, and of those that this process ended since it last heard."""


class TaskWorker:
    """Claims, answers, renews; whoever is cancelled or loses its lease stops."""

    def __init__(
        self,
        book: TaskBook,
        work: Work,
        settings: TaskSettings,
        *,
        watcher: Watcher = lambda standing, ended: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._book = book
        self._work = work
        self._settings = settings
        self._watcher = watcher
        self._clock = clock
        self._held: dict[Claimed, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._closing = False
        loop = asyncio.get_running_loop()
        self._duties = [
            loop.create_task(self._often(self._look, settings.poll_s, self._woken)),
            loop.create_task(self._often(self._renew, settings.lease_s / 3, asyncio.Event())),
            loop.create_task(self._often(self._tend, TEND_S, asyncio.Event())),
            loop.create_task(self._often(self._tell, TELL_S, asyncio.Event())),
        ]

    @property
    def ongoing(self) -> int:
        """Tasks in this worker's hands."""
        return len(self._held)

    def wake(self) -> None:
        """Look now: a task was submitted or cancelled in this process."""
        self._woken.set()

    async def close(self) -> None:
        """Take nothing more, finish what can be finished in time, give the rest back."""
        self._closing = True
        if self._held:
            await asyncio.wait(self._held.values(), timeout=self._settings.drain_s)
        for task in (*self._duties, *self._held.values()):
            task.cancel()
        await asyncio.wait([*self._duties, *self._held.values()])

    async def _often(
        self, duty: Callable[[], Awaitable[None]], every_s: float, woken: asyncio.Event
    ) -> None:
        while True:
            try:
                await duty()
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                # whatever it was, a worker that stopped looking would leave its tasks for ever
                log.warning("tasks: %r; trying again", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await woken.wait()
            woken.clear()

    async def _look(self) -> None:
        """Stop what was taken away, then claim what there is room for."""
        held = list(self._held)
        self._stop(held, await asyncio.to_thread(self._book.holds, _tokens(held)))
        room = self._settings.concurrency - len(self._held)
        if self._closing or room <= 0:
            return
        for claimed in await asyncio.to_thread(self._claimed, room):
            task = asyncio.get_running_loop().create_task(self._done(claimed))
            self._held[claimed] = task
            task.add_done_callback(partial(self._let_go, claimed))

    def _claimed(self, room: int) -> list[Claimed]:
        now = self._clock()
        if not self._book.is_due(now):
            return []
        settings = self._settings
        return self._book.claim(now, settings.lease_s, most=room, attempts=settings.attempts)

    def _let_go(self, claimed: Claimed, _: asyncio.Task[None]) -> None:
        del self._held[claimed]
        # there is room for another one
        self._woken.set()

    async def _renew(self) -> None:
        held = list(self._held)
        until = self._clock() + self._settings.lease_s
        if held:
            self._stop(held, await asyncio.to_thread(self._book.renew, _tokens(held), until))

    def _stop(self, held: list[Claimed], holds: list[bool]) -> None:
        for claimed, ours in zip(held, holds, strict=True):
            task = self._held.get(claimed)
            if task is not None and not ours:
                task.cancel()

    async def _tend(self) -> None:
        now = self._clock()
        await asyncio.to_thread(self._book.sweep, now, retention_s=self._settings.retention_s)
        await asyncio.to_thread(self._book.learn, now)

    async def _tell(self) -> None:
        standing = await asyncio.to_thread(self._book.standing, self._clock())
        self._watcher(standing, self._book.endings())

    async def _done(self, claimed: Claimed) -> None:
        try:
            async with asyncio.timeout(claimed.deadline_at - self._clock()):
                answer = await self._work(claimed)
        except TimeoutError:
            await self._finish(claimed, "expired", None, "deadline")
        except asyncio.CancelledError:
            # one that was lost is no longer ours to give back, and its token says so
            await asyncio.shield(self._give_back(claimed, self._clock()))
            raise
        except (ConfigError, NotFoundError) as error:
            status = 404 if isinstance(error, NotFoundError) else 400
            await self._finish(claimed, "failed", _error(status, "invalid_request", error))
        except (ClusterError, RefusedError, StoreFullError):
            await self._give_back(claimed, self._clock() + RETRY_S)
        except Exception as error:
            log.exception("task %s failed inside the gateway", claimed.id)
            await self._finish(claimed, "failed", _error(500, "internal", error))
        else:
            await self._finish(claimed, "done" if answer.status < 400 else "failed", answer)

    async def _finish(
        self, claimed: Claimed, ending: Ending, answer: Answer | None, reason: str | None = None
    ) -> None:
        """Write down how it ended; a result that was paid for is not given up for a full disk."""
        kept = None
        if answer is not None:
            said = {"status": answer.status, "body": answer.body}
            kept = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        while True:
            try:
                await asyncio.to_thread(
                    self._book.finish,
                    claimed.id,
                    claimed.token,
                    ending,
                    self._clock(),
                    answered=kept,
                    reason=reason,
                )
            except StoreFullError as error:
                log.warning("task %s: its result can't be kept now: %s", claimed.id, error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _give_back(self, claimed: Claimed, due: float) -> None:
        with contextlib.suppress(StoreFullError):
            # where it can't be written, the lease ends by itself
            await asyncio.to_thread(self._book.release, claimed.id, claimed.token, due)


def _tokens(held: list[Claimed]) -> list[tuple[str, int]]:
    return [(one.id, one.token) for one in held]


def _error(status: int, code: str, error: Exception) -> Answer:
    kind = "invalid_request_error" if status < 500 else "api_error"
    body = {"message": str(error), "type": kind, "code": code, "param": None}
    return Answer(status, {"error": body})
