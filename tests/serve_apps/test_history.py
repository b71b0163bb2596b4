"""Laws of the published past: as long as a conversation may need it, and no longer."""

import pytest

from serve_apps.history import SLACK_S, History
from tests.engine.experiment.examples import BERT, NOON, TRIED, closed, opened, told

TTL_S = 600.0
DOCS = told(*TRIED, opened("w2", BERT), closed()).workflow("docs")
"""Splits 1, 3, 4 and 5."""


def test_the_present_split_is_always_needed():
    history = History()

    for later_s in (0.0, 1e6, 1e9):
        assert 5 in history.needed(DOCS, 5, TTL_S, NOON + later_s)


@pytest.mark.parametrize(
    ("after_s", "is_needed"), [(0.0, True), (TTL_S + SLACK_S - 0.1, True), (TTL_S + SLACK_S, False)]
)
def test_a_superseded_split_lasts_as_long_as_its_conversations_may(after_s, is_needed):
    history = History()
    history.needed(DOCS, 4, TTL_S, NOON - 5_000.0)
    history.needed(DOCS, 5, TTL_S, NOON)

    assert (4 in history.needed(DOCS, 5, TTL_S, NOON + after_s)) is is_needed


def test_a_split_counts_from_its_end_and_not_from_its_beginning():
    history = History()
    history.needed(DOCS, 3, TTL_S, NOON)

    still = history.needed(DOCS, 4, TTL_S, NOON + 10 * TTL_S)

    assert 3 in still
    assert 1 not in still


def test_a_newer_split_that_is_not_in_force_yet_is_not_published():
    assert set(History().needed(DOCS, 4, TTL_S, NOON)) == {1, 3, 4}


def test_a_publisher_that_was_started_again_forgets_nothing_too_soon():
    assert set(History().needed(DOCS, 5, TTL_S, NOON + 1e6)) == {1, 3, 4, 5}


def test_a_split_that_is_in_force_again_is_needed_from_then_on():
    history = History()
    history.needed(DOCS, 5, TTL_S, NOON)
    history.needed(DOCS, 4, TTL_S, NOON + 10 * TTL_S)

    assert 4 in history.needed(DOCS, 5, TTL_S, NOON + 10 * TTL_S + 1.0)


def test_the_fold_keeps_every_split():
    history = History()
    history.needed(DOCS, 5, TTL_S, NOON)

    assert set(history.needed(DOCS, 5, TTL_S, NOON + 1e6)) == {5}
    assert set(DOCS.splits) == {1, 3, 4, 5}
