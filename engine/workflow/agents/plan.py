"""A team's plan: tasks and what each needs of the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import Field, ValidationError

from engine.config.frozen import Frozen
from engine.workflow.agents.loose_json import LooseJsonError, first_object, value_at


class Task(Frozen):
    """What one executor does."""

    id: str = Field(min_length=1, max_length=40)
    goal: str = Field(min_length=1)
    needs: tuple[str, ...] = ()
    """The tasks whose results this one reads."""


@dataclass(frozen=True)
class Plan:
    """Tasks, each behind all that it needs."""

    tasks: tuple[Task, ...]

    def behind(self, ids: frozenset[str]) -> frozenset[str]:
        """These tasks and all that read their results."""
        stale = set(ids)
        for task in self.tasks:
            if stale.intersection(task.needs):
                stale.add(task.id)
        return frozenset(stale)


def planned(text: str, goal: str, most: int) -> Plan:
    """The plan in a planner's turn; where it holds none that can be done, one task for it all."""
    listed = _listed(text)
    if not isinstance(listed, list) or not 1 <= len(listed) <= most:
        return _whole(goal)
    try:
        tasks = {task.id: task for task in map(_task, listed)}
        order = list(
            TopologicalSorter({id: task.needs for id, task in tasks.items()}).static_order()
        )
    except (ValidationError, CycleError, TypeError, AttributeError):
        return _whole(goal)
    if len(tasks) < len(listed) or len(order) > len(tasks):
        # an id that stands twice, or a need that is no task
        return _whole(goal)
    return Plan(tuple(tasks[id] for id in order))


def _listed(text: str) -> object:
    head = text.partition("{")[0].rstrip()
    if not head.endswith("["):
        return (first_object(text) or {}).get("tasks")
    try:
        return value_at(text, len(head) - 1).value
    except LooseJsonError:
        return None


def _task(written: Mapping[str, Any]) -> Task:
    needs = written.get("needs") or ()
    return Task(
        id=str(written.get("id", "")),
        goal=str(written.get("goal", "")),
        needs=tuple(str(need) for need in ([needs] if isinstance(needs, str) else needs)),
    )


def _whole(goal: str) -> Plan:
    return Plan((Task(id="all", goal=goal),))
