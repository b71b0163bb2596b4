"""Rules to compare with: they do what their names say, no more."""

import numpy as np
import pytest

from engine.stats.moments import Moments
from engine.stats.tally import LEVELS
from search.replay.fixed import Slot, article, higher, z_test
from search.replay.outcomes import Arrived


def arrived(good, bad, log_latency=0.0):
    levels = np.zeros(LEVELS + 1, dtype=np.int64)
    levels[0], levels[LEVELS - 1] = bad, good
    return Arrived(levels=levels, failed=0, latency=Moments(n=good + bad, mean=log_latency, m2=1.0))


def slot(candidate, baseline, log_ratio=0.0):
    made = Slot("candidate")
    made.candidate.add(arrived(*candidate, log_latency=log_ratio))
    made.baseline.add(arrived(*baseline))
    return made


@pytest.mark.parametrize(
    ("good", "promotes"), [(619, False), (620, True), (600, False), (700, True)]
)
def test_the_article_wants_two_points_on_the_raw_rates(good, promotes):
    assert article(slot((good, 1_000 - good), (600, 400))) is promotes


def test_every_rule_refuses_what_is_more_than_a_fifth_slower():
    slow = slot((900, 100), (100, 900), log_ratio=np.log(1.21))

    assert not any(rule(slow) for rule in (article, higher, z_test(0.05)))


def test_the_best_raw_rate_is_taken_at_its_word():
    assert higher(slot((601, 399), (600, 400)))
    assert not higher(slot((600, 400), (600, 400)))


def test_the_z_test_knows_its_error():
    assert z_test(0.05)(slot((640, 360), (600, 400)))
    assert not z_test(0.05)(slot((64, 36), (60, 40)))


def test_a_rule_without_latencies_judges_quality_alone():
    unmeasured = Slot("candidate")
    for side, good in ((unmeasured.candidate, 700), (unmeasured.baseline, 600)):
        one = arrived(good, 1_000 - good)
        none = Moments(n=0, mean=0.0, m2=0.0)
        side.add(Arrived(levels=one.levels, failed=0, latency=none))

    assert article(unmeasured)
