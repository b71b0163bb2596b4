"""What agents are told; an operator's prompt of the same name stands in for ours.

The texts hold no places to fill in: what varies is written after them, so an operator may use
any bracket.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.workflow.reply import Message

PROMPTS: Mapping[str, str] = {
    "react": (
        "Work step by step. In every turn write either\n"
        "Thought: what you need next\n"
        "Action: the name of one tool\n"
        "Action Input: its arguments as one JSON object\n"
        "and stop there; the result comes to you as an Observation. Or, once you know enough:\n"
        "Thought: why you are done\n"
        "Final Answer: the answer for the user\n"
        "Never write an Observation yourself. The tools are:"
    ),
    "plan": (
        "Plan the work on the user's request for several workers who don't see each other. Reply "
        'with JSON only: {"tasks": [{"id": "a", "goal": "what to do, complete in itself", '
        '"needs": []}]}. `needs` names the tasks whose results this one reads; tasks that need '
        "nothing of each other run at the same time. Use as few tasks as will do; one is often "
        "enough. The most that you may plan:"
    ),
    "execute": (
        "You are one of several workers on a request. Do your own task, and only that, with the "
        "tools that you have. Reply with the result, complete and without preamble."
    ),
    "compose": (
        "Write the answer to the user's request from the workers' results. Say nothing that the "
        "results don't support, and name what they leave open."
    ),
    "review": (
        "Check the answer against the user's request and the results it stands on: is it right, "
        'complete, to the point? Reply with JSON only: {"approved": true or false, "remarks": '
        '"what has to change", "redo": ["ids of tasks to be done again"]}.'
    ),
    "correct": (
        "Check the draft of an answer to the user's last message. Reply with JSON only: "
        '{"approved": true} where it can go out as it is, else {"approved": false, "remarks": '
        '"what is wrong", "answer": "the whole corrected answer"}.'
    ),
    "direct": (
        "Answer the user's last message, and say how sure you are that the answer is right and "
        'complete without looking anything up. Reply with JSON only: {"answer": "...", '
        '"confidence": a number from 0 to 1}.'
    ),
    "summary": (
        "Shorten the text, keeping every fact, figure and name that its reader needs, in its own "
        "language and form. Marks such as [[1]] stand for code: keep each, in its place. Reply "
        "with the shortened text only. The most characters that it may have:"
    ),
}


def instructed(messages: Sequence[Message], text: str) -> list[Message]:
    """The conversation with an instruction at its head, after the system message it may have."""
    first = messages[0] if messages else {}
    if first.get("role") != "system" or not isinstance(first.get("content"), str):
        return [{"role": "system", "content": text}, *messages]
    return [{**first, "content": f"{first['content']}\n\n{text}"}, *messages[1:]]


def listed(schemas: Iterable[Mapping[str, Any]]) -> str:
    """The tools as a model reads them that can't be told of tools by the protocol."""
    return "\n".join(_line(schema["function"]) for schema in schemas)


def _line(function: Mapping[str, Any]) -> str:
    parameters = function.get("parameters") or {}
    required = parameters.get("required", ())
    names = ", ".join(
        f"{name}: {schema.get('type', 'any')}{'' if name in required else ' (optional)'}"
        for name, schema in parameters.get("properties", {}).items()
    )
    return f"- {function['name']}({names}): {function.get('description', '')}"
