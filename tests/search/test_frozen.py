"""What is expected of units is measured on the baseline before a window opens, and then frozen."""

import numpy as np
import pytest

from engine.experiment.entries import WindowOpened, decision_of
from engine.experiment.fold import fold
from engine.stats.calibrated import scale_of
from engine.stats.tally import LEVELS
from search.books import FactsFollower
from search.frozen import ENOUGH_RATED, FARTHEST, expected_from, mean_from
from search.verify import opening_mismatch, verify
from tests.search.stage import Stage

KINDS = {"easy": 0.35, "hard": -0.3}


def scores(up, down):
    counts = np.zeros(LEVELS, dtype=np.int64)
    counts[[0, -1]] = down, up
    return counts


@pytest.fixture
def told(stage: Stage) -> Stage:
    """A candidate gets a window after traffic of two kinds."""
    stage.segments = KINDS
    stage.serve(8)
    stage.wait(5)
    stage.serve(1)
    life = stage.life("a", **{"rag.top_k": 9})
    next(life.reports())
    return stage


def opened(stage):
    found = [decision_of(entry) for entry in stage.decisions.ledger.read()]
    return next(one for one in found if isinstance(one, WindowOpened))


def test_kinds_of_units_get_expectations_of_their_own(told):
    expected = opened(told).expected

    assert expected.segments["easy"] == pytest.approx(0.85, abs=0.05)
    assert expected.segments["hard"] == pytest.approx(0.2, abs=0.05)
    assert expected.variance == pytest.approx((0.85 * 0.15 + 0.2 * 0.8) / 2, abs=0.03)


def test_means_of_a_wider_scale_are_its_own_and_its_bets_smaller():
    scale = scale_of(0.1)
    rated = np.zeros(LEVELS, dtype=np.int64)
    rated[[47, 53]] = 100

    segments = {"a": rated // 2, "b": rated - rated // 2}

    assert mean_from(rated, scale) == pytest.approx(0.5)
    assert mean_from(scores(60, 40), scale) == 1.0 - FARTHEST
    expected = expected_from(rated, segments, scale)
    assert expected.segments == {"a": pytest.approx(0.5), "b": pytest.approx(0.5)}
    assert expected.variance == pytest.approx(scale.variance(0.5))


def test_traffic_of_one_kind_has_one_expectation(stage):
    stage.serve(8)
    next(stage.life("a").reports())

    assert opened(stage).expected is None


def test_the_kind_of_a_unit_narrows_the_error_of_its_window(told):
    life = told.life("a", **{"rag.top_k": 9})
    reports = [report.row() for _, report in zip(range(30), life.reports(), strict=False)]
    measured = [row for row in reports if row.get("se")]

    units = measured[-1]["units"]
    blind = np.sqrt(0.525 * 0.475 / units * 4 / 3)
    assert measured[-1]["se"] < 0.9 * blind


def test_expectations_are_computed_again_from_the_books(told):
    assert verify(told.root).holds


@pytest.mark.parametrize("variance", [0.2, None])
def test_other_expectations_than_the_books_give_are_found_out(told, variance):
    decision = opened(told)
    wrong = variance and decision.expected.model_copy(update={"variance": variance})
    entries = told.decisions.ledger.read()
    number = next(i for i, entry in enumerate(entries) if entry.kind == "WindowOpened")

    why = opening_mismatch(
        fold(entries[:number]),
        decision.model_copy(update={"expected": wrong}),
        FactsFollower(told.root).follow(),
    )

    assert why.startswith("expected is recorded as")


def test_a_window_that_goes_on_keeps_its_expectations(told):
    window = told.workflow.open_windows[0]

    assert window.expected == opened(told).expected
    assert window.centre.low == pytest.approx(window.expected.segments["hard"])


def test_segments_that_are_hardly_rated_share_the_expectation_of_all():
    often, seldom = scores(30, 30), scores(20, ENOUGH_RATED - 21)
    rated = often + often + seldom

    found = expected_from(rated, {"a": often, "b": often, "c": seldom})

    assert set(found.segments) == {"a", "b"}
    assert expected_from(often + seldom, {"a": often, "c": seldom}) is None


def test_expectations_keep_away_from_certainty():
    all_good = scores(100, 0)

    found = expected_from(all_good + all_good, {"a": all_good, "b": all_good})

    assert found.segments == {"a": 1.0 - FARTHEST, "b": 1.0 - FARTHEST}
    assert mean_from(all_good) == 1.0 - FARTHEST
    assert found.variance > 0.0
