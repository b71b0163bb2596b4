"""Candidates of a replay proposed by the search that learns from differences."""

from collections.abc import Callable, Mapping, Sequence

from engine.config.parameter import Scalar
from engine.config.space import Space
from search.draws import Params
from search.learning.propose import Learner, Limits, Measured, Row
from search.replay.proposing import Place
from search.replay.proposing import Row as Replayed

WITHIN = 0.98
"""A proposal aims a little below the latency margin: what lies on it takes for ever to prove."""


class Learned:
    """Proposes by a model of quality and latency; among listed variants, or anywhere in a space."""

    def __init__(
        self,
        space: Space,
        seed: int,
        params: Callable[[str], Params],
        name: Callable[[Mapping[str, Scalar]], str],
        among: Sequence[str] | None = None,
    ) -> None:
        self._learner = Learner(space, seed)
        self._params = params
        self._name = name
        self._among = among

    def propose(self, place: Place) -> str | None:
        """The candidate from which an improvement within the margin is most to be expected."""
        tried = place.tried
        among = None
        if self._among is not None:
            among = [self._params(one) for one in self._among if one not in tried]
        proposal = self._learner.propose(
            [self._row(row) for row in place.rows],
            self._params(place.baseline),
            taken=[self._params(one) for one in tried],
            pending=[self._params(one) for one in place.pending],
            limits=Limits(latency_ratio=place.latency_left * WITHIN),
            among=among,
        )
        return None if proposal is None else self._name(proposal)

    def _row(self, row: Replayed) -> Row:
        return Row(
            candidate=self._params(row.candidate),
            baseline=self._params(row.baseline),
            lift=_measured(row.lift, row.se),
            log_latency=_measured(row.log_ratio, row.ratio_se),
        )


def _measured(value: float | None, se: float | None) -> Measured | None:
    return Measured(value, se) if value is not None and se else None
