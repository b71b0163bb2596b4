"""Reads the tools that a chat completion offers, and refuses what no workflow can keep to."""

from typing import Any

from engine.errors import ConfigError
from serve_apps.gateway.call import Json

MOST_TOOLS = 128
"""Of one request, as OpenAI has it."""
CHOICES = ("auto", "none", "required")

OTHERS: dict[str, tuple[tuple[Any, ...], str]] = {
    "n": ((1,), "a workflow gives one answer; leave it out"),
    "logprobs": ((False,), "a workflow's answer has no probabilities; leave it out"),
    "response_format": (({"type": "text"},), "the workflow says what its answer looks like"),
    "modalities": ((["text"],), "a workflow answers in text; leave it out"),
    "functions": (([],), "offer `tools` in its place"),
}
"""What would make another answer of it, with the values that change nothing.

Whatever would only tune the answer, such as `temperature`, is the workflow's own affair: it is
taken and not looked at.
"""


def refuse_others(said: Json) -> None:
    """Look for wishes that the answer would not fulfil although it seems to.

    Raises:
        ConfigError: There is one.
    """
    for name, (harmless, why) in OTHERS.items():
        wish = said.get(name)
        # a switch is a number to Python, but not to the client who wrote it
        if wish is not None and not any(
            wish == one and type(wish) is type(one) for one in harmless
        ):
            raise ConfigError(f"`{name}`: {why}")


def offer_of(said: Json) -> Json | None:
    """The client's own tools and its choice among them; None without any.

    Raises:
        ConfigError: They can't be read.
    """
    tools, choice = said.get("tools"), said.get("tool_choice")
    if not isinstance(tools, list | None) or not all(map(_is_tool, tools or ())):
        raise ConfigError("`tools` must be a list of functions, each with its `name`")
    if len(tools or ()) > MOST_TOOLS:
        raise ConfigError(f"`tools` holds {len(tools or ())}; offer {MOST_TOOLS} at most")
    if choice is not None and choice not in CHOICES and not _is_tool(choice):
        raise ConfigError(f"`tool_choice` must be {', '.join(CHOICES)} or one function")
    return {"tools": tools, "choice": choice or "auto"} if tools else None


def _is_tool(tool: object) -> bool:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return False
    function = tool.get("function")
    return isinstance(function, dict) and isinstance(function.get("name"), str)
