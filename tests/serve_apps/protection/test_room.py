import asyncio
import selectors

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.protection import Crowding
from engine.errors import DeadlineError
from serve_apps.protection.refusal import RefusedError
from serve_apps.protection.room import Room


class Leap(selectors.DefaultSelector):
    """Waits no time: whoever sleeps is woken at once, at the hour that was asked for."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        if timeout is not None and timeout > 0.0:
            self.now += timeout
        return super().select(0.0)


class LeapingLoop(asyncio.SelectorEventLoop):
    """The real event loop, with a clock that only sleeping moves."""

    def __init__(self):
        self.leap = Leap()
        super().__init__(self.leap)

    def time(self):
        return self.leap.now


def leaping(coroutine_function, *args):
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(coroutine_function(*args))


async def sit(room, key="a", for_s=1.0, within_s=60.0):
    async with room.seat(key, within_s):
        await asyncio.sleep(for_s)


async def fill(room, times, key="a", for_s=1.0):
    tasks = [asyncio.create_task(sit(room, key, for_s)) for _ in range(times)]
    await asyncio.sleep(0)
    return tasks


def room_of(seats, queue=0, **settings):
    loop = asyncio.get_running_loop()
    return Room(Crowding(most_in_flight=seats, queue=queue, **settings), clock=loop.time)


def test_with_every_seat_taken_and_no_queue_the_next_is_refused():
    async def story():
        room = room_of(2)
        tasks = await fill(room, 2)

        with pytest.raises(RefusedError) as refused:
            await sit(room)

        assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "1"})
        await asyncio.wait(tasks)
        await sit(room)
        assert room.taken == 0

    leaping(story)


def test_who_waits_gets_the_seat_that_becomes_free():
    async def story():
        room = room_of(1, queue=1, queue_s=5.0)
        await fill(room, 1)

        await sit(room)

        assert asyncio.get_running_loop().time() == pytest.approx(2.0)
        assert (room.taken, room.queued) == (0, 0)

    leaping(story)


def test_nobody_waits_longer_than_the_queue_allows():
    async def story():
        room = room_of(1, queue=1, queue_s=0.5)
        await fill(room, 1)

        with pytest.raises(RefusedError):
            await sit(room)

        assert asyncio.get_running_loop().time() == pytest.approx(0.5)
        assert (room.taken, room.queued) == (1, 0)

    leaping(story)


def test_a_request_whose_time_is_over_is_not_begun():
    async def story():
        room = room_of(1)

        with pytest.raises(DeadlineError, match="nothing was begun"):
            await sit(room, within_s=0.0)

        assert room.taken == 0

    leaping(story)


def test_keys_take_turns():
    async def story():
        room = room_of(1, queue=100, queue_s=100.0)
        await fill(room, 50, key="rush")

        await sit(room, key="calm")

        assert asyncio.get_running_loop().time() <= 4.0

    leaping(story)


def test_in_a_full_queue_the_rush_loses_its_newest():
    async def story():
        room = room_of(1, queue=10, queue_s=100.0)
        rush = await fill(room, 11, key="rush")

        calm = asyncio.create_task(sit(room, key="calm"))
        await asyncio.wait([*rush, calm])

        lost = [number for number, task in enumerate(rush) if task.exception()]
        assert lost == [10]
        assert isinstance(rush[10].exception(), RefusedError)
        assert calm.exception() is None

    leaping(story)


def test_the_rush_itself_displaces_nobody():
    async def story():
        room = room_of(1, queue=10, queue_s=100.0)
        await fill(room, 11, key="rush")

        with pytest.raises(RefusedError):
            await sit(room, key="rush")

        assert room.queued == 10

    leaping(story)


def test_a_client_that_hangs_up_frees_its_place():
    async def story():
        room = room_of(1, queue=1, queue_s=100.0)
        seated, waiting = await fill(room, 2)

        waiting.cancel()
        await asyncio.wait([waiting])
        third = asyncio.create_task(sit(room))
        seated.cancel()
        await asyncio.wait([third, seated])

        assert third.exception() is None
        assert (room.taken, room.queued) == (0, 0)

    leaping(story)


def test_a_seat_is_not_lost_on_one_who_hangs_up_as_it_becomes_free():
    async def story():
        room = room_of(1, queue=2, queue_s=100.0)
        seated, leaving, staying = await fill(room, 3)

        await asyncio.wait([seated], timeout=0.999)
        asyncio.get_running_loop().call_at(1.0, leaving.cancel)
        await asyncio.wait([seated, leaving, staying])

        assert staying.exception() is None
        assert (room.taken, room.queued) == (0, 0)

    leaping(story)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.floats(0.0, 3.0),
            st.floats(0.1, 3.0),
            st.booleans(),
        ),
        max_size=40,
    ),
    st.integers(1, 3),
    st.integers(0, 4),
)
def test_every_seat_and_place_is_given_back(visits, seats, queue):
    async def story():
        room = room_of(seats, queue=queue, queue_s=1.0)
        tasks = []
        for key, later_s, for_s, hangs_up in visits:
            await asyncio.sleep(later_s / 10)
            tasks.append(asyncio.create_task(sit(room, key, for_s)))
            assert room.taken <= seats
            assert room.queued <= queue
            if hangs_up:
                asyncio.get_running_loop().call_later(for_s / 2, tasks[-1].cancel)
        if tasks:
            await asyncio.wait(tasks)
        assert (room.taken, room.queued, room._waiting) == (0, 0, {})

    leaping(story)


class Shop:
    """Serves one after the other, a set number in a second, and does all work that was begun."""

    def __init__(self, per_s):
        self.per_s = per_s
        self.free_at = 0.0

    async def serve(self):
        now = asyncio.get_running_loop().time()
        self.free_at = max(self.free_at, now) + 1.0 / self.per_s
        await asyncio.sleep(self.free_at - now)


async def rushed(room, offered_per_s, lasting_s, shop, keys=("a", "b", "c")):
    """Offer requests at set times, whatever becomes of them; answers in time by second."""
    loop = asyncio.get_running_loop()
    began, good = loop.time(), []

    async def visit(key):
        try:
            async with asyncio.timeout(1.0), room.seat(key, 1.0):
                await shop.serve()
        except (TimeoutError, RefusedError):
            return
        good.append(loop.time() - began)

    async with asyncio.TaskGroup() as visits:
        for number in range(int(offered_per_s * lasting_s)):
            await asyncio.sleep(max(began + number / offered_per_s - loop.time(), 0.0))
            visits.create_task(visit(keys[number % len(keys)]))
    return good


@pytest.mark.parametrize(("seats", "queue"), [(100, 0), (1_000, 1_000), (5_000, 50)])
def test_at_twice_what_can_be_done_four_fifths_of_it_are_done_in_time(seats, queue):
    async def story():
        room = room_of(seats, queue=queue)

        good = await rushed(room, 400, 20.0, Shop(200))

        assert len([at for at in good if at >= 5.0]) >= 0.8 * 200 * 15.0

    leaping(story)


def test_a_limit_that_never_learns_does_nearly_all_work_too_late():
    async def story():
        room = room_of(1_000, queue=50, least_in_flight=1_000)

        good = await rushed(room, 400, 20.0, Shop(200))

        assert len([at for at in good if at >= 5.0]) < 0.2 * 200 * 15.0

    leaping(story)


def test_after_the_rush_everybody_is_served_again():
    async def story():
        room, shop = room_of(1_000, queue=50), Shop(200)
        await rushed(room, 800, 15.0, shop)

        good = await rushed(room, 150, 20.0, shop)

        assert len([at for at in good if at >= 10.0]) == 150 * 10

    leaping(story)
