"""What the action of a fault can reach: processes, the model, the clients, the books."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from cluster.chaos.children import Model, Serving
from cluster.chaos.family import busiest, family
from engine.errors import ClusterError
from engine.testing.faults.script import Rule, Script

BACKGROUND = {
    "internal_error": 0.006,
    "overloaded": 0.006,
    "reset_before_headers": 0.006,
}
"""Transient errors of the model throughout a run, 1.8 % of its calls."""
APPEARS_S = 25.0
GONE_S = 5.0


@dataclass(frozen=True)
class Done:
    """What an action has done; without evidence it did not land."""

    evidence: str
    aimed_at: str = ""
    fills_disk: bool = False
    over_at: float | None = None
    """When the deployment could begin to recover; None when the action was over."""
    wrong: str = ""
    """What the deployment did that it must not, as far as the action itself can tell."""


@dataclass
class Stage:
    """A deployment under load."""

    root: Path
    serving: Serving
    model: Model
    dice: Random
    candidate: str = ""
    """The hash of the variant that shares the traffic with the baseline."""
    rollouts: int = 0
    journals: list[Path] = field(default_factory=list)
    """Journals of further clients, whose acknowledgements count as well."""

    def play(self, *rules: Rule, rates: dict[str, float] | None = None) -> None:
        """Let the model answer by these rules and rates, instead of the background's."""
        self.model.play(Script(rules=rules, rates=BACKGROUND if rates is None else rates))

    def one(self, role: str) -> psutil.Process:
        """The process of this role that works most.

        Raises:
            ClusterError: There is none.
        """
        found = busiest(family(self.root).get(role, []))
        if found is None:
            raise ClusterError(f"the deployment has no {role}")
        return found

    def pids(self, role: str) -> set[int]:
        """The processes of this role."""
        return {process.pid for process in family(self.root).get(role, [])}

    def wait_for_another(self, role: str, before: set[int]) -> tuple[int | None, float]:
        """The process that took a killed one's place, and how long that took."""
        began = time.monotonic()
        while (taken := time.monotonic() - began) < APPEARS_S:
            if new := self.pids(role) - before:
                return min(new), taken
            time.sleep(0.2)
        return None, taken
