"""The next candidate: new, lawful, within the margins, and better than guessing."""

import numpy as np

from engine.config.space import Space
from search.learning.propose import Learner, Limits, Measured, Row

PLANE = Space.model_validate(
    {"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in ("x", "y")}}
)
START = {"x": 0.2, "y": 0.2}


def hill(params):
    return 0.06 - 0.15 * ((params["x"] - 0.8) ** 2 + (params["y"] - 0.6) ** 2)


def searched(learner, count, *, se=0.005, quality=hill, latency=None, limits=None, seed=0):
    rng, rows = np.random.default_rng(seed), []
    for _ in range(count):
        proposal = learner.propose(rows, START, taken=[r.candidate for r in rows], limits=limits)
        lift = quality(proposal) - quality(START) + rng.normal(0.0, se)
        slow = None if latency is None else Measured(latency(proposal), 0.01)
        rows.append(Row(proposal, START, Measured(lift, se), slow))
    return rows


def test_a_smooth_hill_is_climbed_faster_than_by_guessing():
    learned, guessed = [], []
    for seed in range(4):
        rows = searched(Learner(PLANE, seed), 14, seed=seed)
        learned.append(max(hill(row.candidate) for row in rows))
        blind = searched(Learner(PLANE, seed, startup=99), 14, seed=seed)
        guessed.append(max(hill(row.candidate) for row in blind))

    assert np.mean(learned) > np.mean(guessed) + 0.003
    assert np.mean(learned) > 0.05


def test_the_same_seed_proposes_the_same():
    one, other = (searched(Learner(PLANE, 3), 9) for _ in range(2))

    assert [row.candidate for row in one] == [row.candidate for row in other]


def test_what_is_too_slow_is_left_alone():
    rows = searched(
        Learner(PLANE, 1), 20, latency=lambda p: p["x"] - 0.2, limits=Limits(latency_ratio=1.2)
    )

    late = [row.candidate["x"] for row in rows[12:]]
    assert np.mean([x <= 0.2 + np.log(1.2) + 0.05 for x in late]) >= 0.75


def test_nothing_is_proposed_twice_until_nothing_is_left():
    few = Space.model_validate({"parameters": {name: {"type": "bool"} for name in ("a", "b")}})
    learner, rows = Learner(few, 0, startup=2), []
    baseline = {"a": False, "b": False}

    for number in range(3):
        proposal = learner.propose(rows, baseline, taken=[row.candidate for row in rows])
        rows.append(Row(proposal, baseline, Measured(0.01 * number, 0.01)))

    assert len({str(sorted(row.candidate.items())) for row in rows}) == 3
    assert learner.propose(rows, baseline, taken=[row.candidate for row in rows]) is None


def test_open_trials_repel_their_likeness():
    learner = Learner(PLANE, 2)
    rows = searched(learner, 10)
    first = learner.propose(rows, START, taken=[row.candidate for row in rows])

    second = learner.propose(rows, START, taken=[row.candidate for row in rows], pending=[first])

    apart = abs(first["x"] - second["x"]) + abs(first["y"] - second["y"])
    assert apart > 0.05


def test_what_could_not_be_proved_is_passed_over_for_the_unknown():
    """Close to the baseline a hair is to be gained for sure; far from it nobody has looked."""
    sure = [({"x": 0.2 + 0.01 * k, "y": 0.2}, 0.0005 * k) for k in range(1, 7)]
    rows = [Row(at, START, Measured(lift, 0.001)) for at, lift in sure]
    listed = [{"x": 0.27, "y": 0.2}, {"x": 0.7, "y": 0.8}]

    assert Learner(PLANE, 0, mde=0.05).propose(rows, START, among=listed) == listed[1]


def test_a_list_restricts_the_choice():
    rows = searched(Learner(PLANE, 2), 10)
    listed = [{"x": 0.79, "y": 0.61}, {"x": 0.1, "y": 0.9}, START]

    assert Learner(PLANE, 0).propose(rows, START, among=listed) == listed[0]
    assert Learner(PLANE, 0).propose([], START, among=[START]) is None
