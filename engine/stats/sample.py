"""What was measured of one pair of variants: all that a verdict may look at."""

from dataclasses import dataclass

from engine.stats.betting import Tally
from engine.stats.ratio import Stratum


@dataclass(frozen=True, eq=False)
class Sample:
    """Outcomes of a candidate and its concurrent baseline, one cell per snapshot version.

    `quality`, `no_error` and `latency` hold matured units only; `errors` holds every
    finished unit, because a protective stop may use fast signals while a promotion never may.
    """

    quality: tuple[Tally, ...]
    """Unit scores; a failed unit scores 0, an unrated one is counted as unrated."""
    no_error: tuple[Tally, ...]
    """1 for a unit without a failed request, else 0."""
    errors: tuple[tuple[float, int, int], ...]
    """(propensity, failed candidate units, failed units of the pair), matured or not."""
    latency: tuple[Stratum, ...]
    """Moments of the natural logarithm of the unit's mean latency in seconds."""
    exposed: tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]
    """(candidate units, baseline units) against their planned shares, matured or not."""
    candidate_units: int
    baseline_units: int
    elapsed_s: float
    """From the first exposure of the pair to the newest matured one."""
    digest: str
    """SHA-256 over every outcome above, in a fixed order."""
