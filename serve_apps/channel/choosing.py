"""Which of a slot's replicas gets a request."""

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

from engine.config.workflow import ReplicaChoice
from serve_apps.channel.resources import Resources

LEAST_FREE = 0.5
"""Of a processor: most of what keeps it busy may be the very requests that are counted already."""
LOW_MEMORY = 0.1
"""Of a machine's memory: below it, a replica is sent less and less."""


class Choosable(Protocol):
    """A replica as its chooser sees it."""

    @property
    def ongoing(self) -> int:
        """Requests without an answer."""

    @property
    def resources(self) -> Resources | None:
        """What its machine has free; None before it told."""


One = TypeVar("One", bound=Choosable)


def chosen(found: Sequence[One], choice: ReplicaChoice, dice: random.Random) -> One | None:
    """The cheaper of two drawn at random; None of none.

    All gateways choose by what each knows by itself, and the cheapest of all would get everything
    from all of them at once. By free resources, larger machines are drawn more often: drawn as
    often as the others, they could not get more than two of every n requests.
    """
    if choice == "free_resources" and all(one.resources is not None for one in found):
        if len(found) > 2:
            # Drawn without putting back, the more likely the greater the capacity.
            found = sorted(found, key=lambda one: dice.random() ** (1 / _capacity_of(one)))[-2:]
        return min(found, key=_cost, default=None)
    if len(found) > 2:
        found = dice.sample(found, 2)
    return min(found, key=lambda one: one.ongoing, default=None)


def capacity(resources: Resources) -> float:
    """The processors that a machine has left, fewer where it runs out of memory."""
    free = max(LEAST_FREE, 1.0 - resources.busy)
    return resources.cores * free * max(0.01, min(1.0, resources.memory_free / LOW_MEMORY))


def _capacity_of(one: Choosable) -> float:
    return capacity(one.resources) if one.resources is not None else 0.0


def _cost(one: Choosable) -> float:
    """How long a further request would wait here, in no unit."""
    return (one.ongoing + 1) / _capacity_of(one)
