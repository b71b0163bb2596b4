"""What each test does to variants that do not differ, watched at every look."""

import math

import numpy as np
import pytest

from engine.stats.betting import harm_log_e, log_e, tally_of
from engine.stats.errors import error_log_e
from engine.stats.mismatch import srm_log_e
from engine.stats.moments import merged, moments_of
from engine.stats.ratio import Stratum, ratio_log_e
from tests.engine.stats.examples import at_most, thumbs

REPEATS = 300
LOOKS = 25
ALARM = math.log(20)


def watched(rng, evidence, pi, units, rate, candidate_rate=None, f=0.6):
    """Share of repeats in which the evidence passes 20 at any look."""
    hits = 0
    for _ in range(REPEATS):
        batches = [thumbs(rng, pi, units, candidate_rate or rate, rate) for _ in range(LOOKS)]
        total = batches[0]
        highest = evidence([total], f=f)
        for batch in batches[1:]:
            total = total + batch
            highest = max(highest, evidence([total], f=f))
        hits += highest >= ALARM
    return hits


@pytest.mark.parametrize(("pi", "f"), [(0.5, 0.6), (1 / 17, 0.75), (1 / 17, 0.45)])
def test_an_equal_candidate_is_promoted_at_most_alpha_of_the_time(pi, f):
    hits = watched(np.random.default_rng(21), log_e, pi, 800, 0.6, f=f)

    assert at_most(hits, 0.05, REPEATS)


def test_a_better_candidate_is_found():
    hits = watched(np.random.default_rng(22), log_e, 0.5, 800, 0.6, candidate_rate=0.65)

    assert hits >= 0.95 * REPEATS


def test_an_equal_or_slightly_worse_candidate_is_stopped_at_most_alpha_of_the_time():
    rng = np.random.default_rng(23)

    assert at_most(watched(rng, harm_log_e, 1 / 17, 800, 0.6), 0.05, REPEATS)
    assert at_most(watched(rng, harm_log_e, 1 / 17, 800, 0.6, candidate_rate=0.59), 0.05, REPEATS)


def test_a_harmful_candidate_is_stopped():
    hits = watched(np.random.default_rng(24), harm_log_e, 1 / 17, 800, 0.6, candidate_rate=0.5)

    assert hits >= 0.95 * REPEATS


def test_a_season_that_moves_with_the_share_promotes_nobody_where_pooling_would():
    rng = np.random.default_rng(25)
    hits = pooled_hits = 0
    for _ in range(REPEATS):
        versions = []
        highest = 0.0
        for look in range(20):
            season = math.sin(2 * math.pi * look / 10)
            versions.append(thumbs(rng, 0.2 + 0.15 * season, 400, *[0.6 + 0.1 * season] * 2))
            highest = max(highest, log_e(versions, f=0.6))
        hits += highest >= ALARM
        pooled_hits += pooled_z(versions) > 1.645

    assert at_most(hits, 0.05, REPEATS)
    assert pooled_hits > 0.9 * REPEATS


def pooled_z(versions):
    candidate = sum(v.candidate for v in versions)
    baseline = sum(v.baseline for v in versions)
    n1, n0 = candidate.sum(), baseline.sum()
    rate = (candidate[-1] + baseline[-1]) / (n1 + n0)
    error = math.sqrt(rate * (1 - rate) * (1 / n1 + 1 / n0))
    return (candidate[-1] / n1 - baseline[-1] / n0) / error


def test_sessions_are_the_unit_and_their_requests_are_not():
    rng = np.random.default_rng(26)
    by_session = by_request = 0
    for _ in range(REPEATS):
        best_session = best_request = 0.0
        sessions = requests = tally_of(0.5, [], [])
        for _ in range(15):
            own = rng.random(200) < 0.5
            ups = rng.binomial(5, rng.beta(3, 2, 200))
            sessions = sessions + tally_of(0.5, ups[own] / 5, ups[~own] / 5)
            thumbs_up = (np.arange(5) < ups[:, None]).astype(float)
            requests = requests + tally_of(0.5, thumbs_up[own].ravel(), thumbs_up[~own].ravel())
            best_session = max(best_session, log_e([sessions], f=0.6))
            best_request = max(best_request, log_e([requests], f=0.6))
        by_session += best_session >= ALARM
        by_request += best_request >= ALARM

    assert at_most(by_session, 0.05, REPEATS)
    assert by_request > 0.08 * REPEATS


def test_planned_shares_raise_no_mismatch_and_a_leak_does():
    rng = np.random.default_rng(27)
    planned = (16 / 17, 1 / 17)
    false = true = 0
    for _ in range(400):
        for own, leaks in ((1 / 17, False), (0.085, True)):
            served = np.cumsum(rng.binomial(400, own, 25))
            highest = max(
                srm_log_e([((400 * (i + 1) - int(n), int(n)), planned)])
                for i, n in enumerate(served)
            )
            false += not leaks and highest >= math.log(1000)
            true += leaks and highest >= math.log(1000)

    assert at_most(false, 0.001, 400)
    assert true >= 0.95 * 400


def test_errors_at_the_margin_stop_at_most_one_in_a_hundred_and_many_more_stop():
    rng = np.random.default_rng(28)
    stopped = {1.25: 0, 5.0: 0}
    for ratio in stopped:
        for _ in range(REPEATS):
            own = np.cumsum(rng.binomial(80, 0.01 * ratio, LOOKS))
            others = np.cumsum(rng.binomial(1280, 0.01, LOOKS))
            highest = max(
                error_log_e([(1 / 17, int(a), int(a + b))])
                for a, b in zip(own, others, strict=True)
            )
            stopped[ratio] += highest >= math.log(100)

    assert at_most(stopped[1.25], 0.01, REPEATS)
    assert stopped[5.0] >= 0.95 * REPEATS


@pytest.mark.parametrize("first_look", [200, 500])
def test_a_candidate_at_the_latency_margin_passes_at_most_alpha_of_the_time(first_look):
    rng = np.random.default_rng(29)
    passed = 0
    for _ in range(REPEATS):
        candidate = moments_of(rng.normal(math.log(1.2), 0.8, first_look))
        baseline = moments_of(rng.normal(0.0, 0.8, 4 * first_look))
        highest = -math.inf
        for _ in range(LOOKS):
            highest = max(highest, ratio_log_e([Stratum(candidate, baseline)]))
            candidate = merged(candidate, moments_of(rng.normal(math.log(1.2), 0.8, 160)))
            baseline = merged(baseline, moments_of(rng.normal(0.0, 0.8, 640)))
        passed += highest >= ALARM

    assert at_most(passed, 0.05, REPEATS)
