"""Which calls of one turn wait for which: effects stand alone, and a result may feed a call."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

REFERENCE = re.compile(r"\{\{[ ]?([A-Za-z0-9_.:-]{1,128})\.result[ ]?\}\}")
"""`{{call_1.result}}`: the result of another call of the same turn, by its id."""

Json = Any


@dataclass(frozen=True)
class Step:
    """One call, as far as order is concerned."""

    id: str
    arguments: Mapping[str, Any]
    has_effect: bool


@dataclass(frozen=True)
class Order:
    """For each call the numbers of those it waits for, and why some can't be made."""

    waits_for: Mapping[int, frozenset[int]]
    refused: Mapping[int, str]


def ordered(steps: Mapping[int, Step]) -> Order:
    """Reads between two effects run together; an effect waits for all before it, alone.

    A call that refers to itself, to an unknown id, or in a circle is refused, and so is nothing
    else: a call that only waits for a refused one hears of it when its turn comes.
    """
    numbers = {step.id: number for number, step in steps.items()}
    barriers = _barriers(steps)
    named: dict[int, set[int]] = {}
    refused: dict[int, str] = {}
    for number, step in steps.items():
        ids = list(references(step.arguments))
        unknown = [each for each in ids if each not in numbers]
        if unknown:
            refused[number] = f"{unknown[0]!r} is no call of this turn"
        named[number] = {numbers[each] for each in ids if each in numbers}
    while circle := _circle({n: barriers[n] | named[n] for n in steps}):
        # Barriers lead backwards only, so every circle holds a reference to a later call.
        for number in circle:
            if any(other in circle and other >= number for other in named[number]):
                refused[number] = "it needs a result that comes only after it"
                named[number] = set()
    return Order({n: frozenset(barriers[n] | named[n]) for n in steps}, refused)


def references(value: Json) -> Iterator[str]:
    """The ids whose results a JSON value asks for."""
    match value:
        case str():
            yield from (found[1] for found in REFERENCE.finditer(value))
        case Mapping():
            for each in value.values():
                yield from references(each)
        case Sequence():
            for each in value:
                yield from references(each)
        case _:
            pass


def filled(value: Json, result: Callable[[str], Json]) -> Json:
    """The value with every reference replaced; one that stands alone keeps its result's type."""
    match value:
        case str():
            alone = REFERENCE.fullmatch(value)
            if alone:
                return result(alone[1])
            return REFERENCE.sub(lambda found: str(result(found[1])), value)
        case Mapping():
            return {name: filled(each, result) for name, each in value.items()}
        case Sequence():
            return [filled(each, result) for each in value]
        case _:
            return value


def _barriers(steps: Mapping[int, Step]) -> dict[int, set[int]]:
    waits: dict[int, set[int]] = {}
    since: set[int] = set()
    for number, step in steps.items():
        if step.has_effect:
            # The last effect waited for everything before it, so these are enough.
            waits[number], since = since, {number}
        else:
            waits[number] = {other for other in since if steps[other].has_effect}
            since = since | {number}
    return waits


def _circle(graph: Mapping[int, set[int]]) -> list[int]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
