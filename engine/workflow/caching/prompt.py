"""What a cached answer depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.config.workflow import Llm
from engine.workflow.caching.keys import canonical
from engine.workflow.parts import Offer, Tier
from engine.workflow.reply import Message


@dataclass(frozen=True)
class Prompt:
    """Everything that changes an answer: nothing else may, and the variant always does."""

    namespace: str
    """The variant's id."""
    llm: Llm
    messages: Sequence[Message]
    offer: Offer
    tier: Tier

    @cached_property
    def key(self) -> str:
        """The same for the same prompt only."""
        return canonical(self.namespace, self._settings, list(self.messages))

    @cached_property
    def scope(self) -> str:
        """The same for prompts that differ in nothing but the question."""
        return canonical(self.namespace, self._settings, list(self.messages[:-1]))

    @cached_property
    def question(self) -> str | None:
        """The last message's text; None where it is not a user's plain text, or carries more."""
        last = self.messages[-1] if self.messages else {}
        if last.keys() != {"role", "content"} or last["role"] != "user":
            return None
        content = last["content"]
        return content if isinstance(content, str) and content.strip() else None

    @property
    def _settings(self) -> dict[str, Any]:
        llm = self.llm
        return {
            "model": llm.name,
            "base_url": llm.base_url,
            "temperature": llm.temperature,
            "top_p": llm.top_p,
            "max_tokens": llm.max_tokens,
            "tier": self.tier,
            "tools": [dict(tool) for tool in self.offer.tools],
            "tool_choice": self.offer.choice,
        }
