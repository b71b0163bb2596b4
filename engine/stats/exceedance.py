"""Whether too many units are slow: a limit on a quantile, tested by counting what exceeds it.

A test martingale that bets fixed parts of its coins on "within the limit" (Waudby-Smith & Ramdas
2024, JRSSB); it needs the limit to be known before the first unit that it counts.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from engine.errors import ConfigError, UnmeasuredError

BETS = (0.1, 0.25, 0.45, 0.7)
"""Parts of the greatest stake, each on an equal part of the coin."""


def exceedance_log_e(
    counts: Sequence[tuple[int, int]], *, p: float = 0.05, bets: Sequence[float] = BETS
) -> float:
    """Return ln E against "a part ``p`` of the units or more exceeds the limit".

    Each count is (units above the limit, units); no units give 0. Large means that the quantile
    1 - p lies within the limit.

    Raises:
        ConfigError: ``p`` or a bet does not lie between 0 and 1.
        UnmeasuredError: A count can't be one.
    """
    if not 0.0 < p < 1.0 or not 0.0 < min(bets) <= max(bets) < 1.0:
        raise ConfigError(f"exceedance: p is {p!r}, bets {tuple(bets)}; they lie between 0 and 1")
    for over, units in counts:
        if not 0 <= over <= units:
            raise UnmeasuredError(f"exceedance: {over} of {units} can't be a count")
    over = sum(over for over, _ in counts)
    within = sum(units for _, units in counts) - over
    stakes = np.asarray(bets)
    growth = over * np.log1p(-stakes * (1.0 - p)) + within * np.log1p(stakes * p)
    return float(logsumexp(growth)) - math.log(len(stakes))
