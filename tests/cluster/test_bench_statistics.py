"""The simulations bet as the engine does, and their scenarios say what they should."""

import numpy as np
import pytest

from cluster.bench.replicates import replicated
from cluster.bench.statistics import many, single
from cluster.bench.statistics.paths import Odds, Runs, candidate_units_to, evidence, factors
from cluster.bench.statistics.run import SCENARIOS, rows, tasks, work
from engine.errors import ConfigError
from engine.stats.betting import HARM, PROMOTION, log_e
from engine.stats.tally import tally_of


@pytest.mark.parametrize(
    "odds",
    [
        Odds(pi=0.5),
        Odds(pi=1 / 17, f=0.45),
        Odds(pi=1 / 17, bets=HARM, m=0.01, mirrored=True),
        Odds(pi=0.9, mirrored=True),
    ],
)
def test_a_path_of_evidence_is_the_engines_own(odds):
    rng = np.random.default_rng(3)
    for _ in range(5):
        counts = rng.integers(0, 60, size=4)
        candidate = [1.0] * counts[0] + [0.0] * counts[1]
        baseline = [1.0] * counts[2] + [0.0] * counts[3]
        tally = tally_of(odds.pi, candidate, baseline)

        simulated = evidence(counts @ factors(odds), odds.bets)

        exact = log_e([tally], f=odds.f, m=odds.m, bets=odds.bets, mirrored=odds.mirrored)
        assert simulated == pytest.approx(exact)


def test_sessions_are_scored_by_their_mean():
    """A score between good and bad moves the bets linearly, as the session scenario assumes."""
    odds, score = Odds(pi=0.5), 0.8
    unit = tally_of(odds.pi, [score], [])
    stakes = np.expm1(factors(odds)[0]) / (2.0 * (1.0 - odds.f))

    growth = np.log1p(stakes * 2.0 * (score - odds.f))

    assert evidence(growth) == pytest.approx(log_e([unit], f=odds.f, bets=PROMOTION))


def test_a_larger_effect_is_found_sooner():
    runs = Runs(count=40, seed=1, most=20_000, batch=170)

    small = candidate_units_to(Odds(pi=1 / 17), (0.64, 0.6), runs)
    large = candidate_units_to(Odds(pi=1 / 17), (0.70, 0.6), runs)

    assert np.nanmedian(large) < np.nanmedian(small) / 2.0


@pytest.mark.parametrize(
    "scenario",
    [
        single.among_equals,
        single.under_drift,
        single.of_delays,
        single.of_sessions,
        single.of_missing,
        single.of_mismatch,
        single.of_latency,
    ],
)
def test_no_rate_that_has_a_mark_misses_it(scenario):
    rows = scenario(20, 1)

    assert any(row.goal for row in rows)
    assert all(row.passed is not False for row in rows)
    assert {row.id for row in rows} <= SCENARIOS.keys()


def test_the_naive_rules_fail_where_ours_hold():
    drift = {row.what: row.value for row in single.under_drift(50, 1)}
    delays = {row.what: row.value for row in single.of_delays(10, 1)}

    assert drift["pooled z-test"] == 1.0
    assert delays["on what has arrived so far"] > 0.5


def test_the_best_of_eight_is_nominated():
    nominated = many._nominations([0.6] * 8 + [0.7], 200_000, seed=2)

    assert [candidate for _, candidate in nominated] == ["v8"]


def test_a_budget_that_never_resets_promotes_no_more_than_one_that_does():
    highest = np.array([6.0])
    rng = np.random.default_rng(0)

    assert many._promotions(rng, highest, 32, resets=True) == 32
    assert 0 < many._promotions(rng, highest, 32, resets=False) <= 32


def test_a_scenario_that_is_done_is_not_run_again(tmp_path):
    asked = tasks(["B13"], quick=True, seed=1)

    def found(until):
        return rows(replicated(tmp_path / "statistics.jsonl", work, asked, until=until))

    assert found(until=0.0) == []
    first = found(until=None)

    assert first
    assert found(until=0.0) == first


def test_rows_come_in_the_order_of_the_scenarios():
    asked = [name for name, _ in tasks(["B13", "B2", "B9"], quick=True, seed=1)]
    made = {
        task: [{"rows": [{"id": task[:3], "what": "x", "value": 0.0, "unit": ""}]}]
        for task in asked
    }

    assert [name.split("/")[0] for name in asked] == ["B2", "B9", "B13"]
    assert [row.id for row in rows(dict(reversed(made.items())))] == ["B2/", "B9/", "B13"]


def test_an_unknown_scenario_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="no scenario 'B10'; there are: B1, B2"):
        tasks(["B10"], quick=True, seed=1)
