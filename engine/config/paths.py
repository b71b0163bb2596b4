"""A workflow's tunable part as flat dotted paths."""

import json
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, JsonValue, ValidationError

from engine.config.problem import Problem, did_you_mean
from engine.config.wording import problems_of
from engine.config.workflow import Workflow
from engine.errors import ConfigError

Setting = bool | int | float | str | tuple[str, ...]
"""The value of one parameter; a list of texts is one value."""

SECTIONS = (
    "llm",
    "rag",
    "router",
    "nodes",
    "graph",
    "context",
    "caching",
    "resilience",
    "model_choice",
)
"""What a variant may differ in; the rest of a workflow is where and how it is operated."""


def settings_of(workflow: Workflow) -> dict[str, Setting]:
    """Every parameter of a workflow with its present value, in the order of the model."""
    return {
        path: value
        for section in SECTIONS
        for path, value in _leaves(getattr(workflow, section), section)
    }


def with_settings(workflow: Workflow, changes: Mapping[str, Setting]) -> Workflow:
    """The workflow after these changes, checked as strictly as if it had been read from a file.

    Raises:
        ConfigError: A path names no parameter, a value has the wrong type or range, or the
            changed workflow is impossible.
    """
    changed = attempt(workflow, changes)
    if isinstance(changed, Workflow):
        return changed
    raise ConfigError("\n".join(str(problem) for problem in changed))


def attempt(workflow: Workflow, changes: Mapping[str, Setting]) -> Workflow | list[Problem]:
    """The changed workflow, or everything that stands against it."""
    known = settings_of(workflow).keys()
    unknown = [
        Problem((path,), f"unknown parameter; {did_you_mean(path, known)}", at_key=True)
        for path in changes
        if path not in known
    ]
    if unknown:
        return unknown
    written = workflow.model_dump(mode="json")
    for path, value in changes.items():
        _put(written, path, list(value) if isinstance(value, tuple) else value)
    try:
        return Workflow.model_validate_json(json.dumps(written), strict=True)
    except ValidationError as error:
        return problems_of(error, Workflow, written)


def _leaves(value: object, prefix: str) -> Iterator[tuple[str, Setting]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), f"{prefix}.{name}")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{name}")
    elif isinstance(value, bool | int | float | str) or (
        isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    ):
        yield prefix, value


def _put(written: dict[str, JsonValue], path: str, value: JsonValue) -> None:
    *sections, name = path.split(".")
    here = written
    for section in sections:
        inner = here[section]
        # A known path leads through mappings only; the check is for the type checker.
        assert isinstance(inner, dict)
        here = inner
    here[name] = value
