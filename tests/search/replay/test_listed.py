"""Where a table says what its variants are set to, a replay searches instead of shuffling."""

from dataclasses import replace

import numpy as np

from search.replay.engine import Asked, replay_once
from search.replay.listed import inferred, proposer_of
from search.replay.outcomes import Recorded
from search.replay.proposing import Place, Row, Shuffled
from tests.search.replay.tables import experiment, table

QUALITIES = [0.45, *np.linspace(0.3, 0.7, 30)]


def told(outcomes, **columns):
    """The outcomes with parameters, given as one list a parameter."""
    params = {
        name: {key: values[n] for key, values in columns.items() if values[n] is not None}
        for n, name in enumerate(outcomes.variants)
    }
    return replace(outcomes, params=params)


def graded():
    """A table whose quality grows with one parameter; the other says nothing."""
    outcomes = table(*QUALITIES)
    return told(outcomes, depth=[11, *range(30)], colour=["red", "blue"] * 15 + ["red"])


def source_of(outcomes):
    return Recorded(outcomes, baseline="v0", seed=1)


def row(candidate, lift):
    return Row(
        candidate=candidate,
        baseline="v0",
        rate=0.45 + lift,
        lift=lift,
        se=0.01,
        log_ratio=0.0,
        ratio_se=0.01,
    )


def place(rows):
    return Place(rows=rows, baseline="v0", pending=[], latency_left=1.2)


def test_numbers_become_ranges_and_all_else_choices():
    known = {
        "a": {"k": 1, "wide": 1, "on": True, "model": "small", "same": 3},
        "b": {"k": 5, "wide": 1_000, "on": False, "same": 3},
    }

    space = inferred(known).parameters

    assert {name: one.type for name, one in space.items()} == {
        "k": "float",
        "wide": "float",
        "on": "choice",
        "model": "choice",
    }
    assert (space["k"].low, space["k"].high, space["k"].log) == (1.0, 5.0, False)
    assert space["wide"].log
    assert space["model"].choices == ("small", "")


def test_variants_that_nothing_tells_apart_span_no_space():
    assert inferred({"a": {"k": 1}, "b": {"k": 1}}) is None
    assert isinstance(proposer_of(source_of(table(0.5, 0.6)), 1), Shuffled)


def test_proposals_follow_what_the_parameters_have_shown():
    outcomes = graded()
    rows = [row(f"v{n + 1}", QUALITIES[n + 1] - 0.45) for n in (0, 4, 8, 12, 16, 20)]

    proposed = [proposer_of(source_of(outcomes), seed).propose(place(rows)) for seed in range(5)]

    assert all(int(name[1:]) > 21 for name in proposed)


def test_nothing_is_proposed_twice_against_one_baseline():
    outcomes = told(table(0.5, 0.5, 0.5), depth=[1, 2, 3])
    proposer = proposer_of(source_of(outcomes), 1)
    rows = []
    for _ in range(2):
        rows.append(row(proposer.propose(place(rows)), 0.0))

    assert {one.candidate for one in rows} == {"v1", "v2"}
    assert proposer.propose(place(rows)) is None


def test_a_search_with_parameters_finds_the_best_sooner_than_one_without():
    def first(outcomes):
        found = []
        for seed in range(3):
            asked = Asked(policy="trimtab", baseline="v0", requests=60_000, seed=seed)
            found.append(replay_once(outcomes, experiment(), asked).regret_per_request)
        return float(np.mean(found))

    assert first(graded()) < first(replace(graded(), params={}))
