"""Laws of choice among replicas, and what it is worth where their machines are unequal."""

import heapq
import random
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serve_apps.channel.choosing import LEAST_FREE, capacity, chosen
from serve_apps.channel.resources import Resources

WORK_S = 0.1
TELLS_S = 1.0


@dataclass
class Replica:
    """Works on everything it has at once, each at most as fast as one processor."""

    cores: int
    resources: Resources | None = None
    left: dict[int, float] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    worked_s: float = 0.0

    @property
    def ongoing(self):
        return len(self.left)

    @property
    def pace(self):
        return min(1.0, self.cores / len(self.left)) if self.left else 0.0

    def work(self, passed_s):
        done_s = self.pace * passed_s
        self.worked_s += done_s * len(self.left)
        for number in self.left:
            self.left[number] -= done_s

    def next_end_s(self):
        return min(self.left.values()) / self.pace if self.left else float("inf")

    def tell(self):
        self.resources = Resources(self.cores, self.worked_s / (self.cores * TELLS_S), 0.5)
        self.worked_s = 0.0


def latencies_s(cores, rate, choose, seed=1, count=3_000):
    """How long each of `count` requests takes, which come at random at this rate."""
    dice = random.Random(seed)
    replicas = [Replica(one, Resources(one, 0.0, 0.5)) for one in cores]
    now, found = 0.0, []
    coming = [(dice.expovariate(rate), "request")]
    heapq.heappush(coming, (TELLS_S, "tell"))
    number = 0
    while len(found) < count:
        ends_s = [one.next_end_s() for one in replicas]
        passed_s = min(coming[0][0] - now, *ends_s)
        now += passed_s
        for one in replicas:
            one.work(passed_s)
            for key in [key for key, left in one.left.items() if left <= 1e-9]:
                del one.left[key]
                found.append(now - one.began.pop(key))
        if now >= coming[0][0] - 1e-12:
            _, what = heapq.heappop(coming)
            if what == "tell":
                for one in replicas:
                    one.tell()
                heapq.heappush(coming, (now + TELLS_S, "tell"))
            else:
                number += 1
                one = choose(replicas, dice)
                one.left[number], one.began[number] = dice.expovariate(1 / WORK_S), now
                heapq.heappush(coming, (now + dice.expovariate(rate), "request"))
    return found


def p99_s(cores, rate, choose):
    return float(np.percentile(latencies_s(cores, rate, choose), 99))


def round_robin():
    turns = cycle(range(100))
    return lambda replicas, _: replicas[next(turns) % len(replicas)]


def by(choice):
    return lambda replicas, dice: chosen(replicas, choice, dice)


def test_unequal_machines_have_a_better_p99_by_what_they_have_free():
    cores = [8, 1, 1, 1]
    rate = 0.7 * sum(cores) / WORK_S

    free = p99_s(cores, rate, by("free_resources"))

    assert free < 0.8 * p99_s(cores, rate, by("in_flight"))
    assert free < 0.2 * p99_s(cores, rate, round_robin())


def test_equal_machines_lose_nothing_by_it():
    cores = [2, 2, 2, 2]
    rate = 0.7 * sum(cores) / WORK_S

    free = p99_s(cores, rate, by("free_resources"))

    assert free < 1.1 * p99_s(cores, rate, by("in_flight"))


free = st.builds(
    Resources, st.integers(1, 64), st.floats(0.0, 1.0), st.floats(0.0, 1.0, exclude_min=True)
)
some = st.lists(st.builds(Replica, st.just(1), st.none() | free), min_size=1, max_size=5)
choices = st.sampled_from(["in_flight", "free_resources"])


@given(some, choices, st.integers())
def test_one_of_those_that_there_are_is_chosen(replicas, choice, seed):
    assert chosen(replicas, choice, random.Random(seed)) in replicas


@given(choices)
def test_of_none_none_is_chosen(choice):
    assert chosen([], choice, random.Random(0)) is None


@given(free, st.integers(0, 20), st.integers(0, 20), choices)
def test_of_two_on_equal_machines_the_less_busy_is_chosen(resources, few, more, choice):
    idle = Replica(1, resources, dict.fromkeys(range(min(few, more)), 1.0))
    busy = Replica(1, resources, dict.fromkeys(range(max(few, more) + 1), 1.0))

    assert chosen([busy, idle], choice, random.Random(0)) is idle


@given(free)
def test_a_machine_is_never_taken_for_more_than_it_is_nor_for_nothing(resources):
    assert 0.0 < capacity(resources) <= resources.cores
    assert capacity(resources._replace(memory_free=1.0)) >= LEAST_FREE * resources.cores * 0.999
