import math

import numpy as np
import pytest

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.moments import Moments, moments_of
from engine.stats.ratio import Stratum, ratio_interval, ratio_log_e
from engine.stats.sequence import kappa, one_sided_log_e
from tests.engine.stats.examples import stratum

NONE = Moments(0, 0.0, 0.0)


def drawn(seed, ratio, candidate_units, baseline_units):
    rng = np.random.default_rng(seed)
    return stratum(
        rng.normal(math.log(ratio), 0.5, candidate_units), rng.normal(0.0, 0.5, baseline_units)
    )


def test_one_version_gives_the_two_sample_test():
    a, b = Moments(300, 0.05, 299 * 0.25), Moments(900, 0.0, 899 * 0.36)
    error = math.sqrt(0.25 / 300 + 0.36 / 900)
    x = kappa(0.10) * 4 * (300 * 900 / 1200) / 2000

    expected = one_sided_log_e((math.log(1.2) - 0.05) / error, x)

    assert ratio_log_e([Stratum(a, b)]) == pytest.approx(expected)


def test_a_drift_shared_by_both_variants_cancels():
    rng = np.random.default_rng(5)
    candidate, baseline = rng.normal(0.1, 0.3, 400), rng.normal(0.0, 0.3, 400)
    calm = [stratum(candidate[:100], baseline[:300]), stratum(candidate[100:], baseline[300:])]
    rush = [
        stratum(candidate[:100], baseline[:300]),
        stratum(candidate[100:] + 2, baseline[300:] + 2),
    ]

    assert ratio_log_e(rush) == pytest.approx(ratio_log_e(calm))
    assert ratio_interval(rush, alpha=0.05).estimate == pytest.approx(
        ratio_interval(calm, alpha=0.05).estimate
    )


def test_the_error_of_many_short_versions_is_the_spread_of_the_estimate():
    rng = np.random.default_rng(6)
    gaps, halves = [], []
    for _ in range(300):
        strata = [
            stratum(rng.normal(0, 1, rng.integers(1, 4)), rng.normal(0, 1, 6)) for _ in range(30)
        ]
        found = ratio_interval(strata, alpha=0.05, n_min=1)
        gaps.append(math.log(found.estimate))
        halves.append((math.log(found.high) - math.log(found.low)) / 2)

    same = ratio_interval(
        [Stratum(Moments(60, 0.0, 59.0), Moments(180, 0.0, 179.0))], alpha=0.05, n_min=1
    )

    assert np.mean(gaps) == pytest.approx(0.0, abs=3 * np.std(gaps) / math.sqrt(300))
    # One long version of the same size prices looking alike, so widths compare errors.
    price = math.log(same.high) / math.sqrt(1 / 60 + 1 / 180)
    assert np.mean(halves) / price == pytest.approx(np.std(gaps), rel=0.12)


def test_a_version_that_one_side_never_served_counts_for_nothing():
    both = drawn(7, 1.0, 300, 600)
    alone = Stratum(NONE, moments_of([9.0] * 500))

    assert ratio_log_e([both, alone]) == ratio_log_e([both])


def test_an_equal_candidate_passes_and_a_slower_one_does_not():
    assert ratio_log_e([drawn(8, 1.0, 600, 2400)]) > math.log(20)
    assert ratio_log_e([drawn(8, 1.35, 600, 2400)]) < 0.0


def test_the_interval_holds_the_ratio_and_its_estimate():
    found = ratio_interval([drawn(9, 1.1, 1000, 4000)], alpha=0.05)

    assert found.low < 1.1 < found.high
    assert found.low * found.high == pytest.approx(found.estimate**2)


@pytest.mark.parametrize("strata", [[], [drawn(1, 1.0, 199, 800)], [drawn(1, 1.0, 800, 199)]])
def test_few_units_leave_the_ratio_unmeasured(strata):
    with pytest.raises(UnmeasuredError, match="200 units a side"):
        ratio_log_e(strata)
    with pytest.raises(UnmeasuredError, match="200 units a side"):
        ratio_interval(strata, alpha=0.05)


def test_values_without_spread_leave_the_ratio_unmeasured():
    with pytest.raises(UnmeasuredError, match="never vary"):
        ratio_log_e([stratum([0.0] * 300, [0.0] * 300)])
    with pytest.raises(UnmeasuredError, match="spread"):
        ratio_log_e([stratum([1.0], [1.0, 2.0])] * 300)


def test_a_margin_that_is_no_ratio_is_refused():
    with pytest.raises(ConfigError, match="margin"):
        ratio_log_e([], r0=0.0)
