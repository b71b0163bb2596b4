"""Reads what each variant of a replay is set to."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path

from engine.config.parameter import (
    BoolParameter,
    ChoiceParameter,
    FloatParameter,
    IntParameter,
)
from engine.config.paths import Setting
from engine.config.problem import did_you_mean, listed
from engine.config.space import Space
from engine.errors import ConfigError
from search.replay.outcomes import Outcomes
from search.replay.table import read_frame

BOOLS = {"true": True, "false": False}
Params = dict[str, dict[str, Setting]]


def read_params(path: Path, outcomes: Outcomes, space: Space | None = None) -> Params:
    """Read a table of `variant` and one column a parameter, in the order of the outcomes.

    An empty cell means that the variant does not have the parameter. With a space every parameter
    is one of its own and every value one that it holds; without one a value is what it looks like.

    Raises:
        ConfigError: The first problem, with its column and row; the first row under the head is
            row 1.
    """
    frame = read_frame(path, ["variant"])
    names = [name for name in frame.columns if name != "variant"]
    if not names:
        raise ConfigError(f"{path}: no column beside `variant`; add one for each parameter")
    reader = _Reader(path, space)
    for name in names:
        reader.check_name(name)
    found: Params = {}
    for number, row in enumerate(frame.iter_rows(named=True), start=1):
        variant = reader.variant(number, row["variant"], outcomes, found)
        cells = {name: row[name] for name in names if row[name] is not None and row[name] != ""}
        found[variant] = {name: reader.value(number, name, cells[name]) for name in cells}
    if silent := [name for name in outcomes.variants if name not in found]:
        why = f"no row for {listed(silent)}, which the outcomes hold"
        raise ConfigError(f"{path}: {why}; add what they are set to")
    return {name: found[name] for name in outcomes.variants}


class _Reader:
    """Reads cells of one file by one space."""

    def __init__(self, path: Path, space: Space | None) -> None:
        self._path = path
        self._space = space
        self._switches = [] if space is None else [one for g in space.exclusive for one in g]

    def check_name(self, name: str) -> None:
        """Refuse a parameter that the space does not search."""
        if self._space is None:
            return
        known = [*self._space.parameters, *self._switches]
        if name not in known:
            why = f"column `{name}` is no parameter of the experiment's space"
            raise ConfigError(f"{self._path}: {why}; {did_you_mean(name, known)}")

    def variant(
        self, row: int, cell: object, outcomes: Outcomes, found: Mapping[str, object]
    ) -> str:
        """A variant that the outcomes hold, for the first time."""
        variant = "" if cell is None else str(cell)
        where = f"{self._path}: row {row}, column `variant`"
        if not variant:
            raise ConfigError(f"{where}: got nothing; write a name")
        if variant not in outcomes.variants:
            hint = did_you_mean(variant, outcomes.variants)
            raise ConfigError(f"{where}: got {variant!r}, of which there is no outcome; {hint}")
        if variant in found:
            raise ConfigError(f"{where}: got {variant!r} twice; delete one")
        return variant

    def value(self, row: int, name: str, cell: object) -> Setting:
        """A cell as the setting that it stands for."""
        if self._space is None:
            return _plain(cell)
        taken = self._taken(self._space, name, cell)
        if taken is None:
            where = f"{self._path}: row {row}, column `{name}`"
            raise ConfigError(f"{where}: got {cell!r}, which the experiment's space does not hold")
        return taken

    def _taken(self, space: Space, name: str, cell: object) -> Setting | None:
        """The value of the space that the cell stands for; None where it holds no such value."""
        if name in self._switches:
            return BOOLS.get(str(cell).lower())
        match space.parameters[name]:
            case BoolParameter():
                return BOOLS.get(str(cell).lower())
            case ChoiceParameter(choices=choices):
                return next((one for one in choices if _written(one) == _written(cell)), None)
            case FloatParameter() as parameter:
                number = _number(cell)
                return number if parameter.takes(number) else None
            case IntParameter() as parameter:
                number = _number(cell)
                whole = None if number is None or not number.is_integer() else int(number)
                return whole if parameter.takes(whole) else None


def _plain(cell: object) -> Setting:
    """A cell without a space to go by: true or false, a number, or a text."""
    text = str(cell)
    if text.lower() in BOOLS:
        return BOOLS[text.lower()]
    number = _number(text)
    if number is None:
        return text
    return int(number) if number.is_integer() and text.lstrip("+-").isdigit() else number


def _written(value: object) -> str:
    """A value as a table holds it; 64 and 64.0 are the same there, true and 1 are not."""
    if isinstance(value, bool):
        return str(value).lower()
    number = _number(value)
    return str(value) if number is None else repr(number)


def _number(cell: object) -> float | None:
    try:
        number = float(str(cell))
    except ValueError:
        return None
    return number if isfinite(number) else None
