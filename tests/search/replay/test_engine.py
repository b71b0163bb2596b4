"""Whole replays: the same seed gives the same decisions, and the truth keeps the account."""

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ConfigError
from search.replay.engine import POLICIES, Asked, replay_once
from search.replay.loop import Loop
from search.replay.outcomes import Outcomes, Recorded
from search.replay.proposing import Shuffled
from search.replay.terms import usual_experiment
from search.replay.track import Track
from tests.search.replay.tables import experiment, table


def replayed(outcomes, policy="trimtab", requests=60_000, seed=1, **more):
    asked = Asked(policy=policy, baseline="v0", requests=requests, seed=seed, **more)
    return replay_once(outcomes, experiment(), asked)


def test_the_clearly_best_variant_is_promoted_and_held():
    result = replayed(table(0.5, 0.45, 0.65, 0.5))

    assert result.final == "v2"
    assert result.holds_best
    assert [(one.candidate, one.true_rank, one.is_worse) for one in result.promotions] == [
        ("v2", 1, False)
    ]
    assert result.first_true_promotion == result.promotions[0].at_request == result.reached_at


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_gives_the_same_replay(policy):
    outcomes = table(0.5, 0.52, 0.6)

    assert replayed(outcomes, policy, 20_000) == replayed(outcomes, policy, 20_000)


def test_a_slow_variant_is_never_promoted_however_good():
    result = replayed(table(0.5, 0.7, slower=[1]))

    assert result.promotions == ()
    assert not result.breached_anchor


def test_a_hopeless_field_costs_little():
    result = replayed(table(0.6, 0.3, 0.3, 0.3))

    assert result.promotions == ()
    assert result.regret_per_request < 0.005


def test_every_promotion_among_equals_is_a_mistake():
    result = replayed(table(0.5, 0.9), "article", 200_000, aa=True)

    assert result.promotions
    assert all(one.is_worse for one in result.promotions)
    assert result.first_true_promotion is None


def test_the_articles_rule_promotes_by_luck_where_evidence_does_not():
    outcomes = table(*[0.6] * 8)

    careless = [replayed(outcomes, "article", 100_000, seed, aa=True) for seed in range(4)]
    careful = [replayed(outcomes, "trimtab", 100_000, seed, aa=True) for seed in range(4)]

    assert sum(len(one.promotions) for one in careless) >= 4
    assert sum(len(one.promotions) for one in careful) == 0


def test_regret_is_the_distance_from_the_best_feasible_variant():
    outcomes = table(0.5, 0.7, slower=[1])

    result = replayed(outcomes, requests=4_000)

    assert result.mean_quality > 0.5
    assert result.regret_per_request == pytest.approx(
        Recorded(outcomes, baseline="v0", seed=0).truth("v0").quality - result.mean_quality
    )


def test_an_unknown_policy_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="'luck'; there are: trimtab, article, fixed-z, tpe"):
        replayed(table(0.5, 0.6), "luck")


def test_knowing_the_segments_of_units_proves_a_gain_sooner():
    """Half the units are easy for every variant, half hard; one variant is better by 8 points.

    Nothing is known of segments before the first windows, which the others are there to take.
    """
    rng = np.random.default_rng(4)
    units, bad = 8_000, 4
    is_easy = np.arange(units) % 2
    quality = [np.where(is_easy, 0.95, 0.15), np.where(is_easy, 0.99, 0.27), *[is_easy * 0.2] * bad]
    outcomes = Outcomes(
        variants=tuple(f"v{number}" for number in range(2 + bad)),
        variant=np.repeat(np.arange(2 + bad), units),
        unit=np.tile(np.arange(units), 2 + bad),
        score=np.concatenate([(rng.random(units) < one).astype(float) for one in quality]),
        latency_s=np.exp(rng.normal(0.0, 0.5, (2 + bad) * units)),
        segment=np.tile(is_easy, 2 + bad),
        segments=("hard", "easy"),
    )
    blind = replace(outcomes, segment=None, segments=())
    usual = experiment(concurrent=1)

    def first(table):
        asked = [Asked(policy="trimtab", baseline="v0", requests=60_000, seed=n) for n in range(8)]
        return sum(replay_once(table, usual, one).first_true_promotion for one in asked)

    assert first(outcomes) < 0.9 * first(blind)


def test_a_table_of_many_variants_never_overdraws_the_alpha_budget():
    outcomes = table(*[0.6] * 60, units=300)
    asked = Asked(policy="trimtab", baseline="v0", requests=200_000, seed=1, aa=True)

    assert replay_once(outcomes, usual_experiment(outcomes.variants), asked).promotions == ()


def test_a_replay_opens_no_more_windows_than_the_experiment_may():
    source = Recorded(table(*[0.6] * 6, units=400), baseline="v0", seed=1)
    track = Track(source, "v0", best=0.6, latency_ratio=1.2)
    few = experiment(max_trials=2, max_units=300)
    loop = Loop(source, few, Shuffled(source.variants, 1), track, 1)

    for _ in range(40):
        loop.receive(500)

    assert [one.kind for one in loop._workflow.windows.values()].count("trial") == 2


def test_planned_looks_promote_the_better_and_nothing_among_equals():
    looks = experiment(max_units=3_000).model_copy(update={"policy": "group-sequential"})

    def promotions(outcomes, seed, **more):
        asked = Asked(policy="trimtab", baseline="v0", requests=60_000, seed=seed, **more)
        return replay_once(outcomes, looks, asked).promotions

    assert promotions(table(0.5, 0.5, 0.62), 1)[0].candidate == "v2"
    assert sum(bool(promotions(table(*[0.6] * 4), seed, aa=True)) for seed in range(8)) <= 1
