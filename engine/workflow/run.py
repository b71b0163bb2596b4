"""What every step of one request shares: its deadline, its spans, its budget."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.config.budget import Budget
from engine.errors import DeadlineError
from engine.workflow.failure import BudgetError
from engine.workflow.reply import ToolCall, Usage
from engine.workflow.spans import Timeline

Level = Literal["full", "degraded"]
Emit = Callable[[str, dict[str, Any]], None]
"""Takes an event's kind (plan, node, chunk) and its content, and never waits."""


def unheard(kind: str, content: dict[str, Any]) -> None:
    """Nobody listens to this request's events."""


@dataclass
class Run:
    """One request on its way through a workflow; made anew for each."""

    id: str
    deadline: float
    """On the monotonic clock."""
    timeline: Timeline
    budget: Budget = field(default_factory=Budget)
    emit: Emit = unheard
    conversation: str = ""
    """Names the conversation whose state the steps may read and change; empty for none."""
    trace: Mapping[str, str] = field(default_factory=dict)
    """Headers that go with every call of a model."""
    decided: Mapping[str, bool] = field(default_factory=dict)
    """What people allowed or refused of this request so far, by the question's id."""
    asked: dict[str, str] = field(default_factory=dict, init=False)
    """What a person has to allow before the request can end, by the question's id."""
    began: float = field(default_factory=time.monotonic, init=False)
    steps: int = field(default=0, init=False)
    tokens: int = field(default=0, init=False)
    cost_usd: float = field(default=0.0, init=False)
    usages: list[Usage] = field(default_factory=list, init=False)
    degraded: list[str] = field(default_factory=list, init=False)
    """What was given up, in order: `faster_model`, `no_tools`, `cached`, `preset`."""
    wanted: tuple[ToolCall, ...] = field(default=(), init=False)
    """What the client is to call before there is an answer."""

    @property
    def is_heard(self) -> bool:
        """Whether somebody listens to this request's events."""
        return self.emit is not unheard

    def within(self, limit_s: float) -> float:
        """Seconds that a call may take: its own limit, or what is left of the request.

        Raises:
            DeadlineError: Nothing is left.
        """
        left = self.deadline - time.monotonic()
        if left <= 0.0:
            raise DeadlineError("no time left")
        return min(limit_s, left)

    def step(self, *, is_last: bool = True) -> None:
        """Count a model call or a tool call, before it is made.

        A tool call is never the last step: somebody has to answer with what it gave.

        Raises:
            BudgetError: The steps, tokens or money are used up.
        """
        for name, used, most in self._used():
            if used >= most - (name == "steps" and not is_last):
                raise BudgetError(f"budget_{name}", f"{name}: {used:g} used of {most:g}")
        self.steps += 1

    def charge(self, usage: Usage) -> None:
        """Add what a call took; what the endpoint did not say counts as nothing here."""
        self.usages.append(usage)
        self.tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)
        self.cost_usd += usage.cost_usd or 0.0

    @property
    def level(self) -> Level:
        """Whether the request may go on as planned, or has to save what is left."""
        over = any(used >= self.budget.degrade_at * most for _, used, most in self._used())
        late = time.monotonic() - self.began >= self.budget.degrade_at * self.budget.latency_s
        return "degraded" if over or late or self.steps >= self.budget.steps - 1 > 0 else "full"

    def give_up(self, what: str) -> None:
        """Remember that something was given up, once."""
        if what not in self.degraded:
            self.degraded.append(what)

    def _used(self) -> Iterable[tuple[str, float, float]]:
        return (
            ("steps", self.steps, self.budget.steps),
            ("tokens", self.tokens, self.budget.tokens),
            ("cost", self.cost_usd, self.budget.cost_usd),
        )
