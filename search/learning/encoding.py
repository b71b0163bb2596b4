"""Proposals as points that a kernel can measure distances between."""

from collections.abc import Sequence
from math import log

import numpy as np

from engine.config.parameter import (
    BoolParameter,
    ChoiceParameter,
    FloatParameter,
    IntParameter,
    Parameter,
    Scalar,
    same,
)
from engine.stats.arrays import FloatArray, IntArray
from search.draws import Draws, Params

APART = 0.7
"""How far two choices of a parameter lie from their centre; a numeric range has length 1."""
MIDDLE = 0.5
"""Where a number that is not searched stands, beside a mark that says so."""


class Encoding:
    """Numbers on [0, 1], by their logarithm where they are searched so; choices as corners."""

    def __init__(self, draws: Draws) -> None:
        self._parameters = draws.parameters
        widths = [_width(one) for one in self._parameters.values()]
        self.groups: IntArray = np.repeat(np.arange(len(widths)), widths)
        """Column to parameter: the columns of one share a length scale."""

    def points(self, proposals: Sequence[Params]) -> FloatArray:
        """One row for each proposal."""
        rows = [
            [
                column
                for name, parameter in self._parameters.items()
                for column in _columns(parameter, proposal.get(name))
            ]
            for proposal in proposals
        ]
        return np.array(rows, dtype=np.float64).reshape(len(rows), self.groups.size)


def _width(parameter: Parameter) -> int:
    if isinstance(parameter, ChoiceParameter):
        return len(parameter.choices)
    return 1 if isinstance(parameter, BoolParameter) and parameter.when is None else 2


def _columns(parameter: Parameter, value: Scalar | None) -> list[float]:
    match parameter:
        case ChoiceParameter(choices=choices):
            return [APART * (value is not None and same(value, choice)) for choice in choices]
        case BoolParameter(when=None):
            return [APART * bool(value)]
        case BoolParameter():
            return [APART * bool(value), APART * (value is not None)]
        case FloatParameter() | IntParameter():
            if value is None:
                return [MIDDLE, 0.0]
            return [_place(parameter, float(value)), APART if parameter.when else 0.0]


def _place(parameter: FloatParameter | IntParameter, value: float) -> float:
    if parameter.log:
        return log(value / parameter.low) / log(parameter.high / parameter.low)
    return (value - parameter.low) / (parameter.high - parameter.low)
