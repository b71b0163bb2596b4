"""Scenarios of one candidate: B1, B4-B8 and B11-B14."""

from math import log, sqrt

import numpy as np

from cluster.bench.rows import Row, judged
from cluster.bench.statistics.marks import median, rate
from cluster.bench.statistics.paths import (
    NEEDED,
    BoolArray,
    Odds,
    Runs,
    candidate_units_to,
    counts,
    evidence,
    factors,
)
from engine.experiment.figures import RATED
from engine.experiment.rules import MISSING_LOG_E, SRM_LOG_E
from engine.stats.arrays import FloatArray
from engine.stats.betting import HARM
from engine.stats.mismatch import srm_log_e
from engine.stats.moments import Moments, merged
from engine.stats.ratio import Stratum, ratio_log_e

BASE = 0.6
POWER_ONE = 3_796.0
"""Candidate units that any test of power one needs at level 0.05: ln 20 over the information."""
THIN = 1.0 / 17.0
"""The candidate's part of the pair when it has 5 % of the traffic and the baseline 80 %."""


def among_equals(runs: int, seed: int) -> list[Row]:
    """B1: one candidate, 20 000 requests, a look at each, a centre that is off by 0.15."""
    rows = []
    for pi in (0.5, THIN):
        for f in (BASE - 0.15, BASE, BASE + 0.15):
            hits = _watched(Odds(pi=pi, f=f), runs, 20_000, seed)
            rows.append(rate("B1", f"false promotion, pi {pi:.3f}, centre {f:.2f}", hits, 0.05))
    article, peeked = _naive(runs, seed)
    rows.append(rate("B1", "article's rule, n = 1000", article, None))
    return [*rows, rate("B1", "z-test peeked every 50 units", peeked, None)]


def under_drift(runs: int, seed: int) -> list[Row]:
    """B4: the base rate swings by 10 points and the candidate's share with it."""
    rng = np.random.default_rng(seed)
    growth, highest = np.zeros((runs, 4)), np.full(runs, -np.inf)
    pooled = np.zeros((runs, 4))
    for step in range(160):
        season = np.sin(2.0 * np.pi * step / 40.0)
        pi, quality = THIN * (1.0 + 0.8 * season), BASE + 0.1 * season
        drawn = counts(rng, runs, 1_000, pi, (quality, quality))
        growth += drawn @ factors(Odds(pi=pi))
        pooled += drawn
        highest = np.maximum(highest, evidence(growth))
    good, bad = pooled[:, [0, 2]], pooled[:, [1, 3]]
    mean, n = good / (good + bad), good + bad
    error = np.sqrt((mean * (1.0 - mean) / n).sum(axis=1))
    return [
        rate("B4", "false promotion under drift", highest >= NEEDED, 0.05),
        rate("B4", "pooled z-test", (mean[:, 0] - mean[:, 1]) / error > 1.645, None),
    ]


def of_sessions(runs: int, seed: int) -> list[Row]:
    """B5: 3 000 sessions of five requests that resemble each other (intraclass correlation 1/6)."""
    rng = np.random.default_rng(seed)
    steps = factors(Odds(pi=0.5))
    by_session, by_request = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for run in range(runs):
        good = rng.binomial(5, rng.beta(3.0, 2.0, size=3_000))
        candidate = rng.random(3_000) < 0.5
        up, down = np.where(candidate, 0, 2), np.where(candidate, 1, 3)
        # A session's mean score lies between the two outcomes; its pseudo-outcome is linear in it.
        phi = np.where(candidate, 2.0, -2.0) * (good / 5.0 - BASE)
        stakes = np.expm1(steps[0]) / (2.0 * (1.0 - BASE))
        growth = np.log1p(stakes[None, :] * phi[:, None]).cumsum(axis=0)
        by_session[run] = evidence(growth).max() >= NEEDED
        each = good[:, None] * steps[up] + (5 - good)[:, None] * steps[down]
        by_request[run] = evidence(each.cumsum(axis=0)).max() >= NEEDED
    return [
        rate("B5", "false promotion, a session is a unit", by_session, 0.05),
        rate("B5", "a request is a unit", by_request, None),
    ]


