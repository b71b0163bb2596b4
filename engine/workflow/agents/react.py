"""Answers with tools that are called in plain text: thought, action, observation."""

import json
from collections.abc import Mapping, Sequence

from engine.config import agents as config
from engine.workflow.agents.prompts import PROMPTS, instructed, listed
from engine.workflow.agents.react_parser import Act, Answer, Unclear, read, spoken
from engine.workflow.agents.react_tools import signatures
from engine.workflow.agents.result import Outcome, noted, said, working
from engine.workflow.agents.turns import Calls, closed, iteration
from engine.workflow.failure import LlmError
from engine.workflow.parts import Asker, OnText, Toolbelt
from engine.workflow.reply import Message, ToolCall
from engine.workflow.run import Run

MOST_UNCLEAR = 2
"""How often in a row the model is told that its turn was unclear, before it is taken as it is."""
SHUT = "You may call no more tools. Write `Final Answer:` and your answer from what you know."


class React:
    """Reads actions out of what the model writes; for models that know no tools protocol."""

    def __init__(
        self,
        asker: Asker,
        belt: Toolbelt,
        settings: config.Agent | None = None,
        prompts: Mapping[str, str] = PROMPTS,
    ) -> None:
        self._asker = asker
        self._belt = belt
        self._settings = settings or config.Agent(pattern="react")
        self._prompt = prompts["react"]

    async def run(
        self, messages: Sequence[Message], run: Run, *, on_text: OnText | None = None
    ) -> Outcome:
        """Answer the conversation; only the answer itself is streamed, in one piece."""
        with working(run, "react") as span:
            outcome = noted(span, await self._turns(messages, run))
        if on_text is not None:
            on_text(outcome.text)
        return outcome

    async def _turns(self, messages: Sequence[Message], run: Run) -> Outcome:
        schemas = self._belt.schemas()
        tools, calls = signatures(schemas), Calls(self._belt)
        told = instructed(messages, f"{self._prompt}\n{listed(schemas)}")
        added: list[Message] = []
        unclear = 0
        for turn in range(1, self._settings.max_steps + 1):
            shut = closed(run, turn, self._settings.max_steps)
            last: list[Message] = [{"role": "user", "content": SHUT}] if shut else []
            async with iteration(run, self._settings.iteration_timeout_s):
                reply = await self._asker.ask([*told, *added, *last], run, node="react_turn")
                reading = read(reply.text, tools)
                if isinstance(reading, Answer):
                    return _outcome(reading.text, added, turn, shut)
                unclear = unclear + 1 if isinstance(reading, Unclear) else 0
                text = spoken(reply.text)
                if shut or unclear > MOST_UNCLEAR:
                    return _outcome(text, added, turn, shut or "unclear")
                added += [said(text)] if text else []
                added.append(await self._observed(reading, calls, run))
        raise AssertionError("the last turn always answers")

    async def _observed(self, reading: Act | Unclear, calls: Calls, run: Run) -> Message:
        if isinstance(reading, Unclear):
            hint = "Write an Action with its Action Input, or a Final Answer."
            return {"role": "user", "content": f"{reading.why} {hint}"}
        arguments = json.dumps(reading.arguments, ensure_ascii=False)
        call = ToolCall(f"call_{run.steps}", reading.tool, arguments)
        (answer,) = await calls.made([call], run)
        return {"role": "user", "content": f"Observation: {answer['content']}"}


def _outcome(text: str, added: Sequence[Message], turn: int, reason: str) -> Outcome:
    if not text:
        raise LlmError("upstream_malformed", "the language model's last answer is empty")
    told = (*added, said(text))
    return Outcome(text, told, turn, "degraded" if reason else "answered", reason)
