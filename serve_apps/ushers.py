"""Brings variants to their seats: scales a slot, lets its replicas build, knows where they are."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve._private.common import DeploymentID
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from ray.serve.exceptions import RayServeException

from serve_apps.names import GATEWAY
from serve_apps.seating import Key, Seat

SEAT_TIMEOUT_S = 60.0
SOON_S = 0.3
"""Between two tries while a deployment starts, whose processors have better to do."""
AGAIN_S = 2.0
ROLL_CALL_S = 1.0
NOT_YET = (RayError, RayServeException, TimeoutError, RuntimeError)

log = logging.getLogger("trimtab.control")


Saw = Callable[[Key, float], None]


class Ushers:
    """What is seated for sure, and the work of seating the rest.

    `told` hears of every change, and `saw` how much each variant has in flight.
    """

    def __init__(self, told: Callable[[], Awaitable[None]], saw: Saw) -> None:
        self.ready: dict[str, Seat] = {}
        """By slot."""
        self.inline: set[Key] = set()
        """Ready in every gateway."""
        self.addresses: dict[str, tuple[str, ...]] = {}
        """Where the replicas of each slot take requests."""
        self.failed: dict[str, str] = {}
        self._told = told
        self._saw = saw
        self._scaled: dict[str, int] = {}
        self._handles: dict[str, Any] = {}
        self._busy: dict[str | Key, asyncio.Task[None]] = {}

    def seat(self, slot: str, seat: Seat) -> None:
        """Begin to seat a variant, in place of whatever was being seated in this slot."""
        if slot in self.ready and self.ready[slot].key != seat.key:
            # Its addresses stay: the replicas do, and gateways need not open their lines again.
            del self.ready[slot]
        if slot in self._busy:
            self._busy[slot].cancel()
        self._busy[slot] = asyncio.get_running_loop().create_task(self._warm(slot, seat))

    def seat_inline(self, seat: Seat) -> None:
        """Begin to seat a variant in the gateways, unless it is."""
        if seat.key not in self.inline and seat.key not in self._busy:
            task = asyncio.get_running_loop().create_task(self._warm_inline(seat))
            self._busy[seat.key] = task

    async def call_roll(self) -> None:
        """Find out where replicas are that Serve started anew, or took away, and what they do."""
        async with asyncio.TaskGroup() as group:
            for slot, seat in self.ready.items():
                group.create_task(self._called(slot, seat))
        await self._told()

    async def _called(self, slot: str, seat: Seat) -> None:
        """One that has not built its variant yet begins to; nobody is sent to it before that."""
        with contextlib.suppress(*NOT_YET):
            found = await self._asked(
                slot, "report", seat.workflow, seat.variant, within_s=ROLL_CALL_S
            )
            if self.ready.get(slot) != seat:
                return
            self._saw(seat.key, sum(in_flight for _, in_flight, _ in found))
            if warm := tuple(sorted(address for address, _, is_warm in found if is_warm)):
                self.addresses[slot] = warm

    async def _warm(self, slot: str, seat: Seat) -> None:
        """Scale a slot, wait until every replica has built its variant, then tell.

        Fewer than it should have are told of, too: they answer meanwhile, and whether they are
        enough for a split is not decided here.
        """
        # Never given up: a slot may only be starting, and nobody would begin to seat again.
        slowly = time.monotonic() + SEAT_TIMEOUT_S
        while True:
            with self._noted(slot, seat):
                if self._scaled.get(slot) != seat.replicas:
                    await self._scale(slot, seat.replicas)
                    self._scaled[slot] = seat.replicas
                found = await self._asked(slot, "warm", seat.workflow, seat.variant)
                if found:
                    self.ready[slot] = replace(seat, replicas=min(len(found), seat.replicas))
                    self.addresses[slot] = tuple(sorted(found))
                    self.failed.pop(_named(seat), None)
                    await self._told()
                if len(found) >= seat.replicas:
                    return
            # Whoever brought the slot up again has begun with one replica.
            self._scaled.pop(slot, None)
            await asyncio.sleep(SOON_S if time.monotonic() < slowly else AGAIN_S)

    async def _warm_inline(self, seat: Seat) -> None:
        slowly = time.monotonic() + SEAT_TIMEOUT_S
        while seat.key not in self.inline:
            with self._noted(GATEWAY, seat):
                if await self._asked(GATEWAY, "warm", seat.workflow, seat.variant):
                    self.inline.add(seat.key)
                    self.failed.pop(_named(seat), None)
                    await self._told()
                    break
            await asyncio.sleep(SOON_S if time.monotonic() < slowly else AGAIN_S)
        del self._busy[seat.key]

    async def _asked(
        self, app: str, method: str, *said: str, within_s: float = SEAT_TIMEOUT_S
    ) -> set[Any]:
        """What each replica of an application answers, each answer once."""
        if app not in self._handles:
            self._handles[app] = serve.get_app_handle(app)
        answers = self._handles[app].broadcast(method, *said)
        return set(await answers.results_async(timeout_s=within_s))

    async def _scale(self, slot: str, replicas: int) -> None:
        controller = await asyncio.to_thread(ray.get_actor, SERVE_CONTROLLER_NAME, SERVE_NAMESPACE)
        deployment = DeploymentID(name="Slot", app_name=slot)
        await controller.update_deployment_replicas.remote(deployment, replicas)

    @contextlib.contextmanager
    def _noted(self, where: str, seat: Seat) -> Iterator[None]:
        try:
            yield
        except NOT_YET as error:
            self.failed[_named(seat)] = f"{where}: {error}"
            log.warning("%s can't seat %s yet: %s", where, seat.variant, error)


def _named(seat: Seat) -> str:
    return f"{seat.workflow}/{seat.variant}"
