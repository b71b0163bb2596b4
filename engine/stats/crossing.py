"""Where a falling function meets zero."""

from collections.abc import Callable

HALVINGS = 48


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
