import asyncio
import threading

import pytest

from engine.books.group import GroupCommit
from engine.errors import BookError, StoreFullError


class Gate:
    """A disk that writes when it is told to."""

    def __init__(self):
        self.groups = []
        self.began = threading.Semaphore(0)
        self.may = threading.Semaphore(0)

    def write(self, items):
        self.groups.append(list(items))
        self.began.release()
        self.may.acquire()
        return [item * 10 for item in items]


def opened(gate, **options):
    group = GroupCommit(gate.write, **options)
    first = group.submit(0)
    gate.began.acquire()
    return group, first


def test_whoever_arrives_during_a_commit_shares_the_next():
    gate = Gate()
    group, first = opened(gate)

    others = [group.submit(number) for number in range(1, 101)]
    gate.may.release(2)
    group.close()

    assert [len(items) for items in gate.groups] == [1, 100]
    assert [future.result() for future in (first, *others)] == [10 * n for n in range(101)]


def test_nobody_hears_before_the_commit():
    gate = Gate()
    group, first = opened(gate)

    assert not first.done()

    gate.may.release()
    assert first.result(5) == 0
    group.close()


def test_a_group_has_a_limit():
    gate = Gate()
    group, _ = opened(gate, most=4)

    group.submit_many(range(10))
    gate.may.release(4)
    group.close()

    assert [len(items) for items in gate.groups] == [1, 4, 4, 2]


def test_what_does_not_fit_the_queue_is_refused_whole():
    gate = Gate()
    group, _ = opened(gate, capacity=3)

    kept = group.submit_many([1, 2])
    with pytest.raises(StoreFullError):
        group.submit_many([3, 4])
    gate.may.release(2)
    group.close()

    assert [future.result() for future in kept] == [10, 20]
    assert gate.groups == [[0], [1, 2]]


def test_an_error_reaches_all_who_waited_and_nobody_else():
    disk = iter([StoreFullError("full"), None])

    def write(items):
        error = next(disk)
        if error is not None:
            raise error
        return items

    group = GroupCommit(write)

    with pytest.raises(StoreFullError):
        group.submit("a").result(5)
    assert group.submit("b").result(5) == "b"
    group.close()


def test_closing_writes_what_waits_and_takes_no_more():
    gate = Gate()
    group, _ = opened(gate)
    waiting = group.submit(1)

    gate.may.release(2)
    group.close()

    assert waiting.result(0) == 10
    with pytest.raises(BookError, match="closed"):
        group.submit(2)


async def test_a_request_that_gives_up_disturbs_nobody():
    gate = Gate()
    group, _ = opened(gate)
    given_up = group.hand(1)
    waiting = group.hand(2)
    await asyncio.sleep(0)

    given_up.cancel()
    gate.may.release(2)

    assert await waiting == 20
    assert gate.groups[1] == [1, 2]
    group.close()


class Woken(asyncio.SelectorEventLoop):
    """A loop that counts how often other threads wake it."""

    wakes = 0

    def call_soon_threadsafe(self, *args, **options):
        self.wakes += 1
        return super().call_soon_threadsafe(*args, **options)


def test_a_whole_group_wakes_its_loop_once():
    gate = Gate()
    group, _ = opened(gate)

    async def wait_for_all():
        waiting = [group.hand(number) for number in range(1, 101)]
        gate.may.release(2)
        return [await promise for promise in waiting]

    with asyncio.Runner(loop_factory=Woken) as runner:
        outcomes = runner.run(wait_for_all())
        assert runner.get_loop().wakes == 1

    assert outcomes == [10 * number for number in range(1, 101)]
    group.close()


async def test_all_of_several_are_taken_or_none_from_a_loop_too():
    gate = Gate()
    group, _ = opened(gate, capacity=3)

    kept = group.hand_many([1, 2])
    with pytest.raises(StoreFullError):
        group.hand_many([3, 4])
    gate.may.release(2)

    assert [await promise for promise in kept] == [10, 20]
    group.close()


async def test_an_error_reaches_every_waiter_of_a_loop():
    def write(items):
        raise StoreFullError("full")

    group = GroupCommit(write)

    for promise in group.hand_many([1, 2]):
        with pytest.raises(StoreFullError):
            await promise
    group.close()


def test_a_loop_that_is_gone_stops_nobody_else():
    gate = Gate()
    group, _ = opened(gate)

    async def leave():
        group.hand(1)

    asyncio.run(leave())
    waiting = group.submit(2)
    gate.may.release(3)

    assert waiting.result(5) == 20
    group.close()
