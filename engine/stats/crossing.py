"""Where a falling function meets zero."""

import math
from collections.abc import Callable

HALVINGS = 48
CLOSE = 1e-13
"""Two steps this near each other are at the crossing."""


def crossing(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return the largest point, to 48 halvings of the range, where the function is not negative.

    Returns ``low`` when it is negative everywhere and ``high`` when it is negative nowhere.
    """
    if falling(low) < 0.0:
        return low
    if falling(high) >= 0.0:
        return high
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if falling(middle) >= 0.0:
            low = middle
        else:
            high = middle
    return low


def steep_crossing(
    falling: Callable[[float], tuple[float, float]], low: float, high: float, *, near: float
) -> float:
    """Return where a falling function meets zero, from its values and slopes; begin at ``near``.

    Newton's steps, and halvings where a step would leave the range that holds the zero. Returns
    ``low`` when the function is negative there already, ``high`` when it is not even negative
    there.
    """
    unknown = {low, high}
    at = min(max(near, low), high)
    while True:
        value, slope = falling(at)
        if at in unknown and (value < 0.0) == (at == low):
            return at
        unknown.discard(at)
        if value < 0.0:
            high = at
        else:
            low = at
        following = at - value / slope if slope < 0.0 else math.inf
        if abs(following - at) <= CLOSE:
            return following
        following = min(max(following, low), high)
        if following in {low, high} - unknown:
            following = (low + high) / 2.0
        at = following
