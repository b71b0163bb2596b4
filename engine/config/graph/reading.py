"""How a step names the values that it reads."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from minijinja import Environment, TemplateError

from engine.config.graph.kinds import Kind
from engine.config.problem import Where

Known = Mapping[str, Mapping[str, Kind]]
"""The kind of each value by the step that gives it."""

_LANGUAGE = Environment()


class Read(NamedTuple):
    """One value that a step reads."""

    where: Where
    """The setting that names it, from the step down."""
    ref: str
    wanted: Kind = "any"
    optional: bool = False
    """The step runs even if the other one was skipped."""
    whole: bool = True
    """All that the other step gives may be read at once."""


class MisreadError(Exception):
    """A template or a condition that can't be read."""

    def __init__(self, where: Where, why: str) -> None:
        super().__init__(why)
        self.where = where
        self.why = why


def in_template(text: str, *where: str | int) -> Iterator[Read]:
    """The values that a template names.

    Raises:
        MisreadError: It can't be read.
    """
    yield from _named(text, text, "template", where)


def in_condition(text: str, *where: str | int) -> Iterator[Read]:
    """The values that a condition names.

    Raises:
        MisreadError: It can't be read.
    """
    yield from _named(text, f"{{{{ ({text}) }}}}", "condition", where)


def in_arguments(named: Mapping[str, str], setting: str) -> Iterator[Read]:
    """The values that are handed on under other names."""
    for name, ref in named.items():
        yield Read((setting, name), ref)


def kind_of(ref: str, known: Known) -> Kind | None:
    """The kind of what a reference names; None where nothing is known of it."""
    first, *rest = ref.split(".")
    fields = known.get(first)
    if fields is None:
        return None
    if not rest:
        return "object"
    kind = fields.get(rest[0])
    if kind is None or len(rest) == 1:
        return kind
    return "any" if kind in {"object", "any"} or kind.startswith("list") else None


def _named(text: str, source: str, what: str, where: Where) -> Iterator[Read]:
    try:
        found = _LANGUAGE.undeclared_variables_in_str(source, nested=True)
    except TemplateError as error:
        why = str(error).splitlines()[0].removeprefix("syntax error: ").partition(" (in ")[0]
        raise MisreadError(where, f"got {text!r}, which is no {what}: {why}") from error
    for ref in sorted(found):
        yield Read(where, ref)
