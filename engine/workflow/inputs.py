"""What a request brings, as the graph declares it."""

import json
from collections.abc import Mapping
from typing import Any

from engine.config.graph.kinds import is_a
from engine.config.graph.nested import Graph
from engine.config.problem import did_you_mean, listed
from engine.config.wording import got
from engine.errors import ConfigError


def inputs_of(graph: Graph, text: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The graph's inputs, from named values or from a text.

    A text is the graph's only input where that is a text; a graph that takes more than that reads
    it as a JSON object.

    Raises:
        ConfigError: An input is missing, unknown or of another kind.
    """
    if given is None:
        given = _of_text(graph, text)
    problems = [
        *(f"there is no input `{name}`; {did_you_mean(name, graph.input)}"
          for name in given if name not in graph.input),
        *(f"`{name}` is missing; give {kind}"
          for name, kind in graph.input.items() if name not in given),
        *(f"`{name}`: got {got(given[name])}; give {kind}"
          for name, kind in graph.input.items() if name in given and not is_a(given[name], kind)),
    ]  # fmt: skip
    if problems:
        raise ConfigError("input: " + "; ".join(problems))
    return dict(given)


def _of_text(graph: Graph, text: str) -> dict[str, Any]:
    texts = [name for name, kind in graph.input.items() if kind == "text"]
    if len(graph.input) == 1 and texts:
        return {texts[0]: text}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        named = listed(f"{name}: {kind}" for name, kind in graph.input.items())
        raise ConfigError(f"input: this workflow takes {named}; send them as a JSON object")
    return found
