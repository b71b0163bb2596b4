"""Whose errors they are: rare failures, compared without knowing their common rate.

Given an error in the pair, it is the candidate's with a probability that depends only on the
share and on the ratio of the two error rates. The test is a mixture of binomial likelihood ratios
(Robbins 1970) of the conditional test of two rates (Przyborowski & Wilenski 1940), exact for any
drift in the common rate.
"""

import math
from collections.abc import Sequence
from itertools import chain

import numpy as np
from scipy.special import logsumexp

from engine.errors import ConfigError, UnmeasuredError

HARMFUL = (1.6, 2.0, 3.0, 5.0, 10.0, 30.0)
HARMLESS = (1.0 / 1.1, 1.0, 0.8, 0.5)


def error_log_e(
    counts: Sequence[tuple[float, int, int]],
    *,
    m0: float = 1.25,
    ratios: Sequence[float] = HARMFUL,
) -> float:
    """Return ln E against "the candidate fails at most ``m0`` times as often"; large means stop.

    Each count is (pi, errors of the candidate, errors of the pair) of one version.

    Raises:
        ConfigError: A ratio does not lie above ``m0``.
        UnmeasuredError: A count can't be one.
    """
    return _mixed(error_growth(counts, m0=m0, ratios=ratios))


def error_growth(
    counts: Sequence[tuple[float, int, int]],
    *,
    m0: float = 1.25,
    ratios: Sequence[float] = HARMFUL,
) -> tuple[float, ...]:
    """Return what each bet of `error_log_e` alone has made of the counts, in logarithms.

    Raises:
        ConfigError: A ratio does not lie above ``m0``.
        UnmeasuredError: A count can't be one.
    """
    if not min(ratios) > m0:
        raise ConfigError(f"ratios to bet on lie above m0 = {m0}, got {tuple(ratios)}")
    return _growth(counts, m0, ratios)


def error_noninferiority_log_e(
    counts: Sequence[tuple[float, int, int]],
    *,
    m0: float = 1.25,
    ratios: Sequence[float] = HARMLESS,
) -> float:
    """Return ln E against "the candidate fails at least ``m0`` times as often".

    Large means that the candidate's errors are no argument against it. Needs many errors.

    Raises:
        ConfigError: A ratio does not lie below ``m0``.
        UnmeasuredError: A count can't be one.
    """
    if not max(ratios) < m0:
        raise ConfigError(f"ratios to bet on lie below m0 = {m0}, got {tuple(ratios)}")
    return _mixed(_growth(counts, m0, ratios))


def _growth(
    counts: Sequence[tuple[float, int, int]], m0: float, ratios: Sequence[float]
) -> tuple[float, ...]:
    if not min(chain((m0,), ratios)) > 0.0:
        raise ConfigError("ratios of error rates lie above 0")
    for pi, own, total in counts:
        if not 0.0 < pi < 1.0 or not 0 <= own <= total:
            raise UnmeasuredError(f"errors: {own} of {total} at pi {pi!r} can't be a count")
    return tuple(sum(_likelihood(count, rho, m0) for count in counts) for rho in ratios)


def _mixed(growth: Sequence[float]) -> float:
    # The mixture stands outside the product: it is one bet on one ratio, over all versions.
    return float(logsumexp(np.asarray(growth))) - math.log(len(growth))


def _likelihood(count: tuple[float, int, int], rho: float, m0: float) -> float:
    pi, own, total = count
    # The share of errors that are the candidate's is pi r / (pi r + 1 - pi) at a ratio r.
    scale = math.log((pi * m0 + 1.0 - pi) / (pi * rho + 1.0 - pi))
    return own * math.log(rho / m0) + total * scale
