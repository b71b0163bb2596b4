"""Laws of ushers, told by slots whose replicas a test builds and takes away."""

import asyncio

import pytest

from serve_apps.seating import Seat
from serve_apps.ushers import Ushers

OLD = Seat("docs", "old", 1)
NEW = Seat("docs", "new", 1)
PAIR = Seat("docs", "old", 2)


class Replica:
    def __init__(self, address, *holds, in_flight=0.0):
        self.address = address
        self.holds = set(holds)
        self.in_flight = in_flight


class Slots(Ushers):
    """Knows its replicas itself, and counts what it asks of Serve."""

    def __init__(self):
        self.seen = []
        self.replicas = {"slot-0": [Replica("a:1/x")]}
        self.scaled = []
        self.most = 8
        super().__init__(self._nothing, lambda key, load: self.seen.append((key, load)))

    async def _nothing(self):
        pass

    async def _scale(self, slot, replicas):
        self.scaled.append((slot, replicas))
        there = self.replicas[slot]
        there += [
            Replica(f"{slot}:{number}/x") for number in range(len(there), min(replicas, self.most))
        ]
        del there[replicas:]

    async def _asked(self, app, method, *said, within_s=0.0):
        await asyncio.sleep(0)
        found = set()
        for one in self.replicas[app]:
            if method == "warm":
                one.holds.add(said[1])
                found.add(one.address)
            else:
                found.add((one.address, one.in_flight, said[1] in one.holds))
        return found


@pytest.fixture
def slots():
    return Slots()


async def seated(slots, seat):
    slots.seat("slot-0", seat)
    await slots._busy["slot-0"]


async def test_a_slot_is_ready_when_every_replica_has_built_its_variant(slots):
    await seated(slots, PAIR)

    assert slots.ready == {"slot-0": PAIR}
    assert slots.addresses == {"slot-0": ("a:1/x", "slot-0:1/x")}
    assert all("old" in one.holds for one in slots.replicas["slot-0"])


async def test_the_replicas_that_there_are_answer_while_the_others_are_waited_for(slots):
    slots.most = 1

    slots.seat("slot-0", PAIR)
    while not slots.ready:  # noqa: ASYNC110 - the slots' own turns are waited for
        await asyncio.sleep(0)

    assert slots.ready == {"slot-0": OLD}
    assert slots.addresses == {"slot-0": ("a:1/x",)}
    slots.most = 2
    await slots._busy["slot-0"]
    assert slots.ready == {"slot-0": PAIR}


async def test_a_variant_of_as_many_replicas_is_seated_without_asking_serve(slots):
    await seated(slots, OLD)

    await seated(slots, NEW)

    assert slots.ready == {"slot-0": NEW}
    assert slots.scaled == [("slot-0", 1)]


async def test_a_slot_that_shrinks_is_ready_with_what_it_keeps(slots):
    await seated(slots, PAIR)

    await seated(slots, OLD)

    assert slots.ready == {"slot-0": OLD}


async def test_a_slot_keeps_its_addresses_while_another_variant_is_seated(slots):
    await seated(slots, OLD)

    slots.seat("slot-0", NEW)

    assert slots.ready == {}
    assert slots.addresses == {"slot-0": ("a:1/x",)}
    await slots._busy["slot-0"]


async def test_a_slot_that_has_fewer_replicas_than_it_was_given_is_scaled_again(slots):
    await seated(slots, PAIR)
    del slots.replicas["slot-0"][1:]

    await seated(slots, Seat("docs", "new", 2))

    assert slots.scaled == [("slot-0", 2), ("slot-0", 2)]
    assert slots.ready["slot-0"].variant == "new"


async def test_nobody_is_sent_to_a_replica_that_has_not_built_its_variant(slots):
    await seated(slots, OLD)
    fresh = Replica("b:2/y")
    slots.replicas["slot-0"].append(fresh)

    await slots.call_roll()
    before = slots.addresses["slot-0"]
    fresh.holds.add("old")
    await slots.call_roll()

    assert before == ("a:1/x",)
    assert slots.addresses["slot-0"] == ("a:1/x", "b:2/y")


async def test_a_variants_load_is_that_of_all_its_replicas(slots):
    await seated(slots, PAIR)
    for one in slots.replicas["slot-0"]:
        one.in_flight = 1.5

    await slots.call_roll()

    assert slots.seen == [(("docs", "old"), 3.0)]


async def test_a_report_that_comes_after_the_slot_was_given_away_is_nobodys(slots):
    await seated(slots, OLD)
    calling = asyncio.create_task(slots.call_roll())
    await asyncio.sleep(0)

    slots.seat("slot-0", NEW)
    await calling

    assert slots.seen == []
    await slots._busy["slot-0"]
