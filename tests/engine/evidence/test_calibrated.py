"""From stored scores and labels to a calibrated objective: whose units count, and for how much."""

from math import log

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.metric import Calibrated, Judge
from engine.evaluate.audit import Audit, audited_rows, label_row
from engine.evidence.measure import Questions, measure
from engine.evidence.rounding import rounded
from engine.experiment.decide import figures_of
from engine.stats.estimate import estimate
from engine.stats.tally import LEVELS
from tests.engine.evidence.books import MATURE_S, NOW, PAIR, exposure, facts_of, rating, trace
from tests.engine.experiment.samples import RULES

FAIR = Calibrated(type="calibrated", by="tone", audited=0.2)
JUDGE = Judge(type="judge", model="m", prompt="{question} {answer}")
AUDIT = Audit("fair@1", "tone@1", 0.2)
ASKED = Questions(objective="fair", metrics={"fair": FAIR})
PLAINLY = Questions(objective="tone", metrics={"tone": JUDGE})
SCALE = ASKED.scale("fair")


def drawn(wanted, *, after=0):
    """The first number of a trace that is drawn for a label, or isn't."""
    return next(n for n in range(after, 10_000) if AUDIT.draws(f"t{n}") == wanted)


def sample_of(exposures, traces, feedback, questions=ASKED, pair=PAIR):
    facts = facts_of(exposures, traces, feedback)
    return measure(facts, pair, now=NOW, maturation_s=MATURE_S, questions=questions)


def stored(number, score, **changes):
    return rating(number, SCALE.stored(score), metric="fair@1", **changes)


def test_an_answer_without_its_label_is_unrated_but_counts_against_the_candidate():
    number = drawn(wanted=True)
    asked = rating(number, 0.75, metric="fair@1:asked")

    sample = sample_of([exposure(number)], [trace(number)], [asked])

    assert sample.quality[0].candidate_unrated == 1
    assert sample.against[0].candidate_unrated == 0
    (level,) = np.flatnonzero(sample.against[0].candidate)
    assert sample.against[0].scores[level] == pytest.approx(
        0.75 - 0.75 / 0.2, abs=SCALE.width / 100
    )


def test_a_missing_label_of_the_baseline_counts_for_the_baseline():
    number = drawn(wanted=True)
    asked = rating(number, 0.75, metric="fair@1:asked")

    sample = sample_of([exposure(number, "base")], [trace(number)], [asked])

    (level,) = np.flatnonzero(sample.against[0].baseline)
    assert sample.against[0].scores[level] == pytest.approx(
        0.75 + 0.25 / 0.2, abs=SCALE.width / 100
    )


def test_an_answer_that_nobody_evaluated_is_unrated_and_counts_against_nobody():
    sample = sample_of([exposure(1)], [trace(1)], [])

    assert sample.quality[0].candidate_unrated == sample.against[0].candidate_unrated == 1


def test_a_failed_request_scores_0_on_the_label_s_scale():
    sample = sample_of([exposure(1)], [trace(1, status="error")], [stored(1, 1.0)])

    (level,) = np.flatnonzero(sample.quality[0].candidate)
    assert sample.quality[0].scores[level] == pytest.approx(0.0, abs=SCALE.width / 100)


def test_a_unit_that_waits_for_one_of_its_labels_is_unrated():
    one, other = drawn(wanted=True), drawn(wanted=False)
    both = [exposure(one), exposure(other) | {"unit_id": f"u{one}"}]
    feedback = [rating(one, 1.0, metric="fair@1:asked"), stored(other, 1.0)]

    sample = sample_of(both, [trace(one), trace(other)], feedback)

    assert sample.quality[0].candidate_unrated == 1
    assert sample.against[0].candidate_unrated == 0


def test_a_label_that_came_too_late_is_a_missing_one():
    number = drawn(wanted=True)
    feedback = [rating(number, 0.5, metric="fair@1:asked"), stored(number, 1.0, at=51.0 + MATURE_S)]

    sample = sample_of([exposure(number)], [trace(number)], feedback)

    assert sample.quality[0].candidate_unrated == 1


def test_the_ends_of_open_scores_are_part_of_the_digest():
    number = drawn(wanted=True)
    digests = {
        sample_of(
            [exposure(number)], [trace(number)], [rating(number, g, metric="fair@1:asked")]
        ).digest
        for g in (0.0, 1.0)
    }

    assert len(digests) == 2


def test_a_guardrail_on_a_calibrated_metric_takes_missing_labels_against_the_candidate():
    number = drawn(wanted=True)
    asked = rating(number, 1.0, metric="fair@1:asked")
    questions = Questions(metrics={"fair": FAIR})

    sample = sample_of([exposure(number)], [trace(number)], [asked], questions)

    assert sample.metrics["fair"][0].candidate[0] == 1
    assert sample.against == ()


@given(score=st.floats(0.0, 1.0))
def test_rounding_to_levels_moves_no_mean(score):
    count = 4_000
    units = pl.DataFrame(
        {
            "unit_id": [f"u{n}" for n in range(count)],
            "epoch": ["1.0"] * count,
            **dict.fromkeys(("score.fair", "least.fair", "most.fair"), [score] * count),
        }
    )

    levels = rounded(units, ASKED)["score.fair"].to_numpy() * (LEVELS - 1)

    assert np.abs(levels - score * (LEVELS - 1)).max() < 1.0
    assert levels.mean() == pytest.approx(score * (LEVELS - 1), abs=4.0 * 0.5 / count**0.5)


def world(seed, *, silent=0.0, units=12_000):
    """Equal variants, a judge who takes half of the candidate's bad answers for good."""
    rng = np.random.default_rng(seed)
    own = rng.random(units) < 0.5
    labels = (rng.random(units) < 0.6).astype(float)
    judged = np.where(own & (rng.random(units) < 0.5), 1.0, labels)
    exposures = [
        exposure(n, "cand" if own[n] else "base", at=50.0 + n * 1e-4, version=6)
        for n in range(units)
    ]
    traces = [trace(n) | {"at": 50.0} for n in range(units)]
    feedback = [rating(n, judged[n], metric="tone@1") for n in range(units)]
    said = rng.random(units) >= silent
    label_rows = [label_row(AUDIT, f"t{n}", labels[n], at=51.0) for n in range(units) if said[n]]
    known = facts_of(exposures, traces, feedback + label_rows)
    return exposures, traces, feedback + audited_rows(AUDIT, known, [], at=51.5)


def test_a_judge_in_favour_of_the_candidate_proves_nothing_once_it_is_calibrated():
    books = world(5)
    pair = PAIR

    favoured = estimate(sample_of(*books, PLAINLY, pair).quality, f=0.6)
    calibrated = estimate(sample_of(*books, ASKED, pair).quality, f=0.6)

    assert favoured.lift > 0.15
    assert abs(calibrated.lift) < 3.0 * calibrated.se
    assert calibrated.candidate_mean == pytest.approx(0.6, abs=0.08)
    assert calibrated.baseline_mean == pytest.approx(0.6, abs=0.08)


def test_labels_that_nobody_gave_prove_nothing_either():
    sample = sample_of(*world(6, silent=0.6))

    figures = figures_of(sample, RULES)

    assert figures["log_e"] > log(1 / RULES.alpha)
    assert figures["unlabelled_log_e"] < 0.0


def test_with_every_label_both_readings_are_one():
    figures = figures_of(sample_of(*world(7)), RULES)

    assert figures["unlabelled_log_e"] == pytest.approx(figures["log_e"])
