import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stats.crossing import crossing, steep_crossing


def test_the_crossing_of_a_falling_function_is_found():
    assert crossing(lambda x: 2.0 - x * x, 0.0, 4.0) == pytest.approx(2.0**0.5)


def test_without_a_crossing_the_end_of_the_range_is_returned():
    assert crossing(lambda _: -1.0, 0.0, 4.0) == 0.0
    assert crossing(lambda _: 1.0, 0.0, 4.0) == 4.0


@given(st.floats(-1.0, 1.0), st.floats(-2.0, 2.0), st.floats(0.1, 30.0))
def test_slopes_find_the_same_crossing_from_wherever_they_begin(zero, near, steep):
    def falling(x):
        return math.expm1(steep * (zero - x)), -steep * math.exp(steep * (zero - x))

    assert steep_crossing(falling, -1.0, 1.0, near=near) == pytest.approx(zero, abs=1e-12)


@pytest.mark.parametrize("near", [-1.0, 0.3, 1.0])
def test_slopes_return_the_end_of_the_range_where_nothing_crosses(near):
    assert steep_crossing(lambda x: (-2.0 - x, -1.0), -1.0, 1.0, near=near) == -1.0
    assert steep_crossing(lambda x: (2.0 - x, -1.0), -1.0, 1.0, near=near) == 1.0


def test_a_flat_stretch_is_left_by_halves():
    def falling(x):
        return (1.0, 0.0) if x < 0.5 else (0.5 - x, -1.0)

    assert steep_crossing(falling, -1.0, 1.0, near=-0.5) == pytest.approx(0.5)


def test_steps_that_leave_the_range_twice_are_halved():
    def falling(x):
        return -math.atan(20.0 * (x - 0.3)), -20.0 / (1.0 + (20.0 * (x - 0.3)) ** 2)

    assert steep_crossing(falling, -1.0, 1.0, near=-0.9) == pytest.approx(0.3)
