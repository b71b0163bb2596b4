import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UnmeasuredError
from engine.stats.moments import Moments, merged, moments_of

values = st.lists(st.floats(-1e3, 1e3), max_size=30)


@given(values, values)
def test_merging_equals_summing_up_at_once(a, b):
    parts, whole = merged(moments_of(a), moments_of(b)), moments_of(a + b)

    assert parts.n == whole.n
    assert parts.mean == pytest.approx(whole.mean, abs=1e-9)
    assert parts.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-6)


def test_the_variance_is_the_unbiased_one():
    values = [1.0, 2.0, 4.0]

    assert moments_of(values).variance == pytest.approx(np.var(values, ddof=1))


@pytest.mark.parametrize("moments", [Moments(0, 0.0, 0.0), Moments(1, 3.0, 0.0)])
def test_a_variance_of_fewer_than_two_values_is_unmeasured(moments):
    with pytest.raises(UnmeasuredError, match="two values"):
        _ = moments.variance


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_unmeasured_value_is_never_averaged(bad):
    with pytest.raises(UnmeasuredError, match="NaN"):
        moments_of([1.0, bad])
