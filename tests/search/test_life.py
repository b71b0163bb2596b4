from itertools import pairwise

import pytest

from engine.experiment.entries import ExperimentEnded, Promoted, WindowClosed
from engine.experiment.variant import configured
from engine.experiment.verdict import Verdict
from search.life import SEATED_WITHIN_S
from tests.search.stage import BEGIN, WORKFLOW, Stage, experiment_of, next_level


def candidate_hash(stage: Stage, trial: str = "a") -> str:
    """The hash of what a trial proposes, learnt by letting it open a window."""
    return next(w.candidate for w in stage.workflow.windows.values() if w.trial == trial)


def last(life):
    return list(life.reports())[-1]


def test_a_better_candidate_is_nominated_with_its_evidence(stage):
    stage.serve(2)
    stage.quality = {stage.baseline: 0.3}
    life = stage.life("a", **{"llm.temperature": 0.9})

    report = last(life)

    ramp = stage.workflow.ramp
    assert (report.action, report.cause) == ("promote", "evidence")
    assert ramp is not None
    assert ramp.share == 250_000
    assert ramp.lane == 900_000
    assert ramp.continues == (report.window,)
    nominated = stage.decisions.ledger.read()[-1]
    assert nominated.kind == "Nominated"
    assert nominated.body["verdict"]["evidence"]["upto"] > 0


def test_a_worse_candidate_is_stopped_for_harm(stage):
    stage.quality = {stage.baseline: 0.9}
    life = stage.life("a")

    report = last(life)

    assert (report.action, report.cause) == ("stop", "harm")
    assert stage.workflow.open_windows == ()
    assert stage.workflow.windows[report.window].verdict.cause == "harm"


def test_a_window_carries_the_baselines_mean_and_the_next_level_of_the_budget(stage):
    stage.quality = {stage.baseline: 0.7}
    stage.serve(10)
    reports = stage.life("a").reports()

    next(reports)

    (window,) = stage.workflow.open_windows
    assert window.f0 == pytest.approx(0.7, abs=0.05)
    assert window.alpha == next_level(stage)
    assert (window.share, window.lane, window.lease_s) == (200_000, 200_000, 10.0)


def test_without_history_the_frozen_mean_is_a_half(stage):
    next(stage.life("a").reports())

    assert stage.workflow.open_windows[0].f0 == 0.5


def test_each_launch_takes_its_part_of_the_budget(stage):
    stage.on_sleep = stage.wait
    next(stage.life("a").reports())
    next(stage.life("b", **{"rag.top_k": 9}).reports())

    first, second = stage.workflow.open_windows

    assert second.alpha == next_level(stage, first)


def test_the_candidate_is_the_baseline_with_the_proposed_settings(stage):
    params = {"llm.temperature": 0.25, "rag.top_k": 8, "rag.rerank.enabled": False}
    next(stage.life("a", **params).reports())

    (window,) = stage.workflow.open_windows
    settings = stage.workflow.variants[window.candidate].settings
    before = stage.workflow.variants[stage.baseline].settings

    assert {path: settings[path] for path in params} == params
    assert {p: v for p, v in settings.items() if p not in params} == {
        p: v for p, v in before.items() if p not in params
    }


def test_a_copy_of_the_baseline_never_opens_a_window(stage):
    report = last(stage.life("a", **{"llm.temperature": 0.2, "rag.top_k": 4}))

    assert (report.action, report.cause, report.figures) == ("stop", "duplicate", None)
    assert stage.workflow.windows == {}


def test_an_impossible_configuration_never_opens_a_window(stage):
    report = last(stage.life("a", **{"llm.temperature": 99.0}))

    assert report.action == "stop"
    assert report.cause.startswith("impossible")
    assert stage.workflow.windows == {}


def test_a_settled_pair_is_not_tried_again(stage):
    stage.quality = {stage.baseline: 0.9}
    last(stage.life("a"))

    report = last(stage.life("b"))

    assert (report.action, report.cause) == ("stop", "duplicate")
    assert report.candidate == candidate_hash(stage)
    assert len(stage.workflow.windows) == 1


def test_a_full_house_makes_a_trial_wait(stage):
    stage.on_sleep = stage.wait
    next(stage.life("a").reports())
    next(stage.life("b", **{"rag.top_k": 9}).reports())
    waited = []

    def leave(seconds: float) -> None:
        waited.append(seconds)
        stage.wait(seconds)
        if len(waited) == 3:
            stop = Verdict(action="stop", cause="operator", reason="asked for")
            stage.append(WindowClosed(window=stage.workflow.open_windows[0].id, verdict=stop))

    stage.on_sleep = leave
    next(stage.life("c", **{"rag.top_k": 2}).reports())

    assert len(stage.workflow.open_windows) == 2
    assert waited[:3] == sorted(waited[:3])


