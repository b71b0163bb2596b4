"""How many replicas a variant needs: by the traffic that it is to get, and by what it has."""

from collections import defaultdict, deque
from dataclasses import replace
from math import ceil
from typing import NamedTuple

from engine.config.workflow import Deploy
from serve_apps.seating import Key, Seat


class Look(NamedTuple):
    """What was in flight at a time."""

    at: float
    in_flight: float


class Demand:
    """The requests in flight of each variant, for as long as they count.

    The most of a while decides: so a slot grows at once and shrinks when it was calm for as long.
    """

    def __init__(self) -> None:
        self._looks: defaultdict[Key, deque[Look]] = defaultdict(deque)

    def saw(self, key: Key, in_flight: float, at: float) -> None:
        """Take a look into account."""
        self._looks[key].append(Look(at, in_flight))

    def most(self, key: Key, since: float) -> float:
        """The most that was in flight since then; nothing, where nobody looked."""
        looks = self._looks[key]
        while looks and looks[0].at < since:
            looks.popleft()
        if not looks:
            del self._looks[key]
        return max((look.in_flight for look in looks), default=0.0)


def raised(seat: Seat, in_flight: float, deploy: Deploy) -> Seat:
    """The seat with as many replicas as this load takes, never fewer than it has by its share."""
    most = deploy.most_replicas or deploy.slot_replicas
    by_load = min(most, ceil(in_flight / deploy.target_in_flight))
    return replace(seat, replicas=max(seat.replicas, by_load))
