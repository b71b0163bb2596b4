import math
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.model import Retry
from engine.workflow.failure import LlmError
from engine.workflow.model.retry import Retries


class Slept:
    def __init__(self):
        self.pauses_s = []

    async def __call__(self, pause_s):
        self.pauses_s.append(pause_s)


def retries(slept=None, **settings):
    return Retries(Retry(**settings), Random(0), slept or Slept())


def failing(*failures):
    numbers, left = [], list(failures)

    async def attempt(number):
        numbers.append(number)
        if left:
            raise left.pop(0)
        return "answer"

    return attempt, numbers


def passing(**more):
    return LlmError("upstream_5xx", "down", action="retry", **more)


def later():
    return time.monotonic() + 60.0


async def test_an_answer_ends_the_attempts():
    attempt, numbers = failing(passing(), passing())

    assert await retries().until_answered(attempt, deadline=later()) == "answer"

    assert numbers == [1, 2, 3]


async def test_the_last_failure_is_raised_after_all_attempts():
    last = passing()
    attempt, numbers = failing(passing(), last, passing())

    with pytest.raises(LlmError) as caught:
        await retries(attempts=2).until_answered(attempt, deadline=later())

    assert caught.value is last
    assert numbers == [1, 2]


@pytest.mark.parametrize("action", ["ignore", "skip", "fallback", "terminate"])
async def test_only_a_failure_that_may_pass_is_tried_again(action):
    attempt, numbers = failing(LlmError("upstream_rejected", "no", action=action))

    with pytest.raises(LlmError):
        await retries().until_answered(attempt, deadline=later())

    assert numbers == [1]


async def test_what_the_other_side_asks_for_is_the_least_pause():
    slept = Slept()
    attempt, _ = failing(passing(retry_after_s=30.0), passing(retry_after_s=0.0))

    await retries(slept).until_answered(attempt, deadline=later())

    assert slept.pauses_s[0] == 30.0
    assert 0.0 <= slept.pauses_s[1] <= 0.4


async def test_a_pause_beyond_the_deadline_is_not_begun():
    slept = Slept()
    attempt, numbers = failing(passing(retry_after_s=61.0))

    with pytest.raises(LlmError):
        await retries(slept).until_answered(attempt, deadline=later())

    assert (numbers, slept.pauses_s) == ([1], [])


@given(
    st.integers(0, 2**32),
    st.integers(1, 9),
    st.floats(0.01, 60.0),
    st.floats(0.01, 600.0),
    st.none() | st.floats(0.0, 1e6),
)
def test_a_pause_is_at_least_what_was_asked_and_else_within_its_bound(
    seed, failed, base_s, cap_s, asked_s
):
    pause_s = Retries(Retry(base_s=base_s, cap_s=cap_s), Random(seed)).pause_s(failed, asked_s)

    most_s = min(cap_s, base_s * 2 ** (failed - 1))
    assert (asked_s or 0.0) <= pause_s <= max(most_s, asked_s or 0.0)


def test_pauses_are_spread_over_their_whole_range():
    pausing = retries(base_s=1.0)

    pauses = [pausing.pause_s(1) for _ in range(1_000)]

    assert min(pauses) < 0.05 < 0.95 < max(pauses)
    assert math.isclose(sum(pauses) / 1_000, 0.5, abs_tol=0.05)
