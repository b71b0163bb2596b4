"""Laws of batches: whole, in the order of assignment, and never changed by what comes later."""

import numpy as np
from hypothesis import given, settings

from engine.evidence.measure import batches, measure
from tests.engine.evidence.books import MATURE_S, NOW, PAIR, books, facts_of, quarters

few = settings(max_examples=40, deadline=None)
SIZE = 3


def batched(*told, now=NOW, size=SIZE):
    return batches(facts_of(*told), PAIR, now=now, maturation_s=MATURE_S, size=size)


def units(batch):
    return sum(tally.candidate_units + tally.baseline_units for tally in batch.quality)


@few
@given(books(), quarters)
def test_every_batch_is_full_and_only_the_last_units_wait(told, now):
    found = batched(*told, now=now)

    sample = measure(facts_of(*told), PAIR, now=now, maturation_s=MATURE_S)
    matured = sample.candidate_units + sample.baseline_units
    assert [units(batch) for batch in found] == [SIZE] * (matured // SIZE)


@few
@given(books(), quarters, quarters)
def test_a_full_batch_stays_what_it_was(told, now, later_s):
    before, after = (batched(*told, now=at) for at in (now, now + later_s))

    for old, new in zip(before, after, strict=False):
        assert old.errors == new.errors
        assert [tally.pi for tally in old.quality] == [tally.pi for tally in new.quality]
        for one, same in zip(old.quality, new.quality, strict=True):
            assert np.array_equal(one.candidate, same.candidate)
            assert np.array_equal(one.baseline, same.baseline)


@few
@given(books(), quarters)
def test_batches_of_one_unit_add_up_to_the_sample(told, now):
    sample = measure(facts_of(*told), PAIR, now=now, maturation_s=MATURE_S)

    singles = batched(*told, now=now, size=1)

    for tally in sample.quality:
        own = [one for (one,) in (each.quality for each in singles) if one.pi == tally.pi]
        candidate = sum((one.candidate for one in own), np.zeros_like(tally.candidate))
        assert np.array_equal(candidate, tally.candidate)
        assert sum(one.baseline_unrated for one in own) == tally.baseline_unrated


def test_without_units_there_is_no_batch():
    assert batched([], [], []) == []
