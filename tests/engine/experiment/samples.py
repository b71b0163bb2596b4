"""Figures and samples of a candidate for which everything is proved, to be spoilt one by one."""

import numpy as np

from engine.experiment.decide import Rules
from engine.stats.moments import Moments
from engine.stats.ratio import Stratum
from engine.stats.sample import Sample
from engine.stats.tally import LEVELS, Tally

RULES = Rules(
    alpha=0.01,
    f0=0.6,
    mde=0.02,
    latency_ratio=1.2,
    error_margin=0.02,
    min_units=200,
    max_units=2_000,
    min_cycle_s=3_600.0,
    needs_approval=False,
)
PROVED = {
    "candidate_units": 500,
    "baseline_units": 500,
    "elapsed_s": 7_200.0,
    "srm_log_e": -1.0,
    "error_log_e": -1.0,
    "log_e": 9.0,
    "harm_log_e": -20.0,
    "mistake_log_e": -20.0,
    "missing_log_e": -3.0,
    "lift": 0.1,
    "se": 0.02,
    "candidate_mean": 0.7,
    "baseline_mean": 0.6,
    "lift_low": 0.03,
    "no_error_log_e": 6.0,
    "latency_log_e": 6.0,
    "latency_ratio": 1.0,
}
UNMEASURED = dict.fromkeys(
    ("lift", "se", "candidate_mean", "baseline_mean", "lift_low", "latency_log_e", "latency_ratio")
)


def rules(**changes):
    return RULES.model_copy(update=changes)


def figures(**changes):
    return PROVED | changes


def thumbs(up, down, unrated=0):
    counts = np.zeros(LEVELS, dtype=np.int64)
    counts[[0, -1]] = down, up
    return counts, unrated


def tally(candidate, baseline, pi=0.5):
    (own, own_unrated), (other, other_unrated) = candidate, baseline
    return Tally(pi, own, other, own_unrated, other_unrated)


def sample(candidate=None, baseline=None, *, failed=(0, 0), log_s=(0.0, 0.0), exposed=None, pi=0.5):
    """A sample of one version: thumbs up and down, failures, and mean log seconds of each side."""
    candidate, baseline = candidate or thumbs(700, 300), baseline or thumbs(600, 400)
    units = [int(counts.sum()) + unrated for counts, unrated in (candidate, baseline)]
    finished = [thumbs(n - bad, bad) for n, bad in zip(units, failed, strict=True)]
    moments = [Moments(n, mean, 0.1 * n) for n, mean in zip(units, log_s, strict=True)]
    return Sample(
        quality=(tally(candidate, baseline, pi),),
        no_error=(tally(*finished, pi=pi),),
        errors=((pi, failed[0], sum(failed)),),
        latency=(Stratum(*moments),),
        exposed=((exposed or tuple(units), (pi, 1 - pi)),),
        candidate_units=units[0],
        baseline_units=units[1],
        elapsed_s=7_200.0,
        digest="d",
    )


EMPTY = Sample((), (), (), (), (), 0, 0, 0.0, "d")
