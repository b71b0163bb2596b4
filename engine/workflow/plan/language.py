"""Templates, conditions and references, made ready once for all requests."""

from collections.abc import Callable
from typing import Any, Literal

from minijinja import Environment, TemplateError

from engine.workflow.failure import StepError
from engine.workflow.plan.place import Values


def rendered(template: str) -> Callable[[Values], str]:
    """What fills a template in.

    Raises (when called):
        StepError: `template_failed`, such as when a value lacks what is asked of it.
    """
    if "{{" not in template and "{%" not in template:
        return lambda values: template
    environment = _environment()
    environment.add_template("text", template)

    def fill(values: Values) -> str:
        try:
            return environment.render_template("text", **values)
        except TemplateError as error:
            why = f"the template {template[:60]!r} can't be filled in: {_said(error)}"
            raise StepError("template_failed", why) from error

    return fill


def holds(condition: str) -> Callable[[Values], bool]:
    """What tells whether a condition is true; what was skipped counts as absent, so as false.

    Raises (when called):
        StepError: `condition_failed`, such as when a text is compared with a number.
    """
    environment = _environment(undefined="chainable")

    def check(values: Values) -> bool:
        try:
            return bool(environment.eval_expr(condition, **values))
        except TemplateError as error:
            why = f"the condition {condition!r} can't be told: {_said(error)}"
            raise StepError("condition_failed", why) from error

    return check


def taken(ref: str) -> Callable[[Values], Any]:
    """What follows a reference.

    Raises (when called):
        StepError: `value_missing`: the value lacks that field.
    """
    first, *rest = ref.split(".")
    if len(rest) == 1:
        field = rest[0]

        def take(values: Values) -> object:
            try:
                return values[first][field]
            except KeyError as error:
                raise _missing(ref) from error

        return take

    def walk(values: Values) -> object:
        here: Any = values
        for part in (first, *rest):
            try:
                here = here[int(part)] if isinstance(here, list) else here[part]
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise _missing(ref) from error
        return here

    return walk


def _missing(ref: str) -> StepError:
    return StepError("value_missing", f"there is no `{ref}`")


def _environment(undefined: Literal["strict", "chainable"] = "strict") -> Environment:
    return Environment(undefined_behavior=undefined, auto_escape_callback=lambda name: False)


def _said(error: TemplateError) -> str:
    return str(error).splitlines()[0]