def test_a_nomination_supersedes_the_other_trials_and_keeps_their_figures(stage):
    stage.quality = {stage.baseline: 0.3}
    other = stage.life("b", **{"rag.top_k": 9})
    others = other.reports()
    next(others)
    last(stage.life("a"))

    end = list(others)[-1]

    assert (end.action, end.cause) == ("superseded", "superseded")
    assert end.figures is not None


def test_a_stale_nomination_loses(stage):
    """Two candidates are proved better by the same facts; only the first is nominated."""
    stage.quality = {stage.baseline: 0.2}
    stage.on_sleep = stage.wait
    one, two = stage.life("a"), stage.life("b", **{"rag.top_k": 9})
    first, second = next(one.reports()), next(two.reports())
    stage.serve(20)
    won = []

    stage.meanwhile = lambda: won.append(one.look(first.window))
    lost = two.look(second.window)

    assert [report.action for report in won] == ["promote"]
    assert (lost.action, lost.cause) == ("superseded", "superseded")
    kinds = [entry.kind for entry in stage.decisions.ledger.read()]
    assert kinds.count("Nominated") == 1


def test_a_promotion_meanwhile_makes_a_nomination_stale(stage):
    stage.quality = {stage.baseline: 0.2}
    stage.on_sleep = stage.wait
    life = stage.life("a")
    opened = next(life.reports()).window
    window = stage.workflow.windows[opened]
    stage.serve(20)
    promoted = Promoted(
        workflow=window.workflow,
        before=window.baseline,
        after=window.candidate,
        reason="a person said so",
    )

    stage.meanwhile = lambda: stage.append(promoted)
    report = life.look(window.id)

    assert (report.action, report.cause) == ("stop", "operator")
    assert stage.workflow.ramp is None


def test_a_candidate_that_no_unit_meets_is_not_seated(stage):
    stage.on_sleep = stage.wait
    report = last(stage.life("a"))

    assert (report.action, report.cause) == ("stop", "not_seated")
    assert stage.now - BEGIN >= SEATED_WITHIN_S


def test_a_lease_is_renewed_three_times_in_its_length(stage):
    stage.quality = {stage.baseline: 0.5}
    list(stage.life("a").reports())

    times = [at for at, _ in stage.renewed]

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) > 3
    assert max(gaps) <= stage.experiment.windows.lease_s / 3 + 0.5


def test_an_experiment_that_ended_opens_nothing(stage):
    stage.append(ExperimentEnded(experiment="docs-qa", reason="enough"))

    report = last(stage.life("a"))

    assert (report.action, report.cause) == ("stop", "ended")
    assert stage.workflow.windows == {}


def test_what_needs_a_person_holds_and_keeps_its_window(tmp_path):
    asks = experiment_of(mode="experiment")
    stage = Stage(tmp_path, asks)
    stage.quality = {stage.baseline: 0.2}
    reports = stage.life("a").reports()

    held = next(one for one in reports if one.action == "hold" and one.cause == "approval")

    assert not held.is_last
    assert stage.workflow.windows[held.window].is_open
    stage.close()


def test_a_high_risk_change_needs_a_person_even_in_auto(tmp_path):
    risky = experiment_of(
        space={"llm.temperature": {"type": "float", "low": 0.0, "high": 1.0, "risk": "high"}}
    )
    stage = Stage(tmp_path, risky)
    stage.quality = {stage.baseline: 0.2}
    reports = stage.life("a").reports()

    held = next(one for one in reports if one.action in {"hold", "promote"})

    while held.cause != "approval":
        held = next(reports)
    assert held.action == "hold"
    stage.close()


def test_in_an_aa_experiment_every_candidate_is_a_copy_of_the_baseline(tmp_path):
    stage = Stage(tmp_path, experiment_of(aa=True))
    stage.on_sleep = stage.wait
    next(stage.life("a").reports())
    next(stage.life("b").reports())

    variants = stage.workflow.variants
    baseline = variants[stage.baseline]
    copies = [variants[window.candidate] for window in stage.workflow.open_windows]

    assert len({copy.hash for copy in copies} | {baseline.hash}) == 3
    assert all(configured(WORKFLOW, copy) == WORKFLOW for copy in copies)
    stage.close()


def test_an_experiment_out_of_time_closes_its_windows_undecided(tmp_path):
    stage = Stage(tmp_path, experiment_of(max_duration_s=8.0))
    stage.quality = {stage.baseline: 0.5}

    report = last(stage.life("a"))

    assert (report.action, report.cause) == ("stop", "budget")
    assert stage.now - BEGIN == pytest.approx(8.0, abs=2.0)
    assert stage.workflow.open_windows == ()
    stage.close()
