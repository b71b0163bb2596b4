"""A graph as it is served: inputs in, one answer out, the conversation kept."""

import json
import time
from typing import Any

from engine.config.graph.steps import ModelStep
from engine.config.workflow import Workflow
from engine.errors import ConfigError
from engine.workflow.answer import Answer, Asked, answered, timeline_of
from engine.workflow.inputs import inputs_of
from engine.workflow.plan.compiled import compiled
from engine.workflow.plan.journal import Journal
from engine.workflow.plan.place import Parts, Said
from engine.workflow.plan.runner import Ended, Runner
from engine.workflow.reply import Message
from engine.workflow.run import Emit, Run, unheard
from engine.workflow.toolset import Toolset

SYSTEM = ("system", "developer")
"""A workflow has its own instructions; a client's are left out."""


class GraphFlow:
    """One variant of a workflow that is a graph of its own."""

    def __init__(
        self, workflow: Workflow, parts: Parts, journal: Journal | None, tools: Toolset
    ) -> None:
        if workflow.graph is None:
            raise ConfigError(f"{workflow.workflow} has no `graph`")
        self._workflow = workflow
        self._graph = workflow.graph
        self._tools = tools
        self._takes_tools = any(
            isinstance(step, ModelStep) and step.client_tools for step in self._graph.nodes.values()
        )
        self._runner = Runner(compiled(self._graph, parts), parts, journal)

    async def answer(self, asked: Asked) -> Answer:
        """Run the graph once, or go on where the request of this id stood.

        Raises:
            ConfigError: The inputs are not the graph's.
            DeadlineError, StepError: The request failed; its effects were taken back.
        """
        question, said = said_around(asked)
        self._check_tools(said)
        given = inputs_of(self._graph, text_of(question), asked.given)
        emit = self._heard(asked.emit)
        run = Run(
            asked.id,
            asked.deadline,
            timeline_of(asked),
            self._workflow.budget,
            emit,
            asked.conversation,
            asked.trace,
        )
        about = {
            "workflow": self._workflow.workflow,
            "variant": asked.variant,
            "given": given,
            "messages": list(asked.messages),
            "conversation": asked.conversation,
            "began_at": time.time(),
        }
        ended = await self._runner.run(given, run, about=about, said=said)
        return answered(
            _said(ended), run, asked.spans, output=ended.output, questions=ended.questions
        )

    def _check_tools(self, said: Said) -> None:
        if (said.offer.tools or said.since) and not self._takes_tools:
            raise ConfigError(
                "tools: no step of this workflow hands on a client's tools; send the request "
                "without them, or write `client_tools: true` at the model step that answers"
            )

    def _heard(self, emit: Emit) -> Emit:
        """Tell the plan, and mark the pieces of the text that the request is answered with."""
        if emit is unheard:
            return emit
        emit("plan", {"nodes": {name: step.type for name, step in self._graph.nodes.items()}})
        owner, _, field = self._graph.output.partition(".")

        def told(kind: str, content: dict[str, Any]) -> None:
            is_answer = kind == "chunk" and field == "text" and content["node"] == owner
            emit(kind, content | {"answer": True} if is_answer else content)

        return told

    async def close(self) -> None:
        """Close the tools."""
        await self._tools.close()


def said_around(asked: Asked) -> tuple[Message, Said]:
    """The user's last message, and what the client says before and after it.

    Raises:
        ConfigError: There are messages, but none is the user's.
    """
    messages = asked.messages
    if not messages:
        return {}, Said(offer=asked.offer)
    users = [n for n, message in enumerate(messages) if message["role"] == "user"]
    if not users:
        raise ConfigError("messages: none of them is the user's; send the question, too")
    at = users[-1]
    before = [message for message in messages[:at] if message["role"] not in SYSTEM]
    return messages[at], Said(before, messages[at + 1 :], asked.offer)


def text_of(message: Message) -> str:
    """The text of a message; empty where there is none, as inputs may be given by name alone."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    return str(content or "")


def _said(ended: Ended) -> str:
    if ended.questions:
        asked = "; ".join(question.ask for question in ended.questions)
        return f"This request waits for a person to decide: {asked}"
    output: Any = ended.output
    if output is None:
        return ""
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
