"""Chooses what answers: the model that was asked for, a faster one, or an answer made before."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.config.model import TASK_ID, Resilience
from engine.workflow.parts import Tier
from engine.workflow.reply import Message, Reply, Usage
from engine.workflow.run import Level

StandIn = Literal["faster_model", "cached", "preset"]
Remembered = Callable[[Sequence[Message]], Reply | None]
"""Gives the answer that these messages got before; None where there is none."""

FREE = Usage(0, 0, 0.0)


def nothing_remembered(messages: Sequence[Message]) -> Reply | None:
    """No answer is kept."""
    return None


@dataclass(frozen=True)
class Choice:
    """What may answer in a workflow with these settings."""

    usual: str
    resilience: Resilience
    remembered: Remembered = nothing_remembered

    def model(self, tier: Tier) -> str:
        """The model of this tier."""
        tiers = self.resilience.tiers
        by_tier: dict[Tier, str | None] = {
            "usual": self.usual,
            "cheap": tiers.cheap,
            "strong": tiers.strong,
        }
        return by_tier[tier] or self.usual

    def models(self, tier: Tier, level: Level) -> tuple[str, ...]:
        """The models to ask in turn; a request that has to save begins with the cheap one."""
        faster = self.resilience.fallback.models
        cheap = self.resilience.tiers.cheap or next(iter(faster), self.model(tier))
        first = cheap if level == "degraded" else self.model(tier)
        return tuple(dict.fromkeys((first, *faster)))

    def kept(self, messages: Sequence[Message], task_id: str) -> Iterator[tuple[StandIn, Reply]]:
        """The answers that need no model, the better one first; they cost nothing."""
        fallback = self.resilience.fallback
        if fallback.cached and (reply := self.remembered(messages)):
            yield "cached", replace(reply, usage=FREE)
        if fallback.preset is not None:
            yield "preset", Reply(fallback.preset.replace(TASK_ID, task_id), (), FREE, "preset")
