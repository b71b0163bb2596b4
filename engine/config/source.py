"""Files that an operator wrote, read whole or refused with every problem and its position."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from engine.config.problem import Problem
from engine.config.tree import Mark, Tree, UnreadableError, grow
from engine.config.wording import problems_of
from engine.errors import ConfigError

MOST_BYTES = 1 << 20
"""The largest file that is read; a configuration is a page, not a data set."""

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """One file's values, with the places that problems are reported at."""

    name: str
    tree: Tree

    def into(self, model: type[T]) -> T:
        """The document as a checked value; types are never converted, so `"3"` is no number.

        Raises:
            ConfigError: Every problem of the file, one a line, by position.
        """
        try:
            return model.model_validate_json(json.dumps(self.tree.data), strict=True)
        except ValidationError as error:
            raise self.refusal(problems_of(error, model, self.tree.data)) from error

    def refusal(self, problems: Iterable[Problem]) -> ConfigError:
        """The error that lists these problems at their places in the file."""
        placed = sorted((self._mark(problem), str(problem)) for problem in problems)
        return ConfigError("\n".join(_line(self.name, mark, text) for mark, text in placed))

    def _mark(self, problem: Problem) -> Mark:
        where, tree = problem.where, self.tree
        if where in tree.values and not problem.at_key:
            return tree.values[where]
        while where and where not in tree.keys:
            where = where[:-1]
        return tree.keys[where] if where else tree.values[()]


def load(path: Path, model: type[T]) -> T:
    """Read and check one YAML or JSON file.

    Raises:
        ConfigError: The file can't be read, or holds something impossible; nothing is half-loaded.
    """
    return read(path).into(model)


def read(path: Path) -> Document:
    """Read one file's values without checking them against a model.

    Raises:
        ConfigError: No such file, more than 1 MiB, not UTF-8, not YAML, or no mapping.
    """
    try:
        with path.open("rb") as file:
            written = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}; check the path") from error
    if len(written) > MOST_BYTES:
        raise ConfigError(f"{path}: got more than {MOST_BYTES} bytes; split or shorten the file")
    try:
        text = written.decode()
    except UnicodeDecodeError as error:
        before = written[: error.start]
        mark = Mark(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise ConfigError(_line(path, mark, "not UTF-8; save the file as UTF-8")) from error
    # JSON may be indented by tabs, YAML may not; a tab is never part of a JSON string.
    return parse(text.replace("\t", " ") if path.suffix == ".json" else text, str(path))


def parse(text: str, name: str) -> Document:
    """Read text as the file of this name.

    Raises:
        ConfigError: The text is not YAML, or no mapping.
    """
    try:
        tree = grow(text)
    except UnreadableError as error:
        raise ConfigError(_line(name, error.mark, str(error))) from error
    document = Document(name, tree)
    if not isinstance(tree.data, dict):
        raise document.refusal([Problem((), "not a mapping; write `setting: value` lines")])
    return document


def _line(name: str | Path, mark: Mark, text: str) -> str:
    return f"{name}:{mark.line}:{mark.column}: {text}"
