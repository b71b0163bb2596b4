from engine.experiment.entries import WindowClosed
from engine.experiment.verdict import Verdict
from tests.search.stage import next_level


def last(life):
    return list(life.reports())[-1]


def test_a_trial_continues_the_evidence_of_its_lapsed_window(stage):
    died = stage.life("a").reports()
    first = next(died)
    stage.serve(3)

    resumed = stage.life("a").reports()
    second = next(resumed)

    old = stage.workflow.windows[first.window]
    new = stage.workflow.windows[second.window]
    assert old.verdict.cause == "ended"
    assert new.is_open
    assert new.continues == (old.id,)
    assert (new.alpha, new.f0) == (old.alpha, old.f0)
    assert second.figures["candidate_units"] == 0

    stage.serve(4)
    later = next(resumed)
    with_old = later.figures["candidate_units"]
    assert with_old > 0


def test_the_units_of_a_lapsed_window_count_in_the_one_that_continues_it(stage):
    died = stage.life("a").reports()
    next(died)
    stage.serve(8)
    before = next(died).figures["candidate_units"]

    stage.on_sleep = stage.wait
    after = next(stage.life("a").reports()).figures["candidate_units"]

    assert before > 0
    assert after >= before


def test_continuing_spends_nothing(stage):
    stage.on_sleep = stage.wait
    next(stage.life("a").reports())
    next(stage.life("a").reports())
    next(stage.life("b", **{"rag.top_k": 9}).reports())

    first, _, third = stage.workflow.windows.values()

    assert third.alpha == next_level(stage, first)


def test_a_trial_whose_verdict_is_recorded_repeats_it_without_a_new_window(stage):
    stage.quality = {stage.baseline: 0.9}
    told = last(stage.life("a"))

    again = list(stage.life("a").reports())

    assert [(one.action, one.cause, one.window) for one in again] == [("stop", "harm", told.window)]
    assert again[0].figures == told.figures
    assert len(stage.workflow.windows) == 1


def test_a_window_that_was_closed_elsewhere_ends_its_trial(stage):
    reports = stage.life("a").reports()
    first = next(reports)
    stop = Verdict(action="stop", cause="operator", reason="asked for")
    stage.append(WindowClosed(window=first.window, verdict=stop))

    end = list(reports)

    assert [(one.action, one.cause) for one in end] == [("stop", "operator")]