def of_delays(runs: int, seed: int) -> list[Row]:
    """B6: bad ratings come after 2 hours from the candidate's users, after 6 from the others."""
    rng = np.random.default_rng(seed)
    steps = factors(Odds(pi=0.5))
    matured, arrived = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for run in range(runs):
        at = np.sort(rng.random(8_000) * 48.0)
        candidate, good = rng.random(8_000) < 0.5, rng.random(8_000) < BASE
        outcome = np.where(candidate, np.where(good, 0, 1), np.where(good, 2, 3))
        rated_at = at + np.where(good, 0.0, np.where(candidate, 6.0, 2.0))
        growth = steps[outcome].cumsum(axis=0)
        matured[run] = evidence(growth).max() >= NEEDED
        for look in range(1, 49):
            seen = np.bincount(outcome[rated_at <= look], minlength=4)
            arrived[run] |= bool(evidence(seen @ steps) >= NEEDED)
    return [
        rate("B6", "false promotion on matured units", matured, 0.05),
        rate("B6", "on what has arrived so far", arrived, None),
    ]


def of_missing(runs: int, seed: int) -> list[Row]:
    """B7: bad answers go unrated in 40 % of cases from one side's users and in 60 % from the other.

    Where the candidate loses fewer, its bad answers show; where it loses more, it looks better than
    it is until the imbalance is seen.
    """
    flagged, kept = _missing(runs, seed, candidate=0.4, baseline=0.6)
    _, flattered = _missing(runs, seed + 1, candidate=0.6, baseline=0.4)
    return [
        rate("B7", "missingness flagged", flagged, None, least=0.95),
        rate("B7", "false promotion, the candidate's bad answers rated more", kept, 0.05),
        rate("B7", "false promotion, the candidate's bad answers rated less", flattered, None),
    ]


def _missing(
    runs: int, seed: int, *, candidate: float, baseline: float
) -> tuple[BoolArray, BoolArray]:
    """Whether the imbalance was flagged, and whether the candidate was promoted before it was."""
    rng = np.random.default_rng(seed)
    steps = factors(Odds(pi=0.5))
    up = factors(Odds(pi=0.5, f=RATED))
    down = factors(Odds(pi=0.5, f=RATED, mirrored=True))
    growth, worst, rated, mirrored = (np.zeros((runs, 4)) for _ in range(4))
    flagged, promoted = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for _ in range(60):
        drawn = counts(rng, runs, 250, 0.5, (BASE, BASE))
        lost = np.zeros_like(drawn)
        lost[:, 1] = rng.binomial(drawn[:, 1].astype(int), candidate)
        lost[:, 3] = rng.binomial(drawn[:, 3].astype(int), baseline)
        seen = drawn - lost
        growth += seen @ steps
        worst += (seen + lost[:, [0, 1, 3, 2]]) @ steps
        is_rated = np.stack(
            [seen[:, :2].sum(axis=1), lost[:, 1], seen[:, 2:].sum(axis=1), lost[:, 3]], axis=1
        )
        rated, mirrored = rated + is_rated @ up, mirrored + is_rated @ down
        flagged |= np.logaddexp(evidence(rated), evidence(mirrored)) - log(2.0) >= MISSING_LOG_E
        proved = evidence(growth) >= NEEDED
        promoted |= proved & (~flagged | (evidence(worst) >= NEEDED))
    return flagged, promoted


def of_speed(runs: int, seed: int) -> list[Row]:
    """B8: two points better at 5 % against 80 %, level 0.05: candidate units to a promotion."""
    units = candidate_units_to(Odds(pi=THIN), (0.62, BASE), Runs(runs, seed, 60_000, batch=170))
    done = units[~np.isnan(units)]
    mean, half = float(done.mean()), 1.96 * float(done.std(ddof=1)) / sqrt(done.size)
    figures = {"value": mean, "low": mean - half, "high": mean + half, "unit": "candidate units"}
    return [
        judged(
            Row(
                id="B8",
                what="mean to +2 points",
                goal="<= 5300",
                peer=3_796,
                ratio=mean / 3_796,
                **figures,
            )
        ),
        judged(Row(id="B8", what="mean to +2 points, stretch", goal="<= 5000", **figures)),
        rate("B8", "promoted within 60 000", ~np.isnan(units), None),
    ]


def of_harm(runs: int, seed: int) -> list[Row]:
    """B11: how soon a worse candidate is stopped, and how often an equal one."""
    odds = Odds(pi=THIN, bets=HARM, m=0.01, mirrored=True)
    rows = []
    for loss, most, goal in ((0.05, 60_000, 1_100), (0.10, 20_000, 260), (0.20, 10_000, 70)):
        units = candidate_units_to(odds, (BASE - loss, BASE), Runs(runs, seed, most, batch=34))
        rows.append(
            median("B11", f"stop at {-100 * loss:.0f} points", units, goal, "candidate units")
        )
    equal = candidate_units_to(odds, (BASE, BASE), Runs(runs, seed, 6_000, batch=85))
    return [*rows, rate("B11", "false stop of an equal", ~np.isnan(equal), 0.05)]


