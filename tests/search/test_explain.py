"""Laws of the explanations: every decision is told, with its figures and what it changed."""

from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.books.ledger import Entry
from engine.errors import NotFoundError
from engine.experiment.entries import (
    KINDS,
    CandidateAdded,
    ExperimentStarted,
    HoldbackNarrowed,
    Reallocated,
    decision_of,
)
from engine.experiment.fold import fold
from engine.experiment.state import State
from engine.experiment.verdict import Action, Cause, Verdict
from search.books import Decisions
from search.explain import Explained, changes_in_words, explain
from search.telling import tell
from search.words import UNMEASURED, odds, percent, points, setting, verdict_in_words
from tests.search.played import EXPERIMENT, played


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Entry]]:
    decisions = Decisions(played(tmp_path_factory.mktemp("explain")))
    yield decisions.ledger.read()
    decisions.close()


def of_kind(told: list[Explained], kind: str) -> Explained:
    return next(one for one in told if one.kind == kind)


def test_every_entry_is_told_in_its_order(entries):
    told = explain(entries)

    assert [one.seq for one in told] == [entry.seq for entry in entries]
    assert all(one.text.endswith(".") for one in told)


def test_a_promotion_says_what_was_changed(entries):
    promotion = of_kind(explain(entries), "Promoted")

    assert promotion.changes == {"llm.temperature": (0.2, 0.5), "rag.top_k": (4, 8)}
    assert "is the baseline of docs now" in promotion.text
    assert promotion.reason


def test_harm_is_told_with_the_ratings_of_both_sides_and_the_odds(entries):
    closed = of_kind(explain(entries), "WindowClosed")

    figures = closed.figures
    assert "did harm" in closed.text
    assert percent(figures["candidate_mean"]) in closed.text
    assert percent(figures["baseline_mean"]) in closed.text
    assert odds(figures["harm_log_e"]) in closed.text


def test_a_nomination_says_how_sure_it_is_and_whom_it_ends(entries):
    nominated = of_kind(explain(entries), "Nominated")

    assert "proved better" in nominated.text
    assert points(nominated.figures["lift"]) in nominated.text
    assert "Other open windows are closed" in nominated.text


def test_the_plan_names_the_risk_of_a_false_promotion(entries):
    assert "at most 5.00 %" in of_kind(explain(entries), "ExperimentStarted").text


def test_a_variant_is_found_by_the_beginning_of_its_hash(entries):
    promoted = of_kind(explain(entries), "Promoted")
    candidate = promoted.variants[0]

    told = explain(entries, candidate[:6])

    kinds = [one.kind for one in told]
    assert kinds[0] == "WindowOpened"
    assert {"Nominated", "RampStepped", "Promoted", "ExperimentEnded"} <= set(kinds)
    assert all(candidate in one.variants for one in told)


def test_a_window_is_told_from_its_opening_to_its_end(entries):
    closed = of_kind(explain(entries), "WindowClosed")

    told = explain(entries, closed.windows[0])

    assert [one.kind for one in told] == ["WindowOpened", "WindowClosed"]


def test_an_experiment_is_told_without_what_came_before_it(entries):
    told = explain(entries, EXPERIMENT)

    assert told[0].kind == "ExperimentStarted"
    assert told[-1].kind == "ExperimentEnded"


@pytest.mark.parametrize("unknown", ["nothing", "w99", "abc", ""])
def test_an_unknown_name_is_refused_with_what_there_is(entries, unknown):
    with pytest.raises(NotFoundError, match=EXPERIMENT):
        explain(entries, unknown)


def test_the_played_ledger_holds_most_kinds_of_decision(entries):
    # The others need a person, or a clock that the played trials don't have.
    rest = {"RolledBack", "HoldbackNarrowed", "HoldbackClosed", "Reallocated", "CandidateAdded"}
    assert KINDS.keys() - {entry.kind for entry in entries} == rest


@pytest.mark.parametrize("cause", get_args(Cause))
@pytest.mark.parametrize("action", get_args(Action))
def test_a_verdict_without_any_figure_is_told_without_inventing_one(action, cause):
    verdict = Verdict(action=action, cause=cause, reason="because")

    text = verdict_in_words(verdict, alpha=0.01)

    assert text.endswith(".")
    assert "None" not in text
    assert "nan" not in text
    assert "0.0 %" not in text


