"""A routing node that learns: its choices are recorded so that its data stay evidence."""

from collections import Counter
from math import log

import numpy as np
import pytest
from pydantic import ValidationError

from engine.errors import ConfigError
from engine.experiment.bandit import (
    Rated,
    Routes,
    even_routes,
    learned,
    pair_tallies,
    routed,
)
from engine.stats.betting import estimate, log_e

ROUTES = Routes(version=3, shares={"": {"a": 0.7, "b": 0.3}, "hard": {"a": 0.1, "b": 0.9}})


def lived(quality, *, units, seed, batch=200, contexts=("easy", "hard")):
    """Units routed batch by batch, with what was learned of the batches before."""
    rng = np.random.default_rng(seed)
    routes, rated = even_routes(["a", "b"]), []
    for start in range(0, units, batch):
        for number in range(start, start + batch):
            context = contexts[int(rng.integers(len(contexts)))]
            went = routed(routes, "docs", f"{seed}-{number}", context)
            score = float(rng.random() < quality[context, went.variant])
            rated.append(Rated(went, score))
        routes = learned(routes, rated, contexts=contexts, rng=rng)
    return routes, rated


def test_units_follow_the_shares_of_their_context():
    for context, share in (("easy", 0.3), ("hard", 0.9)):
        met = Counter(
            routed(ROUTES, "docs", f"unit-{number}", context).variant for number in range(4_000)
        )

        assert met["b"] / 4_000 == pytest.approx(share, abs=0.03)


def test_a_unit_keeps_its_variant_while_the_version_stands():
    assert routed(ROUTES, "docs", "u1", "hard") == routed(ROUTES, "docs", "u1", "hard")


def test_every_choice_tells_the_shares_it_was_drawn_by():
    went = routed(ROUTES, "docs", "u1", "hard")

    assert (went.version, went.context) == (3, "hard")
    assert went.shares == {"a": 0.1, "b": 0.9}


def test_it_learns_a_winner_for_each_context():
    quality = {("easy", "a"): 0.8, ("easy", "b"): 0.5, ("hard", "a"): 0.3, ("hard", "b"): 0.7}

    routes, rated = lived(quality, units=3_000, seed=1)

    assert routes.of("easy")["a"] > 0.9
    assert routes.of("hard")["b"] > 0.9
    late = [one.score for one in rated[-1_000:]]
    assert sum(late) / len(late) > 0.7


def test_every_variant_keeps_its_floor():
    quality = {
        (context, variant): float(variant == "a")
        for context in ("easy", "hard")
        for variant in "ab"
    }

    routes, _ = lived(quality, units=1_000, seed=2)

    assert min(routes.of("easy").values()) == pytest.approx(0.05)


def test_what_it_gathers_measures_the_lift_although_the_shares_followed_the_outcomes():
    quality = {("easy", "a"): 0.5, ("easy", "b"): 0.6, ("hard", "a"): 0.5, ("hard", "b"): 0.6}

    lifts = [
        estimate(pair_tallies(lived(quality, units=1_000, seed=seed)[1], "b", "a"), f=0.5).lift
        for seed in range(60)
    ]

    assert np.mean(lifts) == pytest.approx(0.1, abs=0.02)


def test_among_equals_its_data_promote_nobody():
    quality = dict.fromkeys([(c, v) for c in ("easy", "hard") for v in "ab"], 0.5)

    found = [
        log_e(pair_tallies(lived(quality, units=1_000, seed=seed)[1], "b", "a"), f=0.5)
        for seed in range(30)
    ]

    assert sum(one >= log(20) for one in found) <= 4


def test_an_unrated_unit_counts_as_unrated():
    went = routed(ROUTES, "docs", "u1", "hard")

    (tally,) = pair_tallies([Rated(went, None)], "b", "a")

    assert tally.candidate_unrated + tally.baseline_unrated == 1
    assert tally.pi == pytest.approx(0.9)


def test_a_unit_of_a_third_variant_says_nothing_of_a_pair():
    routes = even_routes(["a", "b", "c"])
    units = [Rated(routed(routes, "docs", f"u{n}", ""), 1.0) for n in range(60)]

    (tally,) = pair_tallies(units, "b", "a")

    assert 20 < tally.candidate_units + tally.baseline_units < 60
    assert pair_tallies(units, "b", "gone") == ()


def test_what_nobody_rated_teaches_nothing():
    units = [Rated(routed(ROUTES, "docs", f"u{n}", "hard"), None) for n in range(50)]

    routes = learned(ROUTES, units, rng=np.random.default_rng(0))

    assert routes.version == 4
    assert routes.of("hard")["a"] == pytest.approx(0.5, abs=0.1)


def test_one_variant_is_no_choice():
    with pytest.raises(ConfigError, match="two variants or more"):
        even_routes(["a", "a"])


@pytest.mark.parametrize(
    "shares",
    [{"hard": {"a": 1.0}}, {"": {}}, {"": {"a": 0.5, "b": 0.4}}, {"": {"a": 1.0, "b": 0.0}}],
)
def test_shares_that_are_not_whole_are_refused(shares):
    with pytest.raises(ValidationError):
        Routes(version=1, shares=shares)
