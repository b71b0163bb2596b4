"""YAML or JSON text as plain values that remember where they were written."""

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import JsonValue
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from engine.config.problem import Where, dotted
from engine.errors import ConfigError

MOST_ALIASES = 50
"""Aliases that one file may use; nested ones multiply, so that a small file could fill memory."""

_TAG = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F][0-9a-fA-F_]*|0o[0-7][0-7_]*)")


class Mark(NamedTuple):
    """A place in a text; both figures count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Tree:
    """Plain values, and the place of each key and value."""

    data: JsonValue
    keys: dict[Where, Mark]
    values: dict[Where, Mark]


class UnreadableError(ConfigError):
    """A text can't be read as plain values."""

    def __init__(self, mark: Mark, why: str) -> None:
        super().__init__(why)
        self.mark = mark


def grow(text: str) -> Tree:
    """Read one document of text, expanding aliases and refusing everything that YAML can't mean.

    Raises:
        UnreadableError: The text is no YAML, holds a key twice, a figure that is not finite,
            a custom tag, a merge key, or too many aliases.
    """
    root = _compose(text)
    if root is None:
        raise UnreadableError(Mark(1, 1), "the file is empty; write at least the required settings")
    growing = _Growing()
    data = growing.value(root, ())
    return Tree(data, growing.keys, growing.values)


def _compose(text: str) -> Node | None:
    reader = YAML(typ="rt", pure=True)
    # A second anchor of the same name is legal; the default is a Python warning nobody reads.
    reader.composer.warn_double_anchors = False
    try:
        root: Node | None = reader.compose(text)
    except MarkedYAMLError as error:
        mark = _mark(error.problem_mark or error.context_mark)
        raise UnreadableError(mark, f"not readable as YAML: {_why(error)}") from error
    except ReaderError as error:
        before = text[: error.position]
        mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        why = "a character that no text file holds; delete it or write it as an escape in quotes"
        raise UnreadableError(mark, why) from error
    except YAMLError as error:
        raise UnreadableError(Mark(1, 1), f"not readable as YAML: {error}") from error
    except RecursionError as error:
        raise UnreadableError(Mark(1, 1), "nested too deeply to be read; flatten it") from error
    return root


def _why(error: MarkedYAMLError) -> str:
    problem = str(error.problem or "").replace("'\\t'", "tab")
    return f"{problem}, {error.context}" if error.context else problem


def _mark(mark: StringMark | None) -> Mark:
    return Mark(1, 1) if mark is None else Mark(mark.line + 1, mark.column + 1)


@dataclass
class _Growing:
    keys: dict[Where, Mark] = field(default_factory=dict)
    values: dict[Where, Mark] = field(default_factory=dict)
    homes: dict[int, tuple[int, str | int]] = field(default_factory=dict)
    """Where each node was met first; met anywhere else, it stands there by an alias."""
    within: list[int] = field(default_factory=list)
    aliases: int = 0

    def value(self, node: Node, where: Where) -> JsonValue:
        self._count(node, where)
        self.values[where] = _mark(node.start_mark)
        if isinstance(node, ScalarNode):
            if node.value == "" and where in self.keys:
                # An absent value begins on the next line, where nobody would look for it.
                self.values[where] = self.keys[where]
            return _at(where, node)
        self.within.append(id(node))
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            grown = self._mapping(node, where)
        elif isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            grown = self._sequence(node, where)
        else:
            raise UnreadableError(_mark(node.start_mark), _tag_refused(node))
        self.within.pop()
        return grown

    def _count(self, node: Node, where: Where) -> None:
        at = self.keys.get(where) or _mark(node.start_mark)
        if id(node) in self.within:
            raise UnreadableError(at, "an alias contains itself; write the values out")
        home = (self.within[-1], where[-1]) if where else (0, 0)
        self.aliases += self.homes.setdefault(id(node), home) != home
        if self.aliases > MOST_ALIASES:
            why = f"more than {MOST_ALIASES} aliases are expanded; write the values out"
            raise UnreadableError(at, why)

    def _mapping(self, node: MappingNode, where: Where) -> JsonValue:
        grown: dict[str, JsonValue] = {}
        for key_node, value_node in node.value:
            key, mark = _key(key_node), _mark(key_node.start_mark)
            here = (*where, key)
            if key in grown:
                first = self.keys[here].line
                why = f"{dotted(here)}: written twice, first on line {first}; delete one"
                raise UnreadableError(mark, why)
            self.keys[here] = mark
            grown[key] = self.value(value_node, here)
        return grown

    def _sequence(self, node: SequenceNode, where: Where) -> JsonValue:
        return [self.value(item, (*where, index)) for index, item in enumerate(node.value)]


def _key(node: Node) -> str:
    mark = _mark(node.start_mark)
    if not isinstance(node, ScalarNode):
        raise UnreadableError(mark, "a list or mapping as a key; write a plain name")
    if node.tag == _TAG + "merge":
        raise UnreadableError(mark, "merge keys (`<<`) are not read; write the settings out")
    key = _scalar(node)
    if not isinstance(key, str):
        why = f"the key {node.value or 'nothing'} is no text; write it in quotes"
        raise UnreadableError(mark, why)
    return key


def _at(where: Where, node: ScalarNode) -> JsonValue:
    try:
        return _scalar(node)
    except UnreadableError as error:
        raise UnreadableError(error.mark, f"{dotted(where)}: {error}") from error


def _scalar(node: ScalarNode) -> str | int | float | bool | None:
    mark, text = _mark(node.start_mark), str(node.value)
    match str(node.tag).removeprefix(_TAG):
        case "str" | "timestamp" | "value" | "merge":
            return _text(text, mark)
        case "null":
            return None
        case "bool" if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        case "int" if _WHOLE.fullmatch(text):
            return _whole(text, mark)
        case "float":
            return _number(text, mark)
        case "bool" | "int":
            why = f"{text} reads differently between versions of YAML; write it plainly"
            raise UnreadableError(mark, why)
        case _:
            raise UnreadableError(mark, _tag_refused(node))


def _text(text: str, mark: Mark) -> str:
    try:
        # JSON writes characters beyond 16 bits as two escapes, which YAML leaves apart.
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise UnreadableError(mark, "half of a surrogate pair; write the character") from error


def _whole(text: str, mark: Mark) -> int:
    if len(text) > 300:
        raise UnreadableError(mark, "a figure of more than 300 digits; write a smaller one")
    return int(text.replace("_", ""), 0)


def _number(text: str, mark: Mark) -> float:
    try:
        figure = float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        figure = math.nan
    if not math.isfinite(figure):
        raise UnreadableError(mark, f"got {text}; write a finite number")
    return figure


def _tag_refused(node: Node) -> str:
    tag = str(node.tag).replace(_TAG, "!!")
    return f"the tag `{tag}` is not read; write a plain value"
