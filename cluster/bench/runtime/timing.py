"""Medians of rounds that take turns, so that whatever else the machine does meets both sides."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Spread:
    """A median over rounds, and the lowest and highest of them.

    Between those two lies the true median, at 95 % from six rounds on: it is above all of n
    rounds, or below all of them, with a chance of 2 / 2**n.
    """

    median: float
    low: float
    high: float

    def times(self, factor: float) -> "Spread":
        """The same in another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


def spread(values: list[float]) -> Spread:
    """What a list of rounds comes to."""
    return Spread(float(np.median(values)), min(values), max(values))


async def seconds(work: Work, times: int) -> float:
    """Seconds that one piece of work takes on the average of so many, one after another."""
    began = time.perf_counter()
    for _ in range(times):
        await work()
    return (time.perf_counter() - began) / times
