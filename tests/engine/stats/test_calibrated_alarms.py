"""A judge in favour of one of two equal variants: it promotes falsely, calibrated it does not.

Users are equally happy with both variants, but the judge takes half of the candidate's bad answers
for good ones. Everything is watched at every look.
"""

import math
from typing import NamedTuple

import numpy as np

from engine.stats.betting import bets_for, log_e
from engine.stats.calibrated import calibrated, ends, scale_of
from engine.stats.tally import LEVELS, PLAIN, Tally
from tests.engine.stats.examples import at_most

REPEATS = 300
LOOKS = 20
UNITS = 1_000
PI = 0.5
AUDITED = 0.1
ALARM = math.log(20)
BETS = bets_for(0.05)

DRAWN = np.array([[calibrated(g, y, AUDITED) for y in (0.0, 1.0)] for g in (0.0, 1.0)])
"""The score of a drawn answer, by the judge's and by the person's."""
ENDS = np.array([ends(g, AUDITED) for g in (0.0, 1.0)])
"""The least and the most, by the judge's."""


class Units(NamedTuple):
    own: np.ndarray
    label: np.ndarray
    judged: np.ndarray
    drawn: np.ndarray
    silent: np.ndarray


def met(rng, *, lift=0.0, silent=0.0):
    own = rng.random(UNITS) < PI
    label = (rng.random(UNITS) < 0.6 + lift * own).astype(int)
    fooled = own & (rng.random(UNITS) < 0.5)
    wrong = rng.random(UNITS) < 0.05
    judged = np.where(wrong, 1 - label, np.where(fooled, 1, label))
    drawn = rng.random(UNITS) < AUDITED
    return Units(own, label, judged, drawn, drawn & (rng.random(UNITS) < silent))


def scored(units):
    """Calibrated scores; NaN for a drawn answer that nobody labelled."""
    score = np.where(units.drawn, DRAWN[units.judged, units.label], units.judged)
    return np.where(units.silent, np.nan, score)


def against(units):
    """The same with every missing label against the candidate."""
    worst = ENDS[units.judged, np.where(units.own, 0, 1)]
    return np.where(units.silent, worst, scored(units))


def counted(rng, units, score, scale):
    level = np.floor(scale.stored(score) * (LEVELS - 1) + rng.random(UNITS) - 1e-9)
    sides = []
    for own in (True, False):
        values = level[units.own == own]
        sides.append(np.bincount(values[~np.isnan(values)].astype(int), minlength=LEVELS))
    missing = [int(np.isnan(level[units.own == own]).sum()) for own in (True, False)]
    return Tally(PI, *sides, *missing, scale=scale)


def promotions(seed, score, scale, **world):
    """Share of repeats in which the evidence passes 20 at any look."""
    rng, hits = np.random.default_rng(seed), 0
    for _ in range(REPEATS):
        total, highest = None, 0.0
        for _ in range(LOOKS):
            units = met(rng, **world)
            batch = counted(rng, units, score(units), scale)
            total = batch if total is None else total + batch
            highest = max(highest, log_e([total], f=0.6, bets=BETS))
        hits += highest >= ALARM
    return hits


def test_the_judge_alone_promotes_its_favourite_nearly_always():
    assert promotions(41, lambda units: units.judged, PLAIN) >= 0.95 * REPEATS


def test_calibrated_it_promotes_its_favourite_at_most_alpha_of_the_time():
    assert at_most(promotions(42, scored, scale_of(AUDITED)), 0.05, REPEATS)


def test_calibrated_a_better_candidate_is_still_found():
    assert promotions(43, scored, scale_of(AUDITED), lift=0.1) >= 0.9 * REPEATS


def test_labels_that_are_missing_alike_promote_falsely_unless_they_count_against_it():
    lazy = {"silent": 0.5}

    itt = promotions(44, scored, scale_of(AUDITED), **lazy)
    careful = promotions(44, against, scale_of(AUDITED), **lazy)

    assert itt > 0.2 * REPEATS
    assert at_most(careful, 0.05, REPEATS)
