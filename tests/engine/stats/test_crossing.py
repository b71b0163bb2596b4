import pytest

from engine.stats.crossing import crossing


def test_the_crossing_of_a_falling_function_is_found():
    assert crossing(lambda x: 2.0 - x * x, 0.0, 4.0) == pytest.approx(2.0**0.5)


def test_a_function_that_never_crosses_gives_the_end_it_points_to():
    assert crossing(lambda _: -1.0, 0.0, 4.0) == 0.0
    assert crossing(lambda _: 1.0, 0.0, 4.0) == 4.0