def test_what_was_not_measured_is_said_and_is_never_zero():
    assert points(None) == UNMEASURED
    assert percent(None) == UNMEASURED
    assert UNMEASURED in odds(None)


@given(st.floats(-500, 500))
def test_odds_always_read_as_odds(log_e):
    assert odds(log_e).endswith(" : 1")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"),
        (0.1 + 0.2, "0.3"),
        (None, "absent"),
        (("a", "b"), "a, b"),
        ((), "none"),
        ("plain", "plain"),
        (4, "4"),
    ],
)
def test_a_setting_is_written_as_an_operator_would(value, written):
    assert setting(value) == written


def test_no_change_is_nothing():
    assert changes_in_words({}) == "nothing"


def test_sharing_traffic_anew_is_told_with_both_shares(entries):
    opening = next(entry for entry in entries if entry.kind == "WindowOpened")
    window, candidate = opening.body["window"], opening.body["candidate"]["hash"]
    shared = Reallocated(
        experiment=EXPERIMENT,
        workflow="docs",
        shares={window: 50_000},
        cap=400_000,
        reason="the better ones get more",
    )

    told = tell(fold(entries[: opening.seq]), shared)

    assert f"{candidate} 5 % instead of 20 %" in told.text
    assert (told.windows, told.variants) == ((window,), (candidate,))
    assert (told.experiment, told.reason) == (EXPERIMENT, shared.reason)


def test_a_narrowed_holdback_is_told_with_both_shares(entries):
    state = fold(entries)
    held = state.workflow("docs").holdback
    stands = Verdict(action="continue", cause="undecided", reason="it stands")
    narrowed = HoldbackNarrowed(window=held.id, share=20_000, reason="for long", verdict=stands)

    told = tell(state, narrowed)

    assert "keeps 2 % of the traffic instead of 10 %" in told.text
    assert (told.windows, told.reason) == ((held.id,), "for long")


def test_a_wish_is_told_with_what_it_changes(entries):
    wish = CandidateAdded(experiment=EXPERIMENT, workflow="docs", changes={"rag.top_k": 3})

    told = tell(fold(entries), wish)

    assert told.changes == {"rag.top_k": (8, 3)}
    assert told.experiment == EXPERIMENT


def test_a_rule_that_proves_nothing_says_so():
    verdict = Verdict(action="promote", cause="rule", reason="the article's rule takes it")

    assert "proves nothing" in verdict_in_words(verdict)


def test_a_verdict_without_words_of_its_own_is_told_by_its_reason():
    verdict = Verdict(action="hold", cause="segment", reason="the segment code is not proved yet")

    assert verdict_in_words(verdict) == "The segment code is not proved yet."


@pytest.mark.parametrize(
    ("figure", "what"),
    [("regression_log_e", "became worse"), ("error_regression_log_e", "began to fail more often")],
)
def test_a_regression_is_told_by_what_gave_it_away(figure, what):
    figures = {"regression_log_e": 0.0, "error_regression_log_e": 0.0, figure: 9.0}
    verdict = Verdict(action="rollback", cause="regression", reason="drifted", figures=figures)

    said = verdict_in_words(verdict)

    assert f"It {what} after its promotion." in said
    assert "8,103 : 1" in said


def test_the_plan_of_the_articles_rule_promises_no_proof(entries):
    started = next(one for one in map(decision_of, entries) if isinstance(one, ExperimentStarted))
    config = started.config | {"policy": "article"}

    told = tell(State(), started.model_copy(update={"config": config}))

    assert "Nothing is proved by it." in told.text


def test_missing_ratings_are_told_with_what_they_leave_open():
    figures = {"missing_log_e": 9.0, "lee_low": -0.05, "lee_high": 0.02}
    verdict = Verdict(action="hold", cause="missingness", reason="unequal", figures=figures)

    assert "between -5.0 points and +2.0 points" in verdict_in_words(verdict)


def test_the_plan_says_what_alpha_bounds(entries):
    started = next(one for one in map(decision_of, entries) if isinstance(one, ExperimentStarted))
    config = started.config | {"alpha_mode": "fdr"}

    told = tell(State(), started.model_copy(update={"config": config}))

    assert "The expected share of mistakes among all promotions is at most 5.00 %" in told.text
