import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.proportion import paired_interval, wilson


@given(st.integers(1, 500), st.data(), st.floats(0.5, 0.999))
def test_the_ends_solve_the_score_equation(n, data, confidence):
    successes = data.draw(st.integers(0, n))
    z = stats.norm.ppf((1 + confidence) / 2)

    found = wilson(successes, n, confidence)

    assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0
    for end in (found.low, found.high):
        gap = (successes / n - end) ** 2
        assert gap == pytest.approx(z * z * end * (1 - end) / n, rel=1e-6, abs=1e-12)


def test_no_error_among_a_hundred_still_allows_some():
    found = wilson(0, 100)

    assert found.low == 0.0
    assert found.high == pytest.approx(0.0370, abs=1e-4)


def test_paired_differences_give_students_interval():
    values = np.array([0.1, 0.0, 0.2, -0.1, 0.3])

    expected = stats.t.interval(0.9, 4, values.mean(), stats.sem(values))

    found = paired_interval(values, 0.9)
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.estimate == pytest.approx(0.1)


def test_nothing_observed_is_unmeasured():
    with pytest.raises(UnmeasuredError, match="at least one"):
        wilson(0, 0)
    with pytest.raises(UnmeasuredError, match="5 out of 4"):
        wilson(5, 4)
    with pytest.raises(UnmeasuredError, match="two values"):
        paired_interval([0.1])
    with pytest.raises(UnmeasuredError, match="NaN"):
        paired_interval([0.1, math.nan])


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_an_impossible_confidence_is_refused(confidence):
    with pytest.raises(ConfigError, match="confidence"):
        wilson(1, 2, confidence)
    with pytest.raises(ConfigError, match="confidence"):
        paired_interval([0.1, 0.2], confidence)
