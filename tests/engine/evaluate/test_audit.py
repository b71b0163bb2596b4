"""Laws of the audit: who is drawn depends on nothing but the trace and the metric's name."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from engine.config.metric import Metric
from engine.evaluate.audit import Audit, audited_rows, audits_of, is_audited, label_row, waiting
from engine.evaluate.run import row_of
from engine.stats.calibrated import scale_of
from tests.engine.evidence.books import facts_of, rating, trace

AUDIT = Audit("fair@1", "tone@3", 0.25)
SCALE = scale_of(0.25)
DRAWN = [n for n in range(100) if AUDIT.draws(f"t{n}")]
REST = [n for n in range(100) if not AUDIT.draws(f"t{n}")]


def known(*feedback, traces=range(100)):
    told = {"at": 1.0, "question": "What?", "answer": "That."}
    return facts_of((), [trace(n) | told for n in traces], feedback)


def judged(number, score):
    return rating(number, score, metric="tone@3")


def rows(*feedback, news=()):
    found = audited_rows(AUDIT, known(*feedback), news, at=9.0)
    return {(row["trace_id"], row["metric"]): row["score"] for row in found}


@pytest.mark.parametrize("audited", [0.02, 0.1, 0.5])
def test_the_share_that_is_drawn_is_the_declared_one(audited):
    count = 20_000
    hits = sum(is_audited(f"trace-{n}", "fair@1", audited) for n in range(count))

    assert abs(hits / count - audited) < 4.0 * math.sqrt(audited * (1.0 - audited) / count)


def test_another_metric_draws_others():
    count = 20_000
    both = sum(is_audited(f"t{n}", "a@1", 0.5) and is_audited(f"t{n}", "a@2", 0.5)
               for n in range(count))  # fmt: skip

    assert abs(both / count - 0.25) < 0.02


@given(trace_id=st.text(min_size=1), low=st.floats(0.01, 0.98))
def test_who_is_drawn_is_drawn_at_every_larger_share_too(trace_id, low):
    if is_audited(trace_id, "fair@1", low):
        assert is_audited(trace_id, "fair@1", min(low * 1.5, 0.99))


def test_the_draw_knows_neither_variant_nor_time_nor_text():
    told = pl.DataFrame({"trace_id": [f"t{n}" for n in range(100)]})

    assert [n for n, id_ in enumerate(told["trace_id"]) if AUDIT.draws(id_)] == DRAWN


def test_an_answer_that_was_not_drawn_scores_what_the_evaluator_says_at_once():
    assert rows(judged(REST[0], 0.75)) == {
        (f"t{REST[0]}", "fair@1"): pytest.approx(SCALE.stored(0.75))
    }


def test_a_drawn_answer_is_asked_about_and_has_no_score_before_its_label():
    assert rows(judged(DRAWN[0], 0.75)) == {(f"t{DRAWN[0]}", "fair@1:asked"): 0.75}


def test_a_label_corrects_the_score_that_was_asked_about():
    name = f"t{DRAWN[0]}"
    asked = rating(DRAWN[0], 0.75, metric="fair@1:asked")
    label = rating(DRAWN[0], 0.0, metric="fair@1:label")

    found = rows(judged(DRAWN[0], 0.75), asked, label)

    assert found == {(name, "fair@1"): pytest.approx(SCALE.stored(0.75 - 0.75 / 0.25))}


def test_a_label_without_the_evaluator_s_score_scores_nothing():
    assert rows(rating(DRAWN[0], 1.0, metric="fair@1:label")) == {}


def test_a_label_of_an_answer_that_was_not_drawn_changes_nothing():
    label = rating(REST[0], 0.0, metric="fair@1:label")

    assert rows(judged(REST[0], 1.0), label) == {
        (f"t{REST[0]}", "fair@1"): pytest.approx(SCALE.stored(1.0))
    }


def test_what_is_scored_is_scored_once():
    done = rating(REST[0], 0.5, metric="fair@1")

    assert rows(judged(REST[0], 1.0), done) == {}


def test_scores_of_this_moment_count_before_the_store_knows_them():
    news = [row_of(f"t{REST[0]}", "tone@3", 1.0, at=9.0), row_of("t1", "other@1", 1.0, at=9.0)]

    assert rows(news=news) == {(f"t{REST[0]}", "fair@1"): pytest.approx(SCALE.stored(1.0))}


def test_the_first_label_stands():
    labels = [rating(DRAWN[0], score, metric="fair@1:label", at=at)
              for at, score in ((6.0, 1.0), (5.0, 0.0))]  # fmt: skip

    found = rows(judged(DRAWN[0], 0.0), *labels)

    assert found[f"t{DRAWN[0]}", "fair@1"] == pytest.approx(SCALE.stored(0.0))


@given(score=st.floats(0.0, 1.0), label=st.floats(0.0, 1.0), number=st.sampled_from(DRAWN))
def test_whatever_is_stored_lies_in_0_to_1(score, label, number):
    found = rows(judged(number, score), rating(number, label, metric="fair@1:label"))

    assert all(0.0 <= one <= 1.0 for one in found.values())


def test_waiting_answers_are_told_without_their_variant():
    asked = [rating(n, 0.5, metric="fair@1:asked") for n in DRAWN[:3]]
    label = label_row(AUDIT, f"t{DRAWN[1]}", 1.0, at=3.0)

    found = waiting(AUDIT, known(*asked, label))

    assert found.columns == ["trace_id", "at", "question", "answer"]
    assert set(found["trace_id"]) == {f"t{DRAWN[0]}", f"t{DRAWN[2]}"}


def test_an_experiment_s_calibrated_metrics_are_known_by_their_stored_names():
    raw = {
        "tone": {"type": "rule", "contains": "please", "version": 3},
        "fair": {"type": "calibrated", "by": "tone", "audited": 0.25},
    }

    assert audits_of(TypeAdapter(dict[str, Metric]).validate_python(raw)) == {"fair": AUDIT}
