from engine.experiment.decide import HARM_LOG_E
from engine.experiment.entries import Promoted, RampStepped, WindowClosed
from engine.experiment.verdict import Verdict
from search.assessed import PATIENCE, assess_holdback, assess_step, assess_trial
from search.books import FactsFollower
from search.selector import holdback_decision
from search.verify import verify
from search.words import verdict_in_words
from tests.search.played import PARAMS, hash_of
from tests.search.stage import Stage, experiment_of


def nominated(stage: Stage) -> None:
    stage.quality = {stage.baseline: 0.2}
    stage.serve(2)
    list(stage.life("a").reports())


def step(stage: Stage):
    facts = FactsFollower(stage.root)
    ramp = stage.workflow.ramp
    return assess_step(
        stage.workflow, stage.experiment, ramp, facts.follow(), upto=facts.upto, now=stage.now
    )


def test_a_step_is_weighed_on_its_own_traffic(stage):
    nominated(stage)
    at_once = step(stage)

    stage.serve(8)
    later = step(stage)

    assert (at_once.action, at_once.cause) == ("continue", "too_early")
    assert at_once.figures["candidate_units"] == 0
    assert later.figures["candidate_units"] > 0


def test_a_step_that_harms_is_rolled_back_whatever_was_known_before(stage):
    nominated(stage)
    ramp = stage.workflow.ramp
    stage.quality = {ramp.candidate: 0.0, ramp.baseline: 1.0}
    stage.serve(20)

    found = step(stage)

    assert (found.action, found.cause) == ("rollback", "harm")


def test_patience_at_a_large_share_is_counted_on_the_rarer_baseline(tmp_path):
    """At nine tenths a candidate has nine units for each of the baseline's."""
    stage = Stage(tmp_path, experiment_of(ramp={"steps": [0.25, 0.9], "min_units": 8}))
    nominated(stage)
    ramp = stage.workflow.ramp
    fine = Verdict(action="promote", cause="evidence", reason="quick enough")
    stage.append(RampStepped(window=ramp.id, share=900_000, verdict=fine))
    stage.serve(16)

    found = step(stage)

    assert found.figures["candidate_units"] > PATIENCE * 8
    assert (found.action, found.cause) == ("continue", "undecided")
    stage.close()


def drifted(stage: Stage):
    """A promotion that was right for a time, until the promoted variant became worse."""
    before, after = stage.baseline, hash_of(stage, "good")
    stage.life("good", **PARAMS["good"])._begin()
    stage.append(
        Promoted(
            workflow="docs",
            before=before,
            after=after,
            holdback=100_000,
            experiment="docs-qa",
            reason="it was better",
        )
    )
    for quality, seconds in ((0.9, 14.0), (0.25, 14.0)):
        stage.quality = {before: 0.6, after: quality}
        stage.serve(seconds)


def held_back(stage: Stage):
    facts = FactsFollower(stage.root)
    window = stage.workflow.holdback
    frames = facts.follow()
    now = stage.now
    return assess_holdback(
        stage.workflow, stage.experiment, window, frames, upto=facts.upto, now=now
    )


def test_a_promoted_variant_that_becomes_worse_later_is_rolled_back(stage):
    drifted(stage)

    verdict = held_back(stage)

    assert (verdict.action, verdict.cause) == ("rollback", "regression")
    assert verdict.figures["harm_log_e"] < HARM_LOG_E


def test_a_regression_is_computed_again_from_the_books(stage):
    drifted(stage)
    decision = holdback_decision(stage.workflow, stage.workflow.holdback, held_back(stage))
    stage.append(decision)
    stage.serve(4)

    verified = verify(stage.root)

    assert verified.holds
    assert verified.verdicts == 1


def test_before_a_batch_is_full_no_regression_is_measured(stage):
    stage.life("good", **PARAMS["good"])._begin()
    stage.append(
        Promoted(
            workflow="docs",
            before=stage.baseline,
            after=hash_of(stage, "good"),
            holdback=100_000,
            experiment="docs-qa",
            reason="it was better",
        )
    )
    stage.serve(1)

    assert held_back(stage).figures["regression_log_e"] is None


def test_where_the_best_is_looked_for_an_equal_rival_holds_a_proof(tmp_path):
    windows = experiment_of().windows.model_dump() | {"allocation": "top-two", "max_units": 50_000}
    stage = Stage(tmp_path, experiment_of(windows=windows))
    stage.on_sleep = stage.wait
    for trial, k in (("a", 8), ("b", 9)):
        next(stage.life(trial, **{"rag.top_k": k}).reports())
    one, other = stage.workflow.open_windows
    stage.quality = {stage.baseline: 0.2, one.candidate: 0.8, other.candidate: 0.8}
    stage.serve(16)
    stage.wait(5)
    stage.serve(1)

    found = trial_of(stage, one)

    assert (found.action, found.cause) == ("hold", "rivals")
    assert 0.0 < found.figures["chance_of_best"] < 0.9
    assert "another open candidate may be better still" in verdict_in_words(found)

    stage.append(
        WindowClosed(
            window=other.id, verdict=Verdict(action="stop", cause="operator", reason="enough")
        )
    )
    alone = trial_of(stage, one)

    assert (alone.action, alone.cause) == ("promote", "evidence")
    assert alone.figures["chance_of_best"] == 1.0
    stage.close()


def trial_of(stage, window):
    facts = FactsFollower(stage.root)
    found = facts.follow()
    return assess_trial(
        stage.workflow, stage.experiment, window, found, upto=facts.upto, now=stage.now
    )


def planned(root, **windows):
    usual = experiment_of().windows.model_dump()
    windows = usual | {"concurrent": 1, "looks": 4, "max_units": 800} | windows
    return Stage(root, experiment_of(policy="group-sequential", windows=windows))


def test_a_planned_look_is_taken_at_its_own_moment_whenever_one_asks(tmp_path):
    stage = planned(tmp_path)
    stage.on_sleep = stage.wait
    next(stage.life("a", **{"rag.top_k": 8}).reports())
    (window,) = stage.workflow.open_windows
    stage.quality = {stage.baseline: 0.5, window.candidate: 0.52}
    found = []
    for _ in range(28):
        stage.serve(1)
        found.append(trial_of(stage, window).figures)

    by_look = {}
    for one in found:
        by_look.setdefault(one["looks"], set()).add(one["look_z"])
    assert by_look[0] == {None}
    assert len(by_look) > 2
    assert all(len(zs) == 1 for zs in by_look.values())
    stage.close()


def test_a_candidate_that_a_look_proves_is_promoted_and_verified(tmp_path):
    stage = planned(tmp_path)
    stage.quality = {stage.baseline: 0.3}
    stage.serve(3)
    life = stage.life("a", **{"rag.top_k": 8})
    reports = []
    for report in life.reports():
        reports.append(report)
        stage.quality |= dict.fromkeys(
            (one.candidate for one in stage.workflow.windows.values()), 0.7
        )

    verdict = next(one.verdict for one in stage.workflow.windows.values() if one.verdict)
    assert verdict.action == "promote"
    assert verdict.figures["look_margin"] >= 0.0
    assert "standard errors" in verdict_in_words(verdict)
    assert verify(stage.root).holds
    stage.close()
