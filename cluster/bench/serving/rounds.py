"""The same load on several targets, turn about, so that whatever else runs meets them all."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil

from cluster.bench.load import Ask, Load, loaded
from cluster.bench.rows import Row
from cluster.bench.serving.processes import cpu_s, roles_of

QUESTION = "What is a coroutine?"
WARM_S = 1.0


@dataclass(frozen=True)
class Target:
    """Where a load goes, and the processes that bear it."""

    name: str
    url: str
    model: str
    processes: Callable[[], list[psutil.Process]]

    def ask(self, connections: int, seconds: float) -> Ask:
        """The same question, to whoever this is."""
        message = {"role": "user", "content": QUESTION}
        body = json.dumps({"model": self.model, "messages": [message]})
        return Ask(url=self.url, body=body, connections=connections, duration_s=seconds)


@dataclass
class Rounds:
    """What one target brought, round by round."""

    loads: list[Load] = field(default_factory=list)
    cpu_ms: list[dict[str, float]] = field(default_factory=list)
    """Milliseconds on a core for each answer, by part."""

    @property
    def why_not(self) -> str:
        """Why the target could not be measured; empty where it was."""
        errors = sum(one.errors for one in self.loads)
        if not self.loads or not all(one.requests for one in self.loads):
            return next((one.first_error for one in self.loads if one.first_error), "no answers")
        first = next((one.first_error for one in self.loads if one.errors), "")
        return f"{errors} errors, the first: {first}" if errors else ""

    def row(self, id_: str, what: str, figure: str, unit: str) -> Row:
        """The median of the rounds between its ends; nothing where an answer failed."""
        if why := self.why_not:
            return unmeasured(id_, what, unit, why)
        values = [getattr(one, figure) for one in self.loads]
        median = float(np.median(values))
        return Row(id=id_, what=what, value=median, low=min(values), high=max(values), unit=unit)

    def cpu(self) -> dict[str, float]:
        """Milliseconds on a core for each answer, by part: the rounds' medians."""
        names = {name for one in self.cpu_ms for name in one}
        return {
            name: float(np.median([one.get(name, 0.0) for one in self.cpu_ms])) for name in names
        }


def unmeasured(id_: str, what: str, unit: str, why: str, goal: str | None = None) -> Row:
    """A row without a figure, which says why there is none."""
    line = " ".join(why.split())[:160]
    return Row(id=id_, what=f"{what} ({line})", value=None, unit=unit, goal=goal)


def rounds(
    targets: Sequence[Target], *, connections: int, seconds: float, times: int
) -> dict[str, Rounds]:
    """Every target's rounds; each next round goes through them the other way about.

    All are asked before anything counts, because some load what they need at their first request.
    """
    found = {target.name: Rounds() for target in targets}
    for target in targets:
        loaded(target.ask(connections, WARM_S).model_copy(update={"settle_s": 0.0}))
    for turn in range(times):
        for target in targets if turn % 2 == 0 else reversed(targets):
            roles = roles_of(target.processes())
            before = cpu_s(roles)
            load = loaded(target.ask(connections, seconds))
            after = cpu_s(roles)
            used = {role: after[role] - before[role] for role in roles} | {"load": load.cpu_s}
            answers = max(load.requests + load.errors, 1)
            found[target.name].loads.append(load)
            found[target.name].cpu_ms.append(
                {role: 1e3 * seconds_ / answers for role, seconds_ in used.items()}
            )
    return found
