import math

import numpy as np
import pytest

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.ratio_of_means import ratio_of_means_interval, ratio_of_means_log_e
from engine.stats.sequence import kappa, one_sided_log_e, two_sided_width
from tests.engine.stats.examples import stratum


def costs(seed, ratio, n=1000, free=0.3):
    """Costs of which some are zero, because a cache answered."""
    rng = np.random.default_rng(seed)
    paid = rng.lognormal(0.0, 0.5, (2, n)) * (rng.random((2, n)) > free)
    return paid[0] * ratio, paid[1]


def test_the_ends_are_where_a_ratio_is_just_refused():
    candidate, baseline = costs(1, 1.1)
    found = ratio_of_means_interval([stratum(candidate, baseline)], alpha=0.05)
    critical = two_sided_width(kappa(0.05, exact=True) * 4 * 500 / 2000, 0.05)

    for r in (found.low, found.high):
        error = math.sqrt((candidate.var(ddof=1) + r * r * baseline.var(ddof=1)) / 1000)
        gap = abs(candidate.mean() - r * baseline.mean())

        assert gap / error == pytest.approx(critical)
    assert found.low < 1.1 < found.high
    assert found.estimate == pytest.approx(candidate.mean() / baseline.mean())


def test_the_test_is_that_of_the_linear_contrast():
    candidate, baseline = costs(2, 1.0)
    error = math.sqrt((candidate.var(ddof=1) + 1.44 * baseline.var(ddof=1)) / 1000)
    z = (1.2 * baseline.mean() - candidate.mean()) / error

    expected = one_sided_log_e(z, kappa(0.10) * 4 * 500 / 2000)

    assert ratio_of_means_log_e([stratum(candidate, baseline)]) == pytest.approx(expected)


def test_an_equally_dear_candidate_passes_and_a_dearer_one_does_not():
    assert ratio_of_means_log_e([stratum(*costs(3, 1.0, n=4000))]) > math.log(20)
    assert ratio_of_means_log_e([stratum(*costs(3, 1.4))]) < 0.0


def test_the_estimate_is_inside_even_where_rounding_decides():
    exact = stratum([3.0] * 300, [2.0] * 300)

    found = ratio_of_means_interval([exact], alpha=0.05)

    assert (found.low, found.estimate, found.high) == pytest.approx((1.5, 1.5, 1.5))


def test_a_baseline_that_may_cost_nothing_leaves_the_ratio_unbounded():
    seldom = [1.0] + [0.0] * 299

    with pytest.raises(UnmeasuredError, match="unbounded"):
        ratio_of_means_interval([stratum([1.0] * 300, seldom)], alpha=0.05)
    with pytest.raises(UnmeasuredError, match="unbounded"):
        ratio_of_means_interval([stratum([1.0] * 300, [-1.0] * 300)], alpha=0.05)


def test_no_cost_at_all_leaves_the_test_unmeasured():
    with pytest.raises(UnmeasuredError, match="never vary"):
        ratio_of_means_log_e([stratum([0.0] * 300, [0.0] * 300)])


def test_few_units_and_an_impossible_margin_are_refused():
    with pytest.raises(UnmeasuredError, match="200 units"):
        ratio_of_means_log_e([stratum([1.0, 2.0], [1.0, 2.0])])
    with pytest.raises(ConfigError, match="margin"):
        ratio_of_means_log_e([], r0=-1.0)
