"""A node that routes each unit to one of several live variants, and learns from their outcomes.

What it knows of a unit is its context, such as the segment of its question. Its choices are random
by shares that were fixed before the outcome, and each is recorded with the shares it was drawn by:
so what it gathers stays usable as evidence for any pair of the variants.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from engine.errors import ConfigError
from engine.experiment.split import BUCKETS, bucket_of
from engine.stats.allocation import Posterior, thompson_shares
from engine.stats.moments import Moments, moments_of
from engine.stats.tally import Tally, merged, tally_of

ANY = ""
"""The context whose shares hold for every context that has none of its own."""
PRIOR_SD = 0.25
"""What is believed of a score before any: one half, give or take this."""


class Routes(BaseModel):
    """By context, the share of units that each variant gets while this version is in force."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: int
    shares: dict[str, dict[str, float]]
    """Context to variant to share; `""` holds for contexts that are not named."""

    @model_validator(mode="after")
    def _whole(self) -> "Routes":
        if ANY not in self.shares:
            raise ValueError('routes need shares for the context "", which holds for all others')
        for context, shares in self.shares.items():
            if not shares or min(shares.values()) <= 0.0 or abs(sum(shares.values()) - 1.0) > 1e-6:
                raise ValueError(f"the shares of context {context!r} lie above 0 and sum to 1")
        return self

    def of(self, context: str) -> Mapping[str, float]:
        """The shares that hold in a context."""
        return self.shares.get(context, self.shares[ANY])


@dataclass(frozen=True)
class Routed:
    """Where a unit went, with the shares by which that was decided."""

    variant: str
    context: str
    version: int
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Rated:
    """A routed unit with its score in [0, 1]; None where nobody rated it."""

    routed: Routed
    score: float | None


def even_routes(variants: Sequence[str]) -> Routes:
    """Equal shares for all variants, before anything is known.

    Raises:
        ConfigError: There is nothing to choose from.
    """
    if len(set(variants)) < 2:
        raise ConfigError(f"a bandit routes among two variants or more, got {list(variants)}")
    return Routes(version=0, shares={ANY: dict.fromkeys(variants, 1.0 / len(variants))})


def routed(routes: Routes, workflow: str, unit_id: str, context: str) -> Routed:
    """The variant of a unit: the same one for as long as this version is in force.

    Raises:
        ConfigError: The unit has no usable id.
    """
    shares = routes.of(context)
    bucket = bucket_of(unit_id, workflow, f"bandit.{routes.version}.{context}")
    edges = np.cumsum(list(shares.values()))[:-1] * BUCKETS
    chosen = list(shares)[int(np.searchsorted(edges, bucket, side="right"))]
    return Routed(variant=chosen, context=context, version=routes.version, shares=shares)


def learned(
    routes: Routes,
    rated: Iterable[Rated],
    *,
    contexts: Sequence[str] = (),
    floor: float = 0.05,
    rng: np.random.Generator,
) -> Routes:
    """The next version: in each context, shares by the chance of having the highest mean score.

    Thompson sampling by context (Agrawal & Goyal 2013), with a floor that keeps every propensity
    away from 0. `rated` is everything known; contexts that are not named share the shares of `""`.

    Raises:
        ConfigError: The floor leaves no room for the variants.
    """
    variants = tuple(routes.shares[ANY])
    scores: dict[tuple[str, str], list[float]] = {}
    for one in rated:
        if one.score is not None:
            for context in {one.routed.context, ANY} & {ANY, *contexts}:
                scores.setdefault((context, one.routed.variant), []).append(one.score)
    shares = {
        context: _shares([scores.get((context, one), []) for one in variants], floor, rng)
        for context in (ANY, *contexts)
    }
    return Routes(
        version=routes.version + 1,
        shares={context: dict(zip(variants, own, strict=True)) for context, own in shares.items()},
    )


def pair_tallies(rated: Iterable[Rated], candidate: str, baseline: str) -> tuple[Tally, ...]:
    """What a bandit's units say of one pair: counters that every test of a pair understands.

    Given that a unit met either of the two, it met the candidate with a probability that its
    recorded shares tell; units under equal ones are added up.
    """
    cells: dict[float, Tally] = {}
    for one in rated:
        shares = one.routed.shares
        if one.routed.variant not in {candidate, baseline} or not shares.keys() >= {
            candidate,
            baseline,
        }:
            continue
        pi = shares[candidate] / (shares[candidate] + shares[baseline])
        mine = one.routed.variant == candidate
        score = [] if one.score is None else [one.score]
        tally = tally_of(
            pi,
            score if mine else [],
            [] if mine else score,
            int(mine and one.score is None),
            int(not mine and one.score is None),
        )
        cells[pi] = merged(cells[pi], tally) if pi in cells else tally
    return tuple(cells.values())


def _shares(
    scores: Sequence[Sequence[float]], floor: float, rng: np.random.Generator
) -> tuple[float, ...]:
    beliefs = [_belief(moments_of(own)) for own in scores]
    shares = thompson_shares(beliefs, exploration=1.0, floor=floor, rng=rng)
    return tuple(share / sum(shares) for share in shares)


def _belief(moments: Moments) -> Posterior:
    """A mean score, from a wide prior and the spread of a score that can be no wider."""
    if moments.n == 0:
        return Posterior(0.5, PRIOR_SD)
    variance = 0.25 / moments.n
    weight = PRIOR_SD**2 / (PRIOR_SD**2 + variance)
    return Posterior(0.5 + weight * (moments.mean - 0.5), float(np.sqrt(variance * weight)))
