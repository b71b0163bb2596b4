import math

import pytest

from engine.errors import UnmeasuredError
from engine.stats.mismatch import multinomial_log_e, srm_log_e

HALVES = (0.5, 0.5)
SMALL = (16 / 17, 1 / 17)


@pytest.mark.parametrize(
    ("counts", "shares", "concentration", "expected"),
    [
        ((500, 600), HALVES, 1e4, 0.398315),
        ((100, 900), HALVES, 1e4, 29.071603),
        ((8000, 600), SMALL, 1e3, 6.728338),
        ((80000, 5400), SMALL, 1e3, 12.219784),
        ((8000, 500), SMALL, 1e3, -1.126918),
    ],
)
def test_counts_give_the_published_evidence(counts, shares, concentration, expected):
    found = srm_log_e([(counts, shares)], concentration=concentration)

    assert found == pytest.approx(expected, abs=1e-6)


def test_the_reference_sequence_of_three_variants_holds():
    found = multinomial_log_e((2, 2, 1), (0.4, 0.4, 0.2), (1.0, 1.0, 1.0))

    assert found == pytest.approx(-6.4457198193855785 + 5.27460083993072, abs=1e-12)


def test_the_expected_wealth_under_the_plan_is_exactly_one():
    mean = sum(
        math.comb(12, own)
        * 0.2**own
        * 0.8 ** (12 - own)
        * math.exp(srm_log_e([((12 - own, own), (0.8, 0.2))], concentration=10.0))
        for own in range(13)
    )

    assert mean == pytest.approx(1.0, abs=1e-12)


def test_each_version_starts_anew_and_the_factors_multiply():
    one, two = ((500, 480), HALVES), ((900, 60), SMALL)

    assert srm_log_e([one, two]) == pytest.approx(srm_log_e([one]) + srm_log_e([two]))
    assert srm_log_e([]) == 0.0


@pytest.mark.parametrize(
    ("counts", "shares", "concentration"),
    [
        ((1, 2, 3), HALVES, 10.0),
        ((-1, 2), HALVES, 10.0),
        ((), (), 10.0),
        ((1, 2), (1.0, 0.0), 10.0),
        ((1, 2), (0.5, 0.6), 10.0),
        ((1, 2), HALVES, 0.0),
    ],
)
def test_counts_and_shares_that_do_not_belong_together_are_refused(counts, shares, concentration):
    with pytest.raises(UnmeasuredError, match="shares"):
        srm_log_e([(counts, shares)], concentration=concentration)
