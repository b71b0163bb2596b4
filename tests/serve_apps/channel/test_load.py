"""Laws of a replica's load: it is the mean over the time since it was asked last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_apps.channel.load import Load

times = st.floats(0.001, 100.0)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@given(st.lists(st.tuples(times, st.integers(-3, 5)), min_size=1, max_size=20))
def test_the_load_is_what_was_in_flight_by_how_long(steps):
    clock = Clock()
    load, ongoing, summed = Load(clock), 0, 0.0

    for passed_s, by in steps:
        clock.now += passed_s
        summed += ongoing * passed_s
        load.changed(by)
        ongoing += by

    passed_s = sum(one for one, _ in steps)
    assert load.since() == pytest.approx(summed / passed_s, abs=1e-6)


@given(st.integers(0, 100), times, times)
def test_what_was_told_is_not_told_again(ongoing, before_s, after_s):
    clock = Clock()
    load = Load(clock)
    load.changed(1_000)
    clock.now += before_s
    load.changed(ongoing - 1_000)
    load.since()

    clock.now += after_s

    assert load.since() == pytest.approx(ongoing)


def test_asked_twice_in_one_moment_it_tells_what_is_in_flight():
    clock = Clock()
    load = Load(clock)
    load.changed(3)

    assert load.since() == 3.0
