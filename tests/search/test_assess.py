"""When an experiment looks for smaller lifts, and what its promotions have spent."""

import numpy as np

from engine.experiment.state import WorkflowState
from engine.experiment.window import Window
from engine.stats.moments import Moments, moments_of
from engine.stats.ratio import Stratum, ratio_interval
from search.assess import LATE, highest_ratio, is_late


def trial(number, *, experiment="docs-qa", baseline="base", **changes):
    return Window(
        id=f"w{number}",
        kind="trial",
        experiment=experiment,
        workflow="docs",
        candidate=f"v{number}",
        baseline=baseline,
        share=50_000,
        lane=50_000,
        alpha=0.01,
        opened_seq=number,
        opened_at=0.0,
        stepped_seq=number,
        **changes,
    )


def workflow_of(*windows):
    return WorkflowState.model_construct(
        name="docs", windows={one.id: one for one in windows}, splits={}, baseline="base"
    )


def late(*before):
    newest = trial(LATE + 10)
    return is_late(workflow_of(*before, newest), newest)


def test_after_many_trials_smaller_lifts_are_looked_for():
    assert not late(*(trial(number) for number in range(LATE - 1)))
    assert late(*(trial(number) for number in range(LATE)))


def test_a_promotion_does_not_begin_the_count_anew():
    assert late(*(trial(number, baseline="before") for number in range(LATE)))


def test_trials_of_another_experiment_and_windows_that_go_on_count_for_nothing():
    assert not late(*(trial(number, experiment="other") for number in range(LATE)))
    assert not late(*(trial(number, continues=("w0",)) for number in range(1, LATE + 1)))


def test_a_window_that_goes_on_keeps_its_question():
    first = trial(0)
    others = [trial(number) for number in range(1, LATE + 5)]
    again = trial(LATE + 10, continues=("w0",))

    assert not is_late(workflow_of(first, *others, again), again)


def test_what_a_promotion_may_have_spent_is_known_closer_than_it_is_shown():
    held_back, promoted = Moments(n=20_000, mean=0.0, m2=12_800.0), 180_000
    strata = [Stratum(Moments(n=promoted, mean=0.1, m2=0.64 * promoted), held_back)]

    assert np.exp(0.1) < highest_ratio(strata) < ratio_interval(strata, alpha=0.05).high


def test_a_promotion_has_spent_more_than_is_known_in_one_of_twenty_at_most():
    """Equal variants, looked at forty times while a holdback fills."""
    rng = np.random.default_rng(1)
    runs = [[highest_ratio(strata) for strata in filled(rng)] for _ in range(200)]

    assert np.mean([min(bounds) < 1.0 for bounds in runs]) <= 0.05


def filled(rng):
    """What a holdback of a tenth has shown at each of its looks."""
    promoted, held_back = rng.normal(0.0, 0.8, 72_000), rng.normal(0.0, 0.8, 8_000)
    for part in np.geomspace(0.03, 1.0, 40):
        sides = (one[: int(part * one.size)] for one in (promoted, held_back))
        yield [Stratum(*(moments_of(side) for side in sides))]
