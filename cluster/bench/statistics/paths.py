"""Many simulated experiments at once, with the very factors that the engine bets by.

A good or bad unit of either variant moves each bet by one of four factors, so whole paths of
evidence are sums of counts times logarithms; a test holds them against the engine's own figure.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from engine.stats.arrays import FloatArray
from engine.stats.betting import PROMOTION, Bets, log_e
from engine.stats.tally import tally_of

BoolArray = NDArray[np.bool_]
NEEDED = log(20.0)
OUTCOMES = ((1.0, True), (0.0, True), (1.0, False), (0.0, False))
"""Score, and whether the unit met the candidate: the order of every array of counts."""


@dataclass(frozen=True)
class Odds:
    """What the bets are made on."""

    pi: float
    f: float = 0.6
    bets: Bets = PROMOTION
    m: float = 0.0
    mirrored: bool = False


def factors(odds: Odds) -> FloatArray:
    """Logarithms of the factors, (outcomes, bets), read off the engine one unit at a time."""
    rows = []
    for score, is_candidate in OUTCOMES:
        mine, theirs = ([score], []) if is_candidate else ([], [score])
        unit = tally_of(odds.pi, mine, theirs)
        rows.append(
            [
                log_e(
                    [unit], f=odds.f, m=odds.m, bets=_only(odds.bets, delta), mirrored=odds.mirrored
                )
                for delta in odds.bets.deltas
            ]
        )
    return np.array(rows)


def evidence(growth: FloatArray, bets: Bets = PROMOTION) -> FloatArray:
    """Ln E from the bets' own growth in the last axis."""
    total: FloatArray = logsumexp(growth + np.log(bets.weights), axis=-1)
    return total


def counts(
    rng: np.random.Generator, runs: int, units: int, pi: float, qualities: tuple[float, float]
) -> FloatArray:
    """How often each outcome came among a batch of the pair's units, (runs, outcomes)."""
    candidate, baseline = qualities
    chances = [
        pi * candidate,
        pi * (1.0 - candidate),
        (1.0 - pi) * baseline,
        (1.0 - pi) * (1.0 - baseline),
    ]
    drawn: FloatArray = rng.multinomial(units, chances, size=runs).astype(np.float64)
    return drawn


@dataclass(frozen=True)
class Runs:
    """How many paths, and how far each."""

    count: int
    seed: int
    most: int
    """Candidate units after which a path ends."""
    batch: int
    """The pair's units between two looks."""


def candidate_units_to(odds: Odds, qualities: tuple[float, float], runs: Runs) -> FloatArray:
    """Candidate units until the evidence reaches the line, NaN where it never did."""
    rng = np.random.default_rng(runs.seed)
    steps, growth = factors(odds), np.zeros((runs.count, len(odds.bets.deltas)))
    units, reached = np.zeros(runs.count), np.full(runs.count, np.nan)
    while np.isnan(reached).any() and units.min() < runs.most:
        drawn = counts(rng, runs.count, runs.batch, odds.pi, qualities)
        growth += drawn @ steps
        units += drawn[:, :2].sum(axis=1)
        crossed = np.isnan(reached) & (evidence(growth, odds.bets) >= NEEDED)
        reached[crossed] = units[crossed]
    return reached


def _only(bets: Bets, delta: float) -> Bets:
    return Bets(deltas=(delta,), weights=(1.0,), cap=bets.cap)
