"""Shortens long answers and leaves their code alone."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.errors import DeadlineError
from engine.workflow.agents.prompts import PROMPTS
from engine.workflow.agents.result import Agent, Outcome, noted, said, working
from engine.workflow.failure import StepError
from engine.workflow.parts import Asker, OnText
from engine.workflow.reply import Message
from engine.workflow.run import Run

_FENCE = re.compile(r"[ \t]{0,8}(`{3,}|~{3,})(.*)")
_MARK = re.compile(r"\[\[(\d{1,4})\]\]")
LEAST = 100
"""Characters of prose that are never shortened further."""


class Summary:
    """An agent whose long answers are shortened by the cheap model before they leave.

    A summary that fails, or comes out longer, leaves the answer as it was.
    """

    def __init__(
        self,
        asker: Asker,
        inner: Agent,
        max_chars: int,
        prompts: Mapping[str, str] = PROMPTS,
    ) -> None:
        self._asker = asker
        self._inner = inner
        self._max_chars = max_chars
        self._prompt = prompts["summary"]

    async def run(
        self, messages: Sequence[Message], run: Run, *, on_text: OnText | None = None
    ) -> Outcome:
        """Answer the conversation; the answer is streamed in one piece, at its final length."""
        with working(run, "summary") as span:
            outcome = await self._inner.run(messages, run)
            text = await self.shortened(outcome.text, run)
            span.update(chars_before=len(outcome.text), chars=len(text))
            told = (*outcome.messages[:-1], said(text))
            steps = outcome.steps + (text != outcome.text)
            noted(span, outcome := replace(outcome, text=text, messages=told, steps=steps))
        if on_text is not None:
            on_text(text)
        return outcome

    async def shortened(self, text: str, run: Run) -> str:
        """The text, brought down to about the length that is wanted; code stays as it is."""
        prose, blocks = _parted(text)
        room = max(LEAST, self._max_chars - sum(map(len, blocks)))
        done = len(text) <= self._max_chars or len(prose) <= room
        # a text with marks of its own would lose them
        marked = len(_MARK.findall(prose)) > len(blocks)
        if done or marked or run.level == "degraded":
            return text
        told: list[Message] = [
            {"role": "system", "content": f"{self._prompt} {room}"},
            {"role": "user", "content": prose},
        ]
        try:
            reply = await self._asker.ask(told, run, node="summarize", tier="cheap")
        except (StepError, DeadlineError):
            return text
        short = _joined(reply.text.strip(), blocks)
        return short if reply.text.strip() and len(short) < len(text) else text


def _parted(text: str) -> tuple[str, list[str]]:
    """The text with a mark for each code block, and the blocks."""
    prose: list[str] = []
    blocks: list[list[str]] = []
    fence = ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if fence:
            blocks[-1].append(line)
            if found and found[1].startswith(fence) and not found[2].strip():
                fence = ""
        elif found:
            # a fence that is never closed runs to the end
            fence = found[1]
            blocks.append([line])
            prose.append(f"[[{len(blocks)}]]")
        else:
            prose.append(line)
    return "\n".join(prose), ["\n".join(block) for block in blocks]


def _joined(prose: str, blocks: Sequence[str]) -> str:
    left = {str(number): block for number, block in enumerate(blocks, 1)}
    parts: list[str] = []
    # marks are cut out in one pass, because a block may hold what looks like one
    for n, piece in enumerate(_MARK.split(prose)):
        parts.append(left.pop(piece, "") if n % 2 else piece.strip())
    return "\n\n".join(part for part in (*parts, *left.values()) if part)
