"""Steps that ask a language model, alone or as an agent."""

import time
from collections.abc import Callable, Container, Mapping
from contextlib import AsyncExitStack
from typing import Any

from engine.config.graph.steps import AgentStep, ModelStep
from engine.errors import ConfigError
from engine.workflow.parts import NOTHING, OnText
from engine.workflow.plan.acts import fields_of
from engine.workflow.plan.execute import WaitingError
from engine.workflow.plan.journal import Question
from engine.workflow.plan.language import rendered, taken
from engine.workflow.plan.place import Act, Parts, Place, Values, needed, shown
from engine.workflow.reply import Message


def model_act(name: str, step: ModelStep, parts: Parts) -> Act:
    """Ask a language model once."""
    asker = needed(parts.asker, "a language model")
    messages = _messages(step, parts.prompts)
    hands_on = step.client_tools
    image = taken(step.image) if step.image is not None else None

    async def act(values: Values, place: Place) -> dict[str, Any]:
        asked = messages(values, place)
        if image is not None:
            asked[-1] = _with_image(asked[-1], str(image(values)))
        if hands_on:
            asked += place.said.since
        reply = await asker.ask(
            asked,
            place.run,
            node=shown(f"{place.path}{name}.model"),
            offer=place.said.offer if hands_on else NOTHING,
            tier=step.tier,
            on_text=_heard(name, place) if step.stream and place.run.is_heard else None,
        )
        if hands_on:
            place.run.wanted = reply.tool_calls
        found = fields_of(reply.text, step.fields, "the language model")
        return {"text": reply.text, "model": reply.model} | found

    return act


def agent_act(name: str, step: AgentStep, parts: Parts) -> Act:
    """Let an agent answer."""
    agent = needed(parts.agent, "agents")(step)
    messages = _messages(step, parts.prompts)
    intent = taken(step.intent) if step.intent is not None else None
    early = needed(parts.early, "tools that read ahead")(step) if intent is not None else None

    async def act(values: Values, place: Place) -> dict[str, Any]:
        heard = _heard(name, place) if step.stream and place.run.is_heard else None
        asked, before = messages(values, place), set(place.run.asked)
        async with AsyncExitStack() as stack:
            if intent is not None and early is not None:
                question = str(asked[-1]["content"])
                await stack.enter_async_context(early(str(intent(values)), question, place.run))
            outcome = await agent.run(asked, place.run, on_text=heard)
        if questions := _allowances(name, place, before):
            raise WaitingError(questions)
        return {"text": outcome.text, "status": outcome.status, "steps": outcome.steps}

    return act


def _allowances(name: str, place: Place, before: Container[str]) -> list[Question]:
    """What a person has to allow; the agent begins anew once that is decided."""
    run, path, now = place.run, f"{place.path}{name}", time.time()
    return [
        Question(id_, run.id, path, ask, ("approve", "reject"), now)
        for id_, ask in run.asked.items()
        if id_ not in before
    ]


def _messages(
    step: ModelStep | AgentStep, prompts: Mapping[str, str]
) -> Callable[[Values, Place], list[Message]]:
    if step.system and step.system not in prompts:
        raise ConfigError(f"there is no prompt {step.system!r}; known: {', '.join(prompts)}")
    system: list[Message] = []
    if step.system:
        system = [{"role": "system", "content": prompts[step.system]}]
    say = rendered(step.say)

    def made(values: Values, place: Place) -> list[Message]:
        before = place.said.before if step.history else ()
        return [*system, *before, {"role": "user", "content": say(values)}]

    return made


def _with_image(message: Message, url: str) -> Message:
    parts = [
        {"type": "text", "text": message["content"]},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    return message | {"content": parts}


def _heard(name: str, place: Place) -> OnText:
    def on_text(text: str) -> None:
        place.run.emit("chunk", {"node": f"{place.path}{name}", "text": text})

    return on_text
