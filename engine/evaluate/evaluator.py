"""Declared metrics as functions of a stored request."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import openai

from engine.config.metric import Evaluator, Judge, Python, Reference, Rule
from engine.errors import ConfigError, UnmeasuredError
from engine.evaluate.judge import opinion
from engine.evaluate.reference import references, score
from engine.evaluate.rule import passes

Trace = Mapping[str, Any]
"""A stored request, by the names of its columns."""
Score = Callable[[Trace], float | None]
"""The score of an answered request, or None where the metric says nothing about it."""
BLIND = ("variant", "served", "writer")
"""What no evaluator learns of a request."""
JUDGE_TRIES = 2
"""Times that a failing judge is asked again; no user waits for it."""


def evaluator_of(metric: Evaluator, folder: Path) -> Score:
    """Prepare a metric; files are relative to the folder.

    Raises:
        ConfigError: A reference file or a function isn't there.
    """
    match metric:
        case Rule():
            return lambda trace: float(passes(metric, trace["answer"]))
        case Reference():
            known = references(folder / metric.file)
            return lambda trace: score(trace["answer"], trace["question"], known, metric.match)
        case Judge():
            url = None if metric.base_url == "env" else metric.base_url
            client = openai.OpenAI(base_url=url, max_retries=JUDGE_TRIES)
            return lambda trace: opinion(metric, client, trace["question"], trace["answer"])
        case Python():
            return _own(metric)


def _own(metric: Python) -> Score:
    function = _function(metric.function)

    def scored(trace: Trace) -> float:
        blind = {name: value for name, value in trace.items() if name not in BLIND}
        found = function(trace["question"], trace["answer"], blind)
        if not isinstance(found, int | float) or not 0.0 <= found <= 1.0:
            raise UnmeasuredError(f"{metric.function} gave {found!r}; a score lies in [0, 1]")
        return float(found)

    return scored


def _function(name: str) -> Callable[[str, str, Trace], object]:
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        why = "install its module where Trimtab runs"
        raise ConfigError(f"function {name!r} can't be imported: {error}; {why}") from error
    if not callable(function):
        raise ConfigError(f"{name!r} is no function; write `module:function`")
    return function  # type: ignore[no-any-return]
