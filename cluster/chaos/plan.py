"""Which faults come when: drawn from a seed, so that a run can be done again."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random

from pydantic import BaseModel, ConfigDict

from cluster.chaos.actions import clients, decisions, kills, pressure, streams, upstream
from cluster.chaos.stage import Done, Stage
from engine.errors import ConfigError

QUIET_S = 6.0
"""Before the first fault: what is usual is measured here."""
SETTLES_S = 3.0
"""After a fault, before the next: it must be over by then."""
JITTER_S = 1.0


@dataclass(frozen=True)
class Action:
    """One way to make a fault of the table happen."""

    fault: int
    """Its number in the table of faults."""
    act: Callable[[Stage], Done]
    takes_s: float
    """About how long the action itself takes."""

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return f"{self.act.__module__.rpartition('.')[2]}.{self.act.__name__}"


ACTIONS = (
    Action(1, kills.slot, 6.0),
    Action(2, streams.replica_dies, 9.0),
    Action(3, kills.haproxy, 4.0),
    Action(4, kills.controller, 5.0),
    Action(4, kills.control, 5.0),
    Action(5, kills.whole_cluster, 60.0),
    Action(5, kills.head, 60.0),
    Action(6, kills.gateway, 6.0),
    Action(9, pressure.full_disk, 3.0),
    Action(12, decisions.torn_files, 0.5),
    Action(14, upstream.throttled, 4.5),
    Action(15, upstream.failing, 4.5),
    Action(16, upstream.resetting, 4.5),
    Action(16, upstream.refused, 1.5),
    Action(17, upstream.stalling, 7.5),
    Action(18, upstream.garbling, 4.5),
    Action(19, upstream.dripping, 7.5),
    Action(20, clients.burst, 5.0),
    Action(21, upstream.one_variant, 3.5),
    Action(22, streams.client_leaves, 1.5),
    Action(25, clients.hostile, 2.0),
    Action(28, clients.wrong_feedback, 0.5),
    Action(29, decisions.poison, 12.0),
    Action(30, decisions.rollout, 4.0),
    Action(31, pressure.little_memory, 6.0),
    Action(32, pressure.few_files, 2.5),
    Action(33, kills.freeze_slot, 2.5),
)
CI = (1, 2, 4, 6, 9, 12, 14, 15, 16, 18, 21, 22, 25, 28, 30)
"""The subset that a test run has time for: a kill of every kind of process that others stand in
for, a full disk, torn files, four kinds of failing model, a broken variant, streams that are cut on
either end, wrong requests, a rollout."""


class Planned(BaseModel):
    """An action and its moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_s: float
    """Seconds after the load began; later where the one before took longer than it should."""
    action: str


def named(name: str) -> Action:
    """The action of this name.

    Raises:
        ConfigError: There is none.
    """
    for action in ACTIONS:
        if action.name == name:
            return action
    known = ", ".join(action.name for action in ACTIONS)
    raise ConfigError(f"{name!r} is no action of a chaos run; write one of {known}")


def schedule(seed: int, seconds: float, faults: Collection[int]) -> tuple[Planned, ...]:
    """Every action of these faults once, in a drawn order; then others until the time is over.

    Raises:
        ConfigError: A fault has no action, or the time is too short for each of them once.
    """
    dice, at_s, planned = Random(seed), QUIET_S, list[Planned]()
    actions = _actions(faults)
    needed_s = QUIET_S + sum(action.takes_s + SETTLES_S + JITTER_S for action in actions)
    if needed_s > seconds:
        raise ConfigError(
            f"{len(actions)} actions need {needed_s:.0f} s and there are {seconds:.0f} s; "
            "name fewer --faults or more --minutes"
        )
    while True:
        for action in dice.sample(actions, len(actions)):
            if at_s + action.takes_s + SETTLES_S > seconds:
                if len(planned) >= len(actions):
                    return tuple(planned)
                continue
            planned.append(Planned(at_s=round(at_s, 3), action=action.name))
            at_s += action.takes_s + SETTLES_S + dice.uniform(0.0, JITTER_S)


def _actions(faults: Collection[int]) -> Sequence[Action]:
    known = {action.fault for action in ACTIONS}
    if strange := sorted(set(faults) - known):
        raise ConfigError(
            f"--faults: {strange[0]} has no action; known are {', '.join(map(str, sorted(known)))}"
        )
    return [action for action in ACTIONS if action.fault in faults]
