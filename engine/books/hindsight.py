"""The hot problems of a workspace, from its books as they lie."""

from contextlib import closing
from pathlib import Path

from engine.books.rollups import Rollups
from engine.books.store import Store
from engine.evidence.observe import USUAL, Limits, Problem, observe_rolled
from engine.evidence.rollup import MINUTE_S


def problems_of(
    root: Path, *, now: float, window_s: float = 3_600.0, limits: Limits = USUAL
) -> list[Problem]:
    """The problems of the last `window_s` seconds in whole minutes, the worst first.

    However long the window, it costs what its minutes and ratings do, not what its traces do.

    Raises:
        ConfigError: A limit is not above 0.
        StoreCorruptError: A file with the newest traces, or with ratings, is damaged.
    """
    with closing(Store(root)) as store, closing(Rollups(root)) as rollups:
        # a minute more on each side: the window begins with a whole one
        rated_since = now - window_s - MINUTE_S
        since = rated_since - window_s - MINUTE_S
        rolled = rollups.read(store, since=since, rated_since=rated_since)
    return observe_rolled(rolled, now=now, window_s=window_s, limits=limits)
