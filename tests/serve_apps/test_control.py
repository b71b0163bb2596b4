"""Laws of publication, told by a control actor whose slots are ready at once."""

import asyncio

import pytest

from engine.config.workflow import Workflow
from engine.experiment.entries import ExperimentStarted, Installed, Reallocated, WindowOpened
from engine.experiment.variant import variant_of
from search.books import Decisions
from serve_apps.control import Control
from serve_apps.ushers import Ushers

NOW = 1_700_000_000.0
SLOTS = ["slot-0", "slot-1", "slot-2"]


class Quick(Ushers):
    """Seats without a cluster, unless it is slow; then whom it knows already."""

    is_slow = False
    known = ()

    async def _warm(self, slot, seat):
        if not self.is_slow or seat.variant in self.known:
            self.ready[slot] = seat
            await self._told()

    async def _warm_inline(self, seat):
        self.inline.add(seat.key)
        await self._told()


class Told:
    """A ledger, and the control actor that follows it by a clock of its own."""

    def __init__(self, root):
        self.now = NOW
        self.decisions = Decisions(root)
        self.control = Control(str(root), SLOTS, clock=lambda: self.now)
        self.control._ushers = Quick(self.control._publish, self.control._saw)

    def append(self, *decisions):
        for decision in decisions:
            self.decisions.append(lambda _, one=decision: one, actor="test", clock=lambda: self.now)

    async def published(self):
        for _ in range(2):
            await self.control._reconcile()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return self.control._published.workflows


@pytest.fixture
def told(tmp_path):
    made = Told(tmp_path)
    yield made
    made.decisions.close()


def installed(name, **said):
    workflow = Workflow.model_validate({"workflow": name, "conversation_ttl_s": 100.0} | said)
    return Installed(
        workflow=name,
        baseline=variant_of(workflow),
        workflow_config=workflow.model_dump(mode="json"),
    )


def opened(name="docs"):
    workflow = Workflow(workflow=name)
    return WindowOpened(
        window="w1",
        trial="t1",
        experiment="exp",
        workflow=name,
        candidate=variant_of(workflow, {"rag.top_k": 9}),
        baseline=variant_of(workflow).hash,
        share=100_000,
        lane=100_000,
        alpha=0.01,
        f0=0.5,
        lease_s=10.0,
    )


STARTED = ExperimentStarted(experiment="exp", workflow="docs", config={}, seed=0)


async def test_two_workflows_with_equal_settings_have_a_slot_each(told):
    told.append(installed("docs"), installed("mail"))

    published = await told.published()

    slots = [route for one in published.values() for route in one.routes.values()]
    assert sorted(slots) == ["slot-0", "slot-1"]
    assert published["docs"].routes.keys() == published["mail"].routes.keys()


async def test_a_lease_lapses_by_the_clock_unless_it_is_renewed(told):
    told.append(installed("docs"), STARTED, opened())
    first = (await told.published())["docs"].leases

    told.now += 9.0
    told.control._tasks = [asyncio.create_task(asyncio.sleep(0))]
    renewed = await told.control.renew("w1")

    assert first == {"w1": NOW + 10.0}
    assert renewed == NOW + 19.0
    assert (await told.published())["docs"].leases == {"w1": NOW + 19.0}


async def test_new_shares_are_published_and_old_splits_leave_with_their_conversations(told):
    told.append(installed("docs"), STARTED, opened())
    await told.published()
    shares = Reallocated(
        experiment="exp", workflow="docs", shares={"w1": 60_000}, cap=200_000, reason="of luck"
    )
    told.append(shares)

    fresh = (await told.published())["docs"]
    told.now += 161.0
    later = (await told.published())["docs"]

    assert (fresh.version, fresh.split.share_of("w1")) == (4, 60_000)
    assert set(fresh.splits) == {1, 3, 4}
    assert set(later.splits) == {4}
    assert set(told.control._state.workflow("docs").splits) == {1, 3, 4}


BUSY = {"slot_replicas": 1, "most_replicas": 3, "target_in_flight": 10, "calm_s": 60.0}


def replicas_of(told):
    return [seat.replicas for seat in told.control._seating.seats.values()]


async def test_a_slot_grows_at_once_with_its_load_and_shrinks_when_it_was_calm(told):
    told.append(installed("docs", deploy=BUSY))
    published = await told.published()
    ((variant, _),) = published["docs"].routes.items()

    told.control._saw(("docs", variant), 25.0)
    busy = await told.published()
    grown = replicas_of(told)
    told.now += 59.0
    told.control._saw(("docs", variant), 11.0)
    await told.published()
    still = replicas_of(told)
    told.now += 2.0
    await told.published()

    assert busy["docs"].routes == published["docs"].routes
    assert (grown, still, replicas_of(told)) == ([3], [3], [2])


async def test_a_new_split_waits_for_no_replica_that_only_a_load_asks_for(told):
    told.append(installed("docs", deploy=BUSY), STARTED, opened())
    published = await told.published()
    told.control._ushers.is_slow = True
    told.control._saw(("docs", published["docs"].split.baseline), 25.0)
    shares = {"w1": 60_000}
    told.append(
        Reallocated(experiment="exp", workflow="docs", shares=shares, cap=200_000, reason="of luck")
    )

    fresh = await told.published()

    assert max(replicas_of(told)) == 3
    assert fresh["docs"].split.share_of("w1") == 60_000


async def test_a_control_actor_that_just_began_does_not_go_back_behind_its_predecessor(told):
    told.append(installed("docs"), STARTED, opened())
    baseline = told.decisions.state().workflow("docs").baseline
    told.control._ushers.is_slow = True
    told.control._ushers.known = (baseline,)

    at_once = await told.published()
    told.now += 11.0
    later = await told.published()

    assert at_once == {}
    assert later["docs"].version == 1


async def test_a_control_actor_that_just_began_leaves_out_no_workflow(told):
    told.append(installed("docs"), installed("mail", llm={"temperature": 0.9}))
    told.control._ushers.is_slow = True
    told.control._ushers.known = (told.decisions.state().workflow("mail").baseline,)

    at_once = await told.published()
    told.now += 11.0
    later = await told.published()

    assert at_once == {}
    assert later.keys() == {"mail"}
