import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.model import Breaker as Settings
from engine.workflow.failure import CircuitError, LlmError
from engine.workflow.model.breaker import Breakers

SETTINGS = Settings(failures=3, window_s=10.0, open_s=20.0)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def down(failure):
    return isinstance(failure, ConnectionError)


def call(breaker, failure=None):
    with breaker.guard(down):
        if failure:
            raise failure


def made(clock=None):
    return Breakers(SETTINGS, clock or Clock()).of("model", "m")


def failing(breaker, times):
    for _ in range(times):
        with pytest.raises(ConnectionError):
            call(breaker, ConnectionError())


def opened(clock):
    breaker = made(clock)
    failing(breaker, 3)
    return breaker


def half_open(clock):
    breaker = opened(clock)
    clock.now += 20.0
    return breaker


def test_enough_failures_within_the_window_open_it():
    breaker = made()

    failing(breaker, 2)
    assert breaker.state == "closed"
    failing(breaker, 1)

    assert breaker.state == "open"


def test_an_open_breaker_refuses_without_a_call():
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5.0

    with pytest.raises(CircuitError, match="model:m") as caught:
        call(breaker)

    assert (caught.value.code, caught.value.retry_after_s) == ("circuit_open", 15.0)


def test_failures_older_than_the_window_are_forgotten():
    clock = Clock()
    breaker = made(clock)

    for _ in range(10):
        failing(breaker, 1)
        clock.now += 5.1

    assert breaker.state == "closed"


def test_a_success_between_does_not_hide_the_failures():
    breaker = made()

    failing(breaker, 2)
    call(breaker)
    failing(breaker, 1)

    assert breaker.state == "open"


def test_a_probe_that_succeeds_closes_it_with_a_clean_window():
    breaker = half_open(Clock())
    assert breaker.state == "half_open"

    call(breaker)
    failing(breaker, 2)

    assert breaker.state == "closed"


def test_a_probe_that_fails_opens_it_anew():
    clock = Clock()
    breaker = half_open(clock)

    failing(breaker, 1)
    clock.now += 19.9

    assert breaker.state == "open"


def test_one_probe_at_a_time():
    breaker = half_open(Clock())

    with breaker.guard(down), pytest.raises(CircuitError):
        call(breaker)

    assert breaker.state == "closed"


async def test_a_cancelled_probe_decides_nothing_and_frees_its_place():
    breaker = half_open(Clock())

    async def probe():
        with breaker.guard(down):
            await asyncio.Event().wait()

    probing = asyncio.create_task(probe())
    await asyncio.sleep(0)
    probing.cancel()
    await asyncio.wait([probing])

    assert breaker.state == "half_open"
    call(breaker)
    assert breaker.state == "closed"


def test_a_refused_question_shows_that_the_other_side_works():
    breaker = half_open(Clock())

    with pytest.raises(LlmError):
        call(breaker, LlmError("upstream_rejected", "no"))

    assert breaker.state == "closed"


@pytest.mark.parametrize("late", [ConnectionError(), None])
def test_a_call_that_began_before_it_opened_changes_nothing_later(late):
    clock = Clock()
    breaker = made(clock)

    def slow():
        with breaker.guard(down):
            failing(breaker, 3)
            clock.now += 20.0
            if late:
                raise late

    if late:
        with pytest.raises(ConnectionError):
            slow()
    else:
        slow()

    assert breaker.state == "half_open"


@pytest.mark.parametrize("late", [ConnectionError(), None])
def test_a_call_from_before_does_not_speak_for_the_probe(late):
    clock = Clock()
    breaker = made(clock)
    slow, probe = breaker.guard(down), breaker.guard(down)

    slow.__enter__()
    failing(breaker, 3)
    clock.now += 20.0
    with probe:
        with suppress(ConnectionError):
            slow.__exit__(type(late) if late else None, late, None)

        with pytest.raises(CircuitError):
            call(breaker)
        assert breaker.state == "half_open"

    assert breaker.state == "closed"


def test_every_thing_has_its_own_breaker_and_all_are_seen():
    breakers = Breakers(SETTINGS, Clock())

    failing(breakers.of("tool", "m"), 3)
    call(breakers.of("model", "m"))

    assert breakers.of("tool", "m") is breakers.of("tool", "m")
    assert breakers.states() == {"model:m": "closed", "tool:m": "open"}


steps = st.tuples(st.floats(0.0, 15.0), st.booleans())


@given(st.lists(steps, max_size=40))
def test_it_opens_exactly_when_the_window_holds_enough_failures(calls):
    clock = Clock()
    breaker = made(clock)
    ends, opened_at = [], None

    for wait_s, fails in calls:
        clock.now += wait_s
        if opened_at is not None and clock.now < opened_at + 20.0:
            with pytest.raises(CircuitError):
                call(breaker)
            continue
        ends.append((int(clock.now), fails))
        ends = [
            (at, failed) for at, failed in ends if at >= clock.now - 10.0 or at == int(clock.now)
        ]
        failures = sum(failed for _, failed in ends)
        if fails:
            failing(breaker, 1)
            if opened_at is not None or failures >= max(3, 0.5 * len(ends)):
                ends, opened_at = [], clock.now
        else:
            call(breaker)
            ends, opened_at = ([] if opened_at is not None else ends), None

    expected = "closed"
    if opened_at is not None:
        expected = "open" if clock.now < opened_at + 20.0 else "half_open"
    assert breaker.state == expected


def test_a_busy_days_usual_failures_open_nothing():
    breaker = made(Clock())

    for number in range(1_000):
        if number % 6:
            call(breaker)
        else:
            failing(breaker, 1)

    assert breaker.state == "closed"


async def test_failures_that_are_quicker_than_answers_open_nothing():
    breaker = made(Clock())

    async def one(number):
        with breaker.guard(lambda error: True):
            await asyncio.sleep(0.01 if number % 6 else 0)
            if number % 6 == 0:
                raise ConnectionError

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(caught(one(number))) for number in range(60)]

    assert sum(task.result() for task in tasks) == 10
    assert breaker.state == "closed"


async def caught(work):
    try:
        await work
    except ConnectionError:
        return True
    return False


def test_by_number_alone_they_do_where_that_is_set():
    breakers = Breakers(SETTINGS.model_copy(update={"share": 0.0}), Clock())
    breaker = breakers.of("model", "m")

    for _ in range(3):
        call(breaker)
        call(breaker)
        failing(breaker, 1)

    assert breaker.state == "open"
