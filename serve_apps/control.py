"""The actor that makes traffic as the ledger says, and tells the gateways when it is so."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray

from engine.books.compactor import Compactor
from engine.books.ledger import Ledger
from engine.books.merging import merge
from engine.config.observability import Observability
from engine.config.workflow import Workflow
from engine.evidence.records import Kind
from engine.experiment.fold import fold
from engine.experiment.state import State, WorkflowState
from serve_apps.demand import Demand, raised
from serve_apps.history import History
from serve_apps.leases import Leases
from serve_apps.names import CONTROL, INLINE, NAMESPACE
from serve_apps.protection.standin import LOOK_S, stand_in_here
from serve_apps.seating import Key, Seat, Seating, draining, unfit, wanted
from serve_apps.snapshot import Snapshot, WorkflowSnapshot
from serve_apps.telemetry import table
from serve_apps.telemetry.decisions import DecisionMeters
from serve_apps.telemetry.outside import Outside
from serve_apps.ushers import ROLL_CALL_S, Ushers

log = logging.getLogger("trimtab.control")

TICK_S = 0.05
COMPACT_S = 1.0
TIDY_S = 60.0
SETTLE_S = 10.0
"""So long a control actor that just began waits for every workflow and its newest split: gateways
still have what its predecessor published, and must not go back behind it."""
KINDS: tuple[Kind, ...] = ("exposure", "trace", "feedback")


class Control:
    """Reconciles the slots with the fold of the ledger and publishes snapshots.

    It holds nothing that its successor could not find again: decisions are in the ledger, seats
    are taken again, leases begin anew and lapse unless somebody renews them.
    """

    def __init__(
        self,
        root: str,
        slots: list[str],
        observability: Observability | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = Path(root)
        self._observability = observability or Observability()
        self._outside: Outside | None = None
        self._decided: DecisionMeters | None = None
        self._clock = clock
        self._began_at = clock()
        self._ledger = Ledger(str(self._root / "ledger.db"))
        self._compactor: Compactor | None = None
        self._seating = Seating(tuple(slots))
        self._tidied_at = self._clock()
        self._state = State()
        self._leases = Leases()
        self._history = History()
        self._configs: dict[str, tuple[dict[str, Any], Workflow]] = {}
        self._demand = Demand()
        self._ushers = Ushers(self._publish, self._saw)
        self._published = Snapshot(revision=time.time_ns(), workflows={})
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin reconciling; a second call changes nothing."""
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._outside = Outside(self._root, "control", self._observability)
            self._decided = DecisionMeters(self._outside.meters, self._clock())
            self._tasks = [
                loop.create_task(self._outside.keep_telling()),
                loop.create_task(self._forever(self._reconcile, TICK_S)),
                loop.create_task(self._forever(self._compact, COMPACT_S)),
                loop.create_task(self._forever(self._ushers.call_roll, ROLL_CALL_S)),
            ]
            if stand_in := stand_in_here():
                self._tasks.append(loop.create_task(self._forever(stand_in.look, LOOK_S)))

    async def watch(self, revision: int, timeout_s: float) -> Snapshot | None:
        """The snapshot as soon as it differs from `revision`, or None when nothing changed."""
        await self.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait_for(
                    lambda: self._published.workflows and self._published.revision != revision
                )
                return self._published
        return None

    async def renew(self, window: str) -> float:
        """Extend a window's lease by its own length; answers with the time it lapses."""
        await self.start()
        for workflow in self._state.workflows.values():
            if window in workflow.windows and workflow.windows[window].is_open:
                lapses_at = self._leases.renew(workflow.windows[window], self._clock())
                await self._publish()
                return lapses_at
        return 0.0

    async def status(self) -> dict[str, Any]:
        """Who sits where, what is being seated and what could not be."""
        await self.start()
        return {
            "pid": os.getpid(),
            "seq": self._state.seq,
            "revision": self._published.revision,
            "versions": {name: w.version for name, w in self._published.workflows.items()},
            "seats": {slot: vars(seat) for slot, seat in self._seating.seats.items()},
            "ready": sorted(self._ushers.ready),
            "failed": dict(self._ushers.failed),
            "leases": dict(self._leases.lapses_at),
        }

    async def _forever(self, work: Any, period_s: float) -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("%s failed; it is tried again", work.__name__)
                await asyncio.sleep(1.0)
            await asyncio.sleep(period_s)

    async def _compact(self) -> None:
        # Opened here, not at the start: a predecessor's lock may outlive it by a moment.
        if self._compactor is None:
            self._compactor = await asyncio.to_thread(Compactor, self._root)
        now = self._clock()
        await asyncio.to_thread(self._compactor.step, now)
        if self._outside is not None and self._decided is not None:
            backlog = await asyncio.to_thread(self._compactor.backlog)
            self._outside.meters.gauge(table.SPOOL_BACKLOG, float(backlog))
            self._decided.unseated(self._ushers.failed)
        if now - self._tidied_at > TIDY_S:
            self._tidied_at = now
            await asyncio.to_thread(self._tidy, self._compactor, now)

    def _tidy(self, compactor: Compactor, now: float) -> None:
        """Merge many small files into few and delete what nobody reads any more."""
        for kind in KINDS:
            merge(compactor, kind, now)
        compactor.sweep(now)

    async def _reconcile(self) -> None:
        news = await asyncio.to_thread(self._ledger.read, self._state.seq)
        if news:
            self._state = fold(news, self._state)
            self._leases.grant(self._state, self._clock())
            if self._decided is not None:
                self._decided.saw(news, self._state)
        self._seat()
        await self._publish()

    def _seat(self) -> None:
        """Start seating what the newest split wants and what the published one still needs."""
        wants: dict[Key, Seat] = {}
        kept: set[Key] = set()
        for workflow in self._state.workflows.values():
            if self._configured(workflow).deploy.placement == "inline":
                for seat in wanted(workflow.name, workflow.split, 1).values():
                    self._ushers.seat_inline(seat)
                continue
            wants |= self._wanted(workflow)
            kept |= draining(workflow, self._clock())
        for slot, seat in self._seating.place(wants, kept).items():
            self._ushers.seat(slot, seat)

    def _configured(self, workflow: WorkflowState) -> Workflow:
        """What is installed, as settings; every tick asks for them several times."""
        known = self._configs.get(workflow.name)
        if known is None or known[0] is not workflow.config:
            known = workflow.config, Workflow.model_validate(workflow.config)
            self._configs[workflow.name] = known
        return known[1]

    def _saw(self, key: Key, in_flight: float) -> None:
        self._demand.saw(key, in_flight, self._clock())

    def _wanted(self, workflow: WorkflowState) -> dict[Key, Seat]:
        """Seats grow before a split is published and shrink after it, and follow their load."""
        deploy = self._configured(workflow).deploy
        full, calm_since = deploy.slot_replicas, self._clock() - deploy.calm_s
        wants = wanted(workflow.name, workflow.split, full)
        published = self._published.workflows.get(workflow.name)
        if published is not None and published.version != workflow.split.version:
            for key, seat in wanted(workflow.name, published.split, full).items():
                if key not in wants or wants[key].replicas < seat.replicas:
                    wants[key] = seat
        return {
            key: raised(seat, self._demand.most(key, calm_since), deploy)
            for key, seat in wants.items()
        }

    async def _publish(self) -> None:
        workflows = {
            name: snapshot
            for name, workflow in self._state.workflows.items()
            if (snapshot := self._snapshot(workflow)) is not None
        }
        if len(workflows) < len(self._state.workflows) and self._settles:
            return
        told = {"workflows": workflows, "addresses": dict(self._ushers.addresses)}
        newest = self._published.model_copy(update=told)
        if newest == self._published:
            return
        async with self._news:
            self._published = newest.model_copy(update={"revision": time.time_ns()})
            self._news.notify_all()

    @property
    def _settles(self) -> bool:
        return not self._published.workflows and self._clock() - self._began_at < SETTLE_S

    def _snapshot(self, workflow: WorkflowState) -> WorkflowSnapshot | None:
        """The newest split whose variants are all seated; an older one stays until then."""
        routes = self._routes(workflow)
        config = self._configured(workflow)
        seated = (
            version
            for version in sorted(workflow.splits, reverse=True)
            if workflow.splits[version].variants <= routes.keys()
            and (version != workflow.split.version or self._is_ready(workflow))
        )
        former = self._published.workflows.get(workflow.name)
        if former is None and self._settles:
            seated = (version for version in seated if version == workflow.split.version)
        version = next(seated, former.version if former else None)
        if version is None:
            return None
        splits = self._history.needed(workflow, version, config.conversation_ttl_s, self._clock())
        return WorkflowSnapshot(
            splits=splits,
            version=version,
            routes=routes,
            leases=self._leases.of({one.window for s in splits.values() for one in s.lanes}),
            conversation_ttl_s=config.conversation_ttl_s,
            timeout_s=config.timeout_s,
            idempotent=config.idempotent,
            protection=config.protection,
            gateways=config.deploy.gateways,
            record_text=config.record_text,
        )

    def _routes(self, workflow: WorkflowState) -> dict[str, str]:
        """Where each variant answers that is seated, and fit to."""
        if self._configured(workflow).deploy.placement == "inline":
            inline = self._ushers.inline
            routes = {variant: INLINE for name, variant in inline if name == workflow.name}
        else:
            routes = {
                seat.variant: slot
                for slot, seat in self._ushers.ready.items()
                if seat.workflow == workflow.name and self._seating.seats.get(slot) is not None
            }
        return {one: where for one, where in routes.items() if one not in unfit(workflow)}

    def _is_ready(self, workflow: WorkflowState) -> bool:
        """Whether every seat of the newest split has the replicas that its share asks for."""
        if self._configured(workflow).deploy.placement == "inline":
            return True
        ready = {seat.key: seat.replicas for seat in self._ushers.ready.values()}
        full = self._configured(workflow).deploy.slot_replicas
        wants = wanted(workflow.name, workflow.split, full)
        return all(ready.get(key, 0) >= seat.replicas for key, seat in wants.items())


def start_control(root: Path, slots: list[str], observability: Observability) -> Any:
    """The control actor of this cluster, started if there is none; it outlives its starter."""
    actor = ray.remote(Control).options(
        name=CONTROL,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
        max_concurrency=1_000,
        scheduling_strategy="DEFAULT",
    )
    return actor.remote(str(root), slots, observability)
