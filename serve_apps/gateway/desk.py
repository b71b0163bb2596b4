"""One request's way: assigned, its exposure committed, answered, its trace committed."""

import asyncio
import contextvars
import logging
import random
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from engine.books.secret import sign
from engine.errors import ConfigError, DeadlineError, TrimtabError, UpstreamError
from engine.workflow.router import intent
from serve_apps.gateway.call import Answered, Call, Event, Json
from serve_apps.gateway.dispatch import Dispatcher, Hear
from serve_apps.gateway.guard import Guard
from serve_apps.gateway.protocol import words_of
from serve_apps.gateway.rows import exposure_row, kept_text, trace_row
from serve_apps.gateway.seen import Seen
from serve_apps.gateway.traffic import Route, Traffic
from serve_apps.outcome import unanswered
from serve_apps.recorder import Recorder
from serve_apps.telemetry.context import outgoing
from serve_apps.telemetry.logs import about

MOST_EVENTS = 4_096
"""That may wait for a client; one that reads slower than this is given up."""

DICE = random.Random()
"""Seeded by the machine once; ids need to differ, not to be secret: they are signed."""

log = logging.getLogger("ray.serve")


class Opened:
    """A request that was assigned and is on record."""

    def __init__(self, call: Call, traffic: Traffic, secret: bytes) -> None:
        self.call = call
        self.started, self.at = time.perf_counter(), time.time()
        self.id = f"{DICE.getrandbits(128):032x}"
        self.segment = intent(words_of(call.question))
        self.route: Route = traffic.route(
            call.workflow,
            call.conversation,
            self.id[:16],
            self.at,
            segment=self.segment,
            forced=call.forced,
        )
        self.trace_id = sign(secret, self.id)
        self.conversation = self.route.conversation.signed(secret)

    @property
    def trace(self) -> Mapping[str, str]:
        """What a model's endpoint is told of the caller's trace, of which this is a span."""
        context = self.call.context
        return {} if context is None else outgoing(context.within(self.trace_id))

    @property
    def ids(self) -> Json:
        """What a client is told before there is an answer."""
        return {
            "trace_id": self.trace_id,
            "conversation_id": self.conversation,
            "variant": self.route.served,
        }


