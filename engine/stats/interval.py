"""An estimate between its two ends."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A figure with the range that its data leave open."""

    low: float
    high: float
    estimate: float
