"""The Tune trainable: one trial, one window, told to Tune as it goes.

It starts no app and creates no actor, because whatever a trial creates dies with it.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import GetTimeoutError, RayError

from search.books import Decisions, FactsFollower
from search.life import Life, World
from search.names import CONTROL, NAMESPACE

RENEWED_WITHIN_S = 2.0


@dataclass(frozen=True)
class Place:
    """Where a trial finds its books and the actor that keeps its lease."""

    root: Path
    experiment: str
    control: str = CONTROL
    namespace: str = NAMESPACE


def trial(config: dict[str, Any], place: Place) -> None:
    """Live one trial's life; Optuna's parameters are the whole configuration."""
    decisions = Decisions(place.root)
    life = Life(
        trial=tune.get_context().get_trial_id(),
        experiment=place.experiment,
        params=config,
        decisions=decisions,
        facts=FactsFollower(place.root),
        world=World(clock=time.time, sleep=time.sleep, renew=Renewal(place)),
    )
    try:
        for report in life.reports():
            tune.report(report.row())
    finally:
        decisions.close()


class Renewal:
    """Renews leases through the control actor, whichever process that is at the moment.

    A renewal that fails is only late: the next one comes before the lease lapses.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._actor: Any = None

    def __call__(self, window: str) -> None:
        """Extend this window's lease, if the control actor can be reached."""
        try:
            if self._actor is None:
                self._actor = ray.get_actor(self._place.control, self._place.namespace)
            ray.get(self._actor.renew.remote(window), timeout=RENEWED_WITHIN_S)
        except GetTimeoutError:
            pass
        except (RayError, ValueError):
            self._actor = None
