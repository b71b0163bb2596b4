"""One thing that a search may change, with the values that it may take."""

import math
from collections.abc import Iterator
from typing import Annotated, Literal, Self, TypeGuard, TypeVar

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, Where, impossible
from engine.config.wording import got

Scalar = bool | int | float | str
"""A single setting as it is written in a file."""
Risk = Literal["low", "high"]
_P = TypeVar("_P", bound="_Parameter")


class _Parameter(Frozen):
    risk: Risk = "low"
    """Changes of high risk wait for a person's approval."""
    when: dict[str, Scalar] | None = None
    """Searched only while each of these parameters has this value."""


class FloatParameter(_Parameter):
    """A number from `low` to `high`, both included."""

    type: Literal["float"]
    low: float
    high: float
    log: bool = False
    """Search orders of magnitude evenly; `low` must be above 0."""
    step: float | None = Field(None, gt=0.0)
    """Only whole multiples of this above `low`."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        return _checked(self, _range_problems(self.low, self.high, self.step, log=self.log))

    def takes(self, value: object) -> bool:
        """Whether the search could ever propose this value."""
        return _is_number(value) and _on_grid(value, self.low, self.high, self.step)

    def probes(self) -> Iterator[tuple[Where, Scalar]]:
        """The values that must be accepted for all others to be, and where they are written."""
        yield ("low",), self.low
        yield ("high",), self.high


class IntParameter(_Parameter):
    """A whole number from `low` to `high`, both included."""

    type: Literal["int"]
    low: int
    high: int
    step: int = Field(1, ge=1)
    """Only whole multiples of this above `low`."""
    log: bool = False
    """Search orders of magnitude evenly; `low` must be above 0."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        step = None if self.step == 1 else self.step
        return _checked(self, _range_problems(self.low, self.high, step, log=self.log))

    def takes(self, value: object) -> bool:
        """Whether the search could ever propose this value."""
        return (
            isinstance(value, int)
            and _is_number(value)
            and _on_grid(value, self.low, self.high, self.step)
        )

    def probes(self) -> Iterator[tuple[Where, Scalar]]:
        """The values that must be accepted for all others to be, and where they are written."""
        yield ("low",), self.low
        yield ("high",), self.high


class ChoiceParameter(_Parameter):
    """One of some values without an order."""

    type: Literal["choice"]
    choices: tuple[Scalar, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        return _checked(
            self,
            [
                Problem(("choices", index), f"got {got(value)} twice; delete one")
                for index, value in enumerate(self.choices)
                if any(same(value, before) for before in self.choices[:index])
            ],
        )

    def takes(self, value: object) -> bool:
        """Whether the search could ever propose this value."""
        return any(same(value, choice) for choice in self.choices)

    def probes(self) -> Iterator[tuple[Where, Scalar]]:
        """The values that must be accepted for all others to be, and where they are written."""
        for index, value in enumerate(self.choices):
            yield ("choices", index), value


class BoolParameter(_Parameter):
    """True or false."""

    type: Literal["bool"]

    def takes(self, value: object) -> bool:
        """Whether the search could ever propose this value."""
        return isinstance(value, bool)

    def probes(self) -> Iterator[tuple[Where, Scalar]]:
        """The values that must be accepted for all others to be, and where they are written."""
        yield ("type",), False
        yield ("type",), True


Parameter = Annotated[
    FloatParameter | IntParameter | ChoiceParameter | BoolParameter, Field(discriminator="type")
]


def same(one: object, other: object) -> bool:
    """Whether two settings are equal; true is not 1, although Python says so."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _checked(parameter: _P, problems: list[Problem]) -> _P:
    if problems:
        raise impossible(problems)
    return parameter


def _range_problems(low: float, high: float, step: float | None, *, log: bool) -> list[Problem]:
    if low >= high:
        return [
            Problem(("high",), f"got {high:.10g}; write a number above low, which is {low:.10g}")
        ]
    problems = []
    if log and low <= 0:
        problems.append(
            Problem(("low",), f"got {low:.10g}; with `log: true` write a number above 0")
        )
    if log and step is not None:
        problems.append(Problem(("step",), "can't go with `log: true`; delete one of them"))
    if step is not None and not _on_grid(high, low, high, step):
        problems.append(Problem(("high",), f"got {high:.10g}; write low plus a multiple of step"))
    return problems


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _on_grid(value: float, low: float, high: float, step: float | None) -> bool:
    if not low <= value <= high:
        return False
    steps = 0.0 if step is None else (value - low) / step
    return math.isclose(steps, round(steps), abs_tol=1e-9)
