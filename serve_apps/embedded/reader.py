"""Answers a chat request by choosing sentences of the context that it holds.

The reader knows nothing but the request: no corpus, no question list, no network. It extracts, it
doesn't reason; for arithmetic it asks for a calculator, and where the context says too little it
says that it doesn't know.
"""

import json
import random
import re

from serve_apps.embedded.arithmetic import expression
from serve_apps.embedded.choice import candidates, chosen, covered
from serve_apps.embedded.instructions import manner
from serve_apps.embedded.passages import taken_apart
from serve_apps.embedded.protocol import ChatRequest, Completion, FinishReason, Tool

UNKNOWN = "I don't know."

_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")
"""A token is about six letters or one sign; close enough to charge and to cut by."""


def read(request: ChatRequest, seed: int = 0) -> Completion:
    """The completion of a request; the same request and seed give the same one.

    The request's own seed, where it has one, is taken instead of `seed`.
    """
    asked = max((i for i, m in enumerate(request.messages) if m.role == "user"), default=None)
    prompt_tokens = sum(_estimated(message.text) for message in request.messages)
    if asked is None:
        return _said(UNKNOWN, request, prompt_tokens)
    message = request.messages[asked].text
    results = [each.text for each in request.messages[asked + 1 :] if each.role == "tool"]
    reading = taken_apart(message)
    if results and not results[-1].lower().startswith("error"):
        return _said(f"The result is {results[-1].strip()}.", request, prompt_tokens)
    tool = _calculator(request)
    wanted = expression(reading.question) if tool is not None and not results else None
    if tool is not None and wanted is not None:
        arguments = json.dumps({"expression": wanted})
        return Completion(
            None, "tool_calls", prompt_tokens, _estimated(arguments), tool.function.name, arguments
        )
    system = "\n".join(m.text for m in request.messages if m.role in ("system", "developer"))
    wish = manner(system)
    if covered(reading) < wish.doubt:
        return _said(UNKNOWN, request, prompt_tokens)
    # Choosing text is no secret: predictable dice are what a seed is for.
    dice = random.Random(seed if request.seed is None else request.seed)
    picked = chosen(candidates(reading), wish.sentences, request.temperature, request.top_p, dice)
    return _said(" ".join(each.sentence.text for each in picked), request, prompt_tokens)


def _said(text: str, request: ChatRequest, prompt_tokens: int) -> Completion:
    limit = request.limit
    reason: FinishReason = "stop"
    ends = [token.end() for token in _TOKEN.finditer(text)]
    if limit is not None and len(ends) > limit:
        text, reason = text[: ends[limit - 1]], "length"
        ends = ends[:limit]
    return Completion(text, reason, prompt_tokens, len(ends))


def _calculator(request: ChatRequest) -> Tool | None:
    """The first tool that takes an arithmetic expression, unless tools are closed."""
    if request.tool_choice == "none":
        return None
    for tool in request.tools:
        if "expression" in tool.function.parameters.get("properties", {}):
            return tool
    return None


def _estimated(text: str) -> int:
    return (len(text) + 3) // 4
