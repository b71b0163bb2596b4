"""Sums up old turns, so that what was said early is not forgotten when room runs out."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.config.context import Context
from engine.errors import DeadlineError
from engine.workflow.context.blocks import Block, Talk, joined, talk
from engine.workflow.context.ends import head_tail
from engine.workflow.context.tokens import Tokens
from engine.workflow.context.window import Fitted, fitted
from engine.workflow.failure import StepError
from engine.workflow.parts import Asker
from engine.workflow.reply import Message
from engine.workflow.run import Run

HEAD = "Summary of the conversation so far:\n"

TASK = (
    "Sum up the conversation below for someone who will continue it. Keep every name, number, "
    "decision, open question and everything the user refused. Write at most {words} words of plain "
    "prose; answer nothing yourself."
)

WORDS_PER_TOKEN = 0.6
"""What the model is asked for, so that it seldom has to be cut."""

REMEMBERED = 1_024
"""Conversations whose summary is kept."""


@dataclass(frozen=True)
class _Summary:
    text: str
    blocks: int
    """How many blocks of the conversation it stands for."""


class Summaries:
    """Fits conversations by summing up what is old; one belongs to one variant.

    A summary is remembered by the exact turns that it stands for, so a conversation that grows is
    summed up again only when its newer turns have filled the room once more.
    """

    def __init__(self, asker: Asker, settings: Context, tokens: Tokens) -> None:
        self._asker = asker
        self._settings = settings
        self._tokens = tokens
        self._known: OrderedDict[str, str] = OrderedDict()

    async def fitted(self, messages: Sequence[Message], run: Run) -> Fitted:
        """The conversation within the room; old turns are summed up, or dropped where that fails.

        Raises:
            StepError: What has to stay can't be cut far enough.
        """
        if self._tokens.of(messages) <= self._settings.room_tokens:
            return fitted(messages, self._settings, self._tokens)
        with run.timeline.span("context") as span:
            parts = talk(messages)
            try:
                summary = self._remembered(parts) or await self._written(parts, run)
            except (StepError, DeadlineError) as failure:
                span["fallback"] = "trim"
                span["why"] = getattr(failure, "code", "timeout")
                summary = None
            if summary is None:
                return fitted(messages, self._settings, self._tokens)
            span["summed_up"] = summary.blocks
            note: Message = {"role": "system", "content": HEAD + summary.text}
            kept = joined((*parts.pinned, note), parts.blocks[summary.blocks :])
            return fitted(kept, self._settings, self._tokens)

    def _remembered(self, parts: Talk) -> _Summary | None:
        """The summary that stands for the most, where the rest fits beside it."""
        keys = _keys(parts.blocks)
        for n in range(parts.question, 0, -1):
            text = self._known.get(keys[n - 1])
            if text is not None:
                self._known.move_to_end(keys[n - 1])
                rest = self._tokens.of(joined(parts.pinned, parts.blocks[n:]))
                return _Summary(text, n) if rest + self._frame <= self._room else None
        return None

    async def _written(self, parts: Talk, run: Run) -> _Summary | None:
        count = self._old(parts)
        if count == 0:
            return None
        keys = _keys(parts.blocks)
        known = next((n for n in range(count, 0, -1) if keys[n - 1] in self._known), 0)
        earlier = [self._known[keys[known - 1]]] if known else []
        told = "\n\n".join([*earlier, *(_told(block) for block in parts.blocks[known:count])])
        words = int(self._settings.summary_tokens * WORDS_PER_TOKEN)
        task = TASK.format(words=words)
        # What is summed up has to fit into the cheap model's context too.
        readable = self._room - self._tokens.count(task).tokens - self._frame
        told = head_tail(told, readable, self._tokens) or ""
        if not told:
            raise StepError("summary_room", "the old turns can't be read in the room there is")
        reply = await self._asker.ask(
            [{"role": "system", "content": task}, {"role": "user", "content": told}],
            run,
            node="summarise",
            tier="cheap",
        )
        text = head_tail(reply.text.strip(), self._settings.summary_tokens, self._tokens)
        if not text:
            raise StepError("summary_empty", "the model wrote no summary")
        self._known[keys[count - 1]] = text
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return _Summary(text, count)

    def _old(self, parts: Talk) -> int:
        """Blocks to sum up: what is newer takes at most half the room, so that it can grow."""
        left = self._room // 2 - self._tokens.of(parts.pinned) - self._frame
        for n in range(len(parts.blocks) - 1, -1, -1):
            left -= self._tokens.of(parts.blocks[n])
            if left < 0:
                return min(n + 1, parts.question)
        return 0

    @property
    def _room(self) -> int:
        return self._settings.room_tokens

    @property
    def _frame(self) -> int:
        head: Message = {"role": "system", "content": HEAD}
        return self._settings.summary_tokens + self._tokens.message(head)


def _keys(blocks: Sequence[Block]) -> list[str]:
    digest = hashlib.blake2b(digest_size=16)
    keys = []
    for block in blocks:
        digest.update(json.dumps(block, sort_keys=True).encode())
        keys.append(digest.hexdigest())
    return keys


def _told(block: Block) -> str:
    return "\n".join(f"{message.get('role')}: {_text(message)}" for message in block)


def _text(message: Message) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "[attachment]") for part in content if isinstance(part, dict))
