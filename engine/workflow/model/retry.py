"""Tries a failure that may pass again: the one loop that does, for nothing beneath it retries."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from engine.config import model as config
from engine.workflow.failure import StepError

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Retries:
    """The pauses between attempts, drawn so that many clients don't come back at once."""

    settings: config.Retry
    dice: Random = field(default_factory=Random)
    sleep: Sleep = asyncio.sleep

    async def until_answered(self, attempt: Callable[[int], Awaitable[T]], *, deadline: float) -> T:
        """What `attempt` gives; it is told its number, from 1.

        No pause is begun that would outlast `deadline`, on the monotonic clock: the failure is
        raised at once, while there is time for something else.

        Raises:
            StepError: The last failure, or the first that trying again can't mend.
        """
        for number in range(1, self.settings.attempts):
            try:
                return await attempt(number)
            except StepError as failure:
                pause_s = self.pause_s(number, failure.retry_after_s)
                if failure.action != "retry" or time.monotonic() + pause_s >= deadline:
                    raise
            await self.sleep(pause_s)
        return await attempt(self.settings.attempts)

    def pause_s(self, failed: int, retry_after_s: float | None = None) -> float:
        """The pause after the attempt of this number; never less than the other side asked for."""
        most_s = min(self.settings.cap_s, self.settings.base_s * 2.0 ** (failed - 1))
        return max(self.dice.uniform(0.0, most_s), retry_after_s or 0.0)
