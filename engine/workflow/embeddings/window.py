"""How long a text waits for others to share its batch."""

MOST_S = 0.004
HALF_LIFE_S = 0.05
"""A window is half as wide after so long without a batch."""
_SHORTEST = 0.01
"""Of the widest; a shorter wait costs more in waking up than it brings."""


class Window:
    """Widens while batches are shared, narrows while they are not or nothing comes.

    The fuller the last batches were, the likelier others are on their way now, and the longer it
    pays to wait for them. That knowledge grows old: the first text after a pause goes at once.
    """

    def __init__(self, most_s: float = MOST_S, *, half_life_s: float = HALF_LIFE_S) -> None:
        self._most_s = most_s
        self._half_life_s = half_life_s
        self._fullness = 0.0
        self._seen_at = 0.0

    def saw(self, fullness: float, now: float) -> None:
        """A batch was this full, out of 1: others that came, not the one that began it."""
        before = self._faded(now)
        self._fullness = before + 0.5 * (min(1.0, max(0.0, fullness)) - before)
        self._seen_at = now

    def wait_s(self, now: float) -> float:
        """What to wait now; 0 where it isn't worth it."""
        wait_s = self._most_s * self._faded(now)
        return wait_s if wait_s > self._most_s * _SHORTEST else 0.0

    def _faded(self, now: float) -> float:
        return float(self._fullness * 0.5 ** ((now - self._seen_at) / self._half_life_s))
