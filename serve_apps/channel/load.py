"""How busy a replica is: the requests in flight on it, on average over a time."""

import time
from collections.abc import Callable


class Load:
    """Counts requests as they begin and end.

    An average tells more than a glance: many short requests keep a replica busy that is idle
    whenever somebody looks.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ongoing = 0
        self._changed_at = self._asked_at = clock()
        self._summed = 0.0

    def changed(self, by: int) -> None:
        """This many more requests are in flight, or fewer."""
        self._sum()
        self._ongoing += by

    def since(self) -> float:
        """Requests in flight, on average since this was asked last."""
        self._sum()
        passed_s = self._changed_at - self._asked_at
        mean = self._summed / passed_s if passed_s > 0.0 else float(self._ongoing)
        self._asked_at, self._summed = self._changed_at, 0.0
        return mean

    def _sum(self) -> None:
        now = self._clock()
        self._summed += self._ongoing * (now - self._changed_at)
        self._changed_at = now
