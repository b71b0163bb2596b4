"""When an experiment looks for smaller lifts."""

from engine.experiment.state import WorkflowState
from engine.experiment.window import Window
from search.assess import LATE, is_late


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
