"""A window that is judged at looks planned in advance, instead of whenever one likes."""

from collections.abc import Sequence
from functools import cache
from math import ceil, inf

from engine.experiment.figures import Figures
from engine.stats.group_sequential import spending_bounds


def counts_of(looks: int, max_units: int) -> tuple[int, ...]:
    """The matured candidate units at which each look is due, evenly up to the last."""
    return tuple(ceil(max_units * look / looks) for look in range(1, looks + 1))


def look_figures(zs: Sequence[float | None], *, looks: int, alpha: float) -> Figures:
    """What the looks so far have shown, from the z of each; None where it was unmeasured.

    `look_margin` is by how much the best of them passed its bound: a look that crossed stays
    crossed while guardrails are still being proved.
    """
    bounds = _bounds(looks, alpha)
    margins = [-inf if z is None else z - bound for z, bound in zip(zs, bounds, strict=False)]
    most = max(margins, default=-inf)
    return {
        "looks": len(zs),
        "look_z": zs[-1] if zs else None,
        "look_bound": bounds[len(zs) - 1] if zs else None,
        "look_margin": None if most == -inf else most,
    }


@cache
def _bounds(looks: int, alpha: float) -> tuple[float, ...]:
    return spending_bounds([look / looks for look in range(1, looks + 1)], alpha=alpha)