class Desk:
    """Serves calls; a request that was begun comes to its end, whether or not its client waits."""

    def __init__(
        self,
        secret: bytes,
        traffic: Traffic,
        guard: Guard,
        recorder: Recorder,
        dispatcher: Dispatcher,
        seen: Seen,
    ) -> None:
        self._secret = secret
        self._traffic = traffic
        self._guard = guard
        self._recorder = recorder
        self._dispatcher = dispatcher
        self._seen = seen
        self._going: set[asyncio.Task[Answered]] = set()

    @property
    def ongoing(self) -> int:
        """Requests without an answer."""
        return len(self._going)

    async def answer(self, call: Call) -> Answered:
        """Answer a call; a request that fails is an answer, too.

        Raises:
            ConfigError, NotFoundError: It asks for something impossible.
            RefusedError: Its key had enough for now, or there is no room.
            ClusterError: Nobody is seated who could answer.
            StoreFullError: It can't be put on record, so it was not begun.
        """
        return await asyncio.shield(self._begun(self._whole(call, None)))

    async def events(self, call: Call) -> AsyncGenerator[Event]:
        """The same, told as it happens.

        First `begun`, with its ids; then plan, node and chunk as the workflow tells them; at last
        `end`, with what was `answered`, or None where the client read too slowly. Whoever stops
        listening ends the request.

        Raises:
            ConfigError, NotFoundError, RefusedError, ClusterError, StoreFullError: As `answer`,
                before anything else is told.
        """
        told: asyncio.Queue[Event] = asyncio.Queue(MOST_EVENTS)
        task = self._begun(self._whole(call, lambda *event: _put(told, task, event)))
        task.add_done_callback(lambda _: _put(told, task, ("end", {})))
        try:
            while (event := await told.get())[0] != "end":
                yield event
            yield "end", {"answered": None if task.cancelled() else task.result()}
        finally:
            task.cancel()

    async def close(self) -> None:
        """Wait until everything that was begun has ended."""
        if self._going:
            await asyncio.wait(self._going)

    def _begun(self, work: Any) -> "asyncio.Task[Answered]":
        # Serve cancels what a request called, by its context, once the client has hung up.
        task: asyncio.Task[Answered] = asyncio.get_running_loop().create_task(
            work, context=contextvars.Context()
        )
        self._going.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: "asyncio.Task[Answered]") -> None:
        self._going.discard(task)
        # Whoever asked may be gone; a refusal that nobody hears is no failure of ours.
        if not task.cancelled():
            task.exception()

    async def _whole(self, call: Call, hear: Hear | None) -> Answered:
        try:
            await self._traffic.has_begun()
            workflow = self._traffic.workflow(call.workflow)
            async with self._guard.seat(call, workflow.timeout_s):
                opened = await self._opened(call)
                if hear is not None:
                    hear("begun", opened.ids)
                with about(opened.trace_id, opened.route.workflow, opened.route.served):
                    return await self._ended(opened, hear)
        except TrimtabError as error:
            self._seen.refused(call.workflow, error)
            raise

    async def _opened(self, call: Call) -> Opened:
        opened = Opened(call, self._traffic, self._secret)
        row = exposure_row(opened.trace_id, opened.route, opened.at)
        row["segment"] = opened.segment
        await self._recorder.exposure(row)
        return opened

    async def _ended(self, opened: Opened, hear: Hear | None) -> Answered:
        try:
            outcome = await self._outcome(opened, hear)
        except asyncio.CancelledError:
            await self._recorded(opened, unanswered("error", "client_left", "nobody waited"))
            raise
        except Exception as error:
            log.exception("a request failed inside the gateway")
            outcome = unanswered("error", "internal", f"{type(error).__name__}: {error}")
        return await self._recorded(opened, outcome)

    async def _outcome(self, opened: Opened, hear: Hear | None) -> Json:
        """The slot's answer, or what it failed with: a failure is an outcome of its variant."""
        route, workflow = opened.route, self._traffic.workflow(opened.route.workflow)
        asked = {
            "id": opened.call.id or opened.id,
            "messages": opened.call.messages,
            "given": opened.call.given,
            "offer": opened.call.offer,
            "trace": opened.trace,
        }
        try:
            return await self._dispatcher.answer(
                route, asked, workflow.timeout_s, idempotent=workflow.idempotent, hear=hear
            )
        except DeadlineError as error:
            return unanswered("timeout", "timeout", str(error))
        except UpstreamError as error:
            return unanswered("error", "replica_died", str(error))
        except ConfigError as error:
            return unanswered("error", "ConfigError", str(error))

    async def _recorded(self, opened: Opened, outcome: Json) -> Answered:
        route, call = opened.route, opened.call
        if not route.forced:
            self._guard.saw(route.workflow, route.served, outcome)
        duration_s = time.perf_counter() - opened.started
        overhead_s = max(duration_s - outcome["work_s"], 0.0)
        kept = outcome | {"spans": self._seen.kept(outcome["spans"])}
        row = trace_row(opened.trace_id, route, opened.at, duration_s, overhead_s, kept)
        row["segment"] = opened.segment
        if self._traffic.workflow(route.workflow).record_text:
            row["question"] = self._seen.kept(words_of(call.question))
            row["answer"] = self._seen.kept(kept_text(outcome["text"]))
        await self._recorder.trace(row)
        self._seen.answered(row, outcome["spans"], call.context)
        return Answered(
            workflow=call.workflow,
            variant=route.served,
            trace_id=opened.trace_id,
            conversation=opened.conversation,
            segment=opened.segment,
            created=opened.at,
            overhead_s=overhead_s,
            outcome=outcome,
            left=await self._guard.charged(call, outcome),
        )


def _put(told: "asyncio.Queue[Event]", task: "asyncio.Task[Answered]", event: Event) -> None:
    try:
        told.put_nowait(event)
    except asyncio.QueueFull:
        task.cancel()
        while told.qsize() > MOST_EVENTS // 2:
            told.get_nowait()
