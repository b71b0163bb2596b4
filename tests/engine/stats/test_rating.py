import math

import pytest

from engine.stats.rating import rating_log_e
from tests.engine.stats.examples import binary


def test_the_published_gap_in_ratings_is_seen_from_either_side():
    often = binary(0.5, 600, 0, 400, 0, candidate_unrated=400, baseline_unrated=600)
    seldom = binary(0.5, 400, 0, 600, 0, candidate_unrated=600, baseline_unrated=400)

    assert rating_log_e([often], f=0.5) > math.log(100)
    assert rating_log_e([seldom], f=0.5) == pytest.approx(rating_log_e([often], f=0.5))


def test_no_units_are_no_evidence():
    assert rating_log_e([], f=0.5) == pytest.approx(0.0, abs=1e-12)


def test_equal_rating_is_no_alarm_whatever_the_scores():
    even = binary(0.5, 500, 0, 0, 500, candidate_unrated=500, baseline_unrated=500)

    assert rating_log_e([even], f=0.5) < 0.0
