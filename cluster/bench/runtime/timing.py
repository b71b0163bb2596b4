"""Times: medians of rounds that take turns, so that other load meets both sides, and quantiles."""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")
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


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of many calls: by the clock, and of this thread alone.

    On a machine that others load, the second is the work, and the first the wait for it too.
    """

    wall_ms: list[float]
    own_ms: list[float]

    def wall(self, quantile: float) -> float:
        """By the clock."""
        return float(np.quantile(self.wall_ms, quantile))

    def own(self, quantile: float) -> float:
        """Of this thread alone."""
        return float(np.quantile(self.own_ms, quantile))


def latencies(call: Callable[[T], object], arguments: Iterable[T]) -> Latencies:
    """Time every call by itself."""
    wall_ms, own_ms = [], []
    for argument in arguments:
        began, own_began = time.perf_counter(), time.thread_time()
        call(argument)
        wall_ms.append(1e3 * (time.perf_counter() - began))
        own_ms.append(1e3 * (time.thread_time() - own_began))
    return Latencies(wall_ms, own_ms)
