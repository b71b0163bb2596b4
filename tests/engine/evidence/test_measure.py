"""Laws of measurement: intention to treat, counted once, and final at maturity."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.evidence.measure import Facts, Pair, Questions, Shares, measure
from engine.evidence.records import empty
from tests.engine.evidence.books import (
    MATURE_S,
    NOW,
    PAIR,
    books,
    exposure,
    facts_of,
    measured,
    plain,
    quarters,
    rating,
    scores,
    trace,
)
from tests.engine.evidence.slow_measure import cells_of, units_of

few = settings(max_examples=40, deadline=None)


@settings(max_examples=120, deadline=None)
@given(books(), quarters)
def test_the_fast_measurement_agrees_with_plain_loops(told, now):
    sample = measured(*told, now=now)

    units = units_of(*told, PAIR, now=now, maturation_s=MATURE_S)
    cells = cells_of(units, PAIR)

    for found, wanted in zip(plain(sample), cells, strict=True):
        for name in ("pi", "scores", "unrated", "fine"):
            assert found[name] == wanted[name], name
        assert found["errors"] == (wanted["pi"], *wanted["errors"])
        assert found["exposed"] == (wanted["exposed"], (wanted["pi"], 1 - wanted["pi"]))
        for side, logs in zip(found["latency"], wanted["log_s"], strict=True):
            assert side["n"] == len(logs)
            assert side["mean"] == pytest.approx(sum(logs) / max(len(logs), 1))
    old = [unit for unit in units.values() if unit["matured"]]
    newest = max((unit["at"] for unit in old), default=0.0)
    oldest = min((unit["at"] for unit in units.values()), default=0.0)
    assert sample.candidate_units == sum(unit["side"] == "candidate" for unit in old)
    assert sample.baseline_units == sum(unit["side"] == "baseline" for unit in old)
    assert sample.elapsed_s == (newest - oldest if old else 0.0)


@few
@given(books(), quarters, st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(told, now, dice):
    sample = measured(*told, now=now)

    shuffled = measured(*(dice.sample(rows, len(rows)) for rows in told), now=now)

    assert shuffled.digest == sample.digest
    assert plain(shuffled) == plain(sample)


@few
@given(books(), quarters, st.lists(st.tuples(st.integers(0, 14), scores), max_size=5))
def test_feedback_after_the_horizon_never_changes_anything(told, now, words):
    exposures, traces, feedback = told
    began = {row["trace_id"]: row["at"] for row in exposures}
    late = [
        rating(n, score, at=began[f"t{n}"] + MATURE_S + 0.25)
        for n, score in words
        if f"t{n}" in began
    ]

    before = measured(exposures, traces, feedback, now=now)
    after = measured(exposures, traces, [*feedback, *late], now=now)

    assert after.digest == before.digest
    assert plain(after) == plain(before)


@few
@given(books(), quarters)
def test_what_happens_after_now_never_changes_a_matured_outcome(told, now):
    exposures, traces, feedback = told
    lasted = {row["trace_id"]: row["duration_s"] for row in traces}
    known = (
        [row for row in exposures if row["at"] <= now],
        [
            trace
            for row in exposures
            for trace in traces
            if trace["trace_id"] == row["trace_id"] and row["at"] + lasted[row["trace_id"]] <= now
        ],
        [word for word in feedback if word["at"] <= now],
    )

    then, later = measured(*known, now=now), measured(*told, now=now)

    assert matured_of(later) == matured_of(then)


def matured_of(sample):
    """What a sample says of matured units, in the cells that have any."""
    kept = ("pi", "scores", "unrated", "fine", "failed", "latency")
    cells = [{name: cell[name] for name in kept} for cell in plain(sample)]
    return [cell for cell in cells if any(cell["fine"] + cell["failed"])]


@few
@given(books(), quarters)
def test_maturity_is_the_same_for_both_sides(told, now):
    exposures, traces, feedback = told
    turned = {"cand": "base", "base": "cand"}
    windows = {"w1": "", "w0": "", "": "w1"}
    swapped = [
        row
        | {
            "variant": turned.get(row["variant"], row["variant"]),
            "window": windows.get(row["window"], row["window"]),
        }
        for row in exposures
        if (row["variant"], row["window"]) in {("cand", "w1"), ("cand", "w0"), ("base", "")}
    ]
    straight = [
        row
        for row in exposures
        if (row["variant"], row["window"]) in {("cand", "w1"), ("cand", "w0"), ("base", "")}
    ]

    a = measured(straight, traces, feedback, now=now)
    b = measured(swapped, traces, feedback, now=now)

    assert (a.candidate_units, a.baseline_units) == (b.baseline_units, b.candidate_units)
    assert [cell["scores"] for cell in plain(a)] == [cell["scores"][::-1] for cell in plain(b)]
    assert [cell["latency"] for cell in plain(a)] == [cell["latency"][::-1] for cell in plain(b)]


def one_of_each(**changes):
    rows = [exposure(0, **changes), exposure(1, "base")]
    return rows, [trace(0), trace(1)], [rating(0, 0.8), rating(1, 0.4)]


def score_counts(sample):
    (cell,) = plain(sample)
    return [{k: n for k, n in enumerate(side) if n} for side in cell["scores"]]


def test_a_rated_pair_is_one_cell_with_both_scores():
    sample = measured(*one_of_each())

    assert score_counts(sample) == [{80: 1}, {40: 1}]
    assert (sample.candidate_units, sample.baseline_units) == (1, 1)
    assert sample.quality[0].pi == 0.1
    assert sample.latency[0].candidate.mean == pytest.approx(math.log(0.5))


def test_no_facts_are_no_cells():
    nothing = Facts(empty("exposure"), empty("trace"), empty("feedback"))

    sample = measure(nothing, PAIR, now=NOW, maturation_s=MATURE_S)

    assert (sample.quality, sample.errors, sample.elapsed_s) == ((), (), 0.0)
    assert (sample.candidate_units, sample.baseline_units) == (0, 0)


@pytest.mark.parametrize(
    "foreign",
    [
        {"forced": True},
        {"lapsed": ",w1,"},
        {"lapsed": ",w0,w9,"},
        {"version": 5},
        {"window": "w2"},
        {"window": ""},
        {"variant": "other"},
        {"variant": "base", "window": "w1"},
    ],
)
def test_forced_lapsed_and_foreign_exposures_are_left_out(foreign):
    sample = measured(*one_of_each(**foreign))

    assert (sample.candidate_units, sample.baseline_units) == (0, 1)
    assert sample.exposed[0][0] == (0, 1)


def test_a_lapse_of_somebody_elses_window_leaves_nobody_out():
    sample = measured(*one_of_each(lapsed=",w2,w11,"))

    assert sample.candidate_units == 1


def test_while_the_candidate_lapses_the_baseline_is_not_counted_either():
    rows = [exposure(0, "base", lapsed=",w1,"), exposure(1, "base", window="w1", lapsed=",w1,")]

    assert measured(rows, [trace(0), trace(1)]).baseline_units == 0


def test_a_unit_is_counted_once_at_the_share_of_its_first_exposure():
    rows = [
        exposure(0, at=50.0, unit_id="u", version=3),
        exposure(1, at=52.0, unit_id="u", version=4),
        exposure(2, at=54.0, unit_id="u", version=4, epoch="4.0"),
    ]

    sample = measured(rows, [trace(0), trace(1), trace(2)])

    assert [cell[0] for cell in sample.exposed] == [(1, 0), (1, 0)]
    assert [tally.pi for tally in sample.quality] == [0.1, 0.125]


def test_a_unit_stays_with_the_side_that_it_met_first():
    rows = [exposure(0, "base", at=50.0, unit_id="u"), exposure(1, at=52.0, unit_id="u")]

    sample = measured(rows, [trace(0), trace(1)], [rating(0, 0.2), rating(1, 0.8, at=53.0)])

    assert (sample.candidate_units, sample.baseline_units) == (0, 1)
    assert score_counts(sample) == [{}, {50: 1}]


def test_several_rated_requests_are_one_mean():
    rows = [exposure(n, at=50.0 + n, unit_id="u") for n in range(3)]
    words = [rating(0, 1.0), rating(1, 0.5, at=52.0)]

    sample = measured(rows, [trace(n) for n in range(3)], words)

    assert score_counts(sample) == [{75: 1}, {}]


def test_the_last_word_about_an_answer_counts():
    words = [rating(0, 1.0, at=52.0), rating(0, 0.2, at=51.0)]

    assert score_counts(measured([exposure(0)], [trace(0)], words)) == [{100: 1}, {}]


def test_a_failure_scores_nothing_whatever_it_was_rated_and_whoever_served_it():
    rows = [exposure(0, served="base"), exposure(1)]
    traces = [trace(0, status="error"), trace(1, status="timeout")]

    sample = measured(rows, traces, [rating(0, 1.0), rating(1, 1.0)])

    assert score_counts(sample) == [{0: 2}, {}]
    assert plain(sample)[0]["failed"] == [2, 0]
    assert sample.errors == ((0.1, 2, 2),)
    assert sample.latency[0].candidate.n == 0


def test_one_failed_request_marks_the_unit_and_counts_as_nothing_in_its_mean():
    rows = [exposure(0, unit_id="u"), exposure(1, at=51.0, unit_id="u")]

    sample = measured(rows, [trace(0), trace(1, status="error")], [rating(0, 1.0)])

    assert score_counts(sample) == [{50: 1}, {}]
    assert sample.errors == ((0.1, 1, 1),)
    assert sample.latency[0].candidate.mean == pytest.approx(math.log(0.5))


def test_a_fallback_that_answers_is_an_outcome_of_the_variant_assigned():
    sample = measured([exposure(0, served="base")], [trace(0)], [rating(0, 0.9)])

    assert score_counts(sample) == [{90: 1}, {}]


def test_a_lost_trace_is_a_failure_once_the_unit_has_matured():
    before = measured([exposure(0)], now=59.75)
    after = measured([exposure(0)], now=60.0)

    assert (before.candidate_units, before.errors) == (0, ((0.1, 0, 0),))
    assert (after.candidate_units, after.errors) == (1, ((0.1, 1, 1),))
    assert score_counts(after) == [{0: 1}, {}]


def test_an_answer_after_the_horizon_came_too_late():
    in_time = measured([exposure(0)], [trace(0, duration_s=10.0)])
    late = measured([exposure(0)], [trace(0, duration_s=10.25)])

    assert (in_time.errors, late.errors) == (((0.1, 0, 0),), ((0.1, 1, 1),))


def test_a_young_failure_is_an_error_at_once_but_no_outcome_yet():
    sample = measured([exposure(0)], [trace(0, status="error")], now=51.0)

    assert sample.errors == ((0.1, 1, 1),)
    assert sample.candidate_units == 0
    assert score_counts(sample) == [{}, {}]


@pytest.mark.parametrize(("at", "counts"), [(60.0, {80: 1}), (60.25, {})])
def test_feedback_counts_up_to_the_horizon(at, counts):
    sample = measured([exposure(0)], [trace(0)], [rating(0, 0.8, at=at)])

    assert score_counts(sample) == [counts, {}]
    assert sample.quality[0].candidate_unrated == 1 - len(counts)


def test_what_a_unit_does_after_its_horizon_is_no_part_of_its_outcome():
    rows = [exposure(0, unit_id="u"), exposure(1, at=60.25, unit_id="u")]
    traces = [trace(0), trace(1, status="error")]

    early = measured(rows[:1], traces[:1], [rating(0, 1.0)])
    late = measured(rows, traces, [rating(0, 1.0), rating(1, 0.0, at=61.0)])

    assert plain(late) == plain(early)
    assert late.digest == early.digest


def test_another_metric_is_not_the_objective():
    sample = measured([exposure(0)], [trace(0)], [rating(0, 1.0, metric="tone")])

    assert score_counts(sample) == [{}, {}]
    assert sample.quality[0].candidate_unrated == 1


def test_a_changed_share_opens_another_cell():
    rows = [exposure(0, at=40.0), exposure(1, "base", at=41.0)]
    rows += [exposure(2, at=50.0, version=6), exposure(3, "base", at=51.0, version=6)]

    sample = measured(rows, [trace(n) for n in range(4)])

    assert [tally.pi for tally in sample.quality] == [0.1, 0.5]
    assert sample.exposed == (((1, 1), (0.1, 0.9)), ((1, 1), (0.5, 0.5)))
    assert sample.elapsed_s == 11.0


OUTCOMES = {
    "a score": lambda told: told[2][0].update(score=0.81),
    "a failure": lambda told: told[1][0].update(status="error"),
    "a duration": lambda told: told[1][1].update(duration_s=0.51),
    "a side": lambda told: told[0][0].update(variant="base", window=""),
    "a version": lambda told: told[0][0].update(version=4),
    "a unit": lambda told: told[0][0].update(unit_id="u9"),
    "an epoch": lambda told: told[0][0].update(epoch="1.1"),
    "a time": lambda told: told[0][0].update(at=50.25),
    "a lost trace": lambda told: told[1].pop(),
    "a lost rating": lambda told: told[2].pop(),
    "a lost exposure": lambda told: told[0].pop(),
}


@pytest.mark.parametrize("change", OUTCOMES.values(), ids=OUTCOMES)
def test_the_digest_changes_with_any_outcome(change):
    told = one_of_each()
    change(told)

    assert measured(*told).digest != measured(*one_of_each()).digest


def test_the_digest_covers_young_failures_because_a_verdict_may_rest_on_them():
    young = measured([exposure(0)], [trace(0)], now=51.0)
    failed = measured([exposure(0)], [trace(0, status="error")], now=51.0)

    assert young.digest != failed.digest


def test_what_was_said_of_a_young_unit_is_no_outcome_yet():
    silent = measured([exposure(0)], [trace(0)], now=51.0)
    rated = measured([exposure(0)], [trace(0)], [rating(0, 1.0, at=50.5)], now=51.0)

    assert silent.digest == rated.digest


def test_the_digest_is_the_same_on_every_machine_and_for_ever():
    assert measured(*one_of_each()).digest.startswith("2513324a7631856d")


def test_without_a_candidate_the_baseline_can_be_measured_alone():
    alone = Pair("", "base", (), ("",), {3: Shares(1, 999_999)})

    sample = measured(*one_of_each(), pair=alone)

    assert score_counts(sample) == [{}, {40: 1}]


def test_in_a_holdback_the_promoted_variant_is_the_candidate():
    turned = Pair("cand", "base", ("",), ("h1",), {7: Shares(900, 100)})
    rows = [
        exposure(0, "cand", window="", version=7),
        exposure(1, "base", window="h1", version=7),
        exposure(2, "base", window="", version=7),
        exposure(3, "base", window="h1", version=7, lapsed=",h1,"),
    ]

    sample = measured(rows, [trace(n) for n in range(4)], pair=turned)

    assert sample.exposed == (((1, 1), (0.9, 1 - 0.9)),)


def test_ten_thousand_units_keep_their_exact_counts():
    dice = random.Random(0)
    sides = [dice.choice(["cand", "base", "base"]) for _ in range(10_000)]
    rows = [exposure(n, side, at=n / 200) for n, side in enumerate(sides)]
    traces = [trace(n) for n in range(10_000)]
    words = [rating(n, n % 101 / 100, at=n / 200 + 1) for n in range(10_000)]

    sample = measured(rows, traces, words)

    assert sample.candidate_units == sides.count("cand")
    assert sample.baseline_units == sides.count("base")
    both = sample.quality[0].candidate + sample.quality[0].baseline
    assert both.tolist() == [len(range(k, 10_000, 101)) for k in range(101)]


def test_a_unit_that_met_another_candidate_first_is_none_of_the_pairs():
    first = exposure(1, "other", at=20.0, window="w2", unit_id="u")
    given_back = exposure(2, "base", at=30.0, unit_id="u", version=4)

    assert measured([first, given_back]).baseline_units == 0
    assert measured([given_back]).baseline_units == 1
    assert measured([given_back, first | {"at": 40.0}]).baseline_units == 1


def of_kinds(expected, *told):
    questions = Questions(expected=expected, segments=("a", "b"))
    return measure(facts_of(*told), PAIR, now=NOW, maturation_s=MATURE_S, questions=questions)


@few
@given(books())
def test_units_with_expectations_of_their_own_add_up_to_all(told):
    kinds = [row | {"segment": "abc"[index % 3]} for index, row in enumerate(told[0])]
    whole = of_kinds({}, kinds, *told[1:])

    apart = of_kinds({"a": 0.2, "b": 0.7}, kinds, *told[1:])

    assert {tally.f for tally in apart.quality} <= {None, 0.2, 0.7}
    for tally in whole.quality:
        own = [one for one in apart.quality if one.pi == tally.pi]
        assert sum(one.candidate_units for one in own) == tally.candidate_units
        assert sum(one.baseline.sum() for one in own) == tally.baseline.sum()


def test_a_units_segment_is_that_of_its_exposure_even_if_it_fails():
    """Whatever a variant does with a request, it can't choose which kind it counts as."""
    failed = trace(1, status="error", segment="elsewhere")

    sample = of_kinds({"a": 0.5}, [exposure(1, segment="a")], [failed])

    (tally,) = sample.segments["a"]
    assert tally.candidate[0] == 1
    assert [one.f for one in sample.quality if one.candidate_units] == [0.5]


def test_other_expectations_are_other_evidence():
    told = [exposure(1, segment="a")], [trace(1)]

    assert of_kinds({"a": 0.5}, *told).digest != of_kinds({}, [exposure(1)], [trace(1)]).digest