def of_rollback(runs: int, seed: int) -> list[Row]:
    """B12: a promoted variant that is 4 points worse, with 10 % held back on the former one."""
    odds = Odds(pi=0.9, mirrored=True)
    worse = candidate_units_to(odds, (BASE - 0.04, BASE), Runs(runs, seed, 200_000, batch=100))
    equal = candidate_units_to(odds, (BASE, BASE), Runs(runs, seed, 108_000, batch=400))
    return [
        median("B12", "rollback at -4 points", worse / 0.9, 11_000, "live requests"),
        rate("B12", "false rollback within 120 000", ~np.isnan(equal), 0.05),
    ]


def of_mismatch(runs: int, seed: int) -> list[Row]:
    """B13: 7 % served where 1/17 was planned, and nothing wrong at all."""
    plan = (1.0 - THIN, THIN)
    exact = srm_log_e([((8_000, 600), plan)])
    rng = np.random.default_rng(seed)

    def alarmed(share: float) -> FloatArray:
        at = np.full(runs, np.nan)
        for run in range(runs):
            own = rng.binomial(100, share, size=200).cumsum()
            for look, units in enumerate(own, 1):
                if srm_log_e([((look * 100 - int(units), int(units)), plan)]) >= SRM_LOG_E:
                    at[run] = look * 100
                    break
        return at

    return [
        judged(
            Row(id="B13", what="ln M at 8000 and 600 units", value=exact, unit="", goal=">= 6.728")
        ),
        median("B13", "alarm at 7 % for 5.9 %", alarmed(0.07), None, "units"),
        rate("B13", "false alarm within 20 000 units", ~np.isnan(alarmed(THIN)), 0.001),
    ]


def of_latency(runs: int, seed: int) -> list[Row]:
    """B14: candidates on and beyond the latency margin of 1.2, logarithms spread by 0.8."""
    rng = np.random.default_rng(seed)
    rows = []
    for ratio, mark in ((1.2, 0.05), (1.3, 0.005)):
        passed = np.zeros(runs, dtype=bool)
        for run in range(runs):
            mine, theirs = Moments(0, 0.0, 0.0), Moments(0, 0.0, 0.0)
            for _ in range(25):
                mine = merged(mine, _logs(rng, 200, log(ratio)))
                theirs = merged(theirs, _logs(rng, 3_200, 0.0))
                if ratio_log_e([Stratum(mine, theirs)]) >= NEEDED:
                    passed[run] = True
                    break
        rows.append(rate("B14", f"passed at {ratio} times", passed, mark))
    return rows


def _watched(odds: Odds, runs: int, units: int, seed: int) -> BoolArray:
    """Whether the evidence ever reached the line, looking at every unit."""
    rng = np.random.default_rng(seed)
    steps = factors(odds)
    hits = np.zeros(runs, dtype=bool)
    for run in range(runs):
        candidate, good = rng.random(units) < odds.pi, rng.random(units) < BASE
        outcome = np.where(candidate, np.where(good, 0, 1), np.where(good, 2, 3))
        hits[run] = evidence(steps[outcome].cumsum(axis=0)).max() >= NEEDED
    return hits


def _naive(runs: int, seed: int) -> tuple[BoolArray, BoolArray]:
    """Two equals of 1 000 units each under the article's rule, and under a z-test peeked at."""
    rng = np.random.default_rng(seed)
    rates = rng.binomial(1_000, BASE, size=(runs, 2)) / 1_000.0
    own, other = (rng.binomial(50, BASE, size=(runs, 200)).cumsum(axis=1) for _ in range(2))
    n = 50.0 * np.arange(1, 201)
    mean = (own + other) / (2.0 * n)
    z = (own - other) / n / np.sqrt(2.0 * mean * (1.0 - mean) / n)
    return rates[:, 0] - rates[:, 1] >= 0.02 - 1e-9, (z[:, 3:] > 1.645).any(axis=1)


def _logs(rng: np.random.Generator, n: int, mean: float) -> Moments:
    return Moments(n, float(rng.normal(mean, 0.8 / sqrt(n))), 0.64 * float(rng.chisquare(n - 1)))
