"""The parameters that a search may change, and the combinations that it may not propose."""

from collections.abc import Iterator, Mapping
from typing import Self

from pydantic import model_validator

from engine.config.frozen import Frozen
from engine.config.parameter import Parameter, Scalar, same
from engine.config.paths import Setting
from engine.config.problem import Problem, did_you_mean, impossible
from engine.config.wording import got

Exclusive = tuple[tuple[str, ...], ...]
Forbidden = tuple[dict[str, Scalar], ...]


class Space(Frozen):
    """What may be searched over a workflow's parameters."""

    parameters: dict[str, Parameter]
    exclusive: Exclusive = ()
    """Groups of switches of which exactly one is true; a group is one choice for the search."""
    forbidden: Forbidden = ()
    """Settings that are never proposed together."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found = list(shape_problems(self.parameters, self.exclusive, self.forbidden))
        if found:
            raise impossible(found)
        return self

    def ordered(self) -> tuple[str, ...]:
        """Every parameter after the parameters that its `when` names."""
        done: list[str] = []
        for path in self.parameters:
            _visit(path, self.parameters, done)
        return tuple(done)

    def searches(self, path: str, settings: Mapping[str, Setting]) -> bool:
        """Whether a parameter is searched beside these settings of the others.

        A parameter whose own condition is not searched is not searched either.
        """
        when = self.parameters[path].when or {}
        return all(
            same(settings.get(parent), value)
            and (parent not in self.parameters or self.searches(parent, settings))
            for parent, value in when.items()
        )

    def forbids(self, settings: Mapping[str, Setting]) -> bool:
        """Whether the settings hold a forbidden combination."""
        return any(
            all(same(settings.get(path), value) for path, value in combination.items())
            for combination in self.forbidden
        )


def shape_problems(
    parameters: Mapping[str, Parameter], exclusive: Exclusive, forbidden: Forbidden
) -> Iterator[Problem]:
    """What is wrong with a space whatever the workflow, at the places of an experiment file."""
    if not parameters and not exclusive:
        yield Problem(("space",), "nothing to search; write at least one parameter")
    yield from _exclusive_problems(parameters, exclusive)
    switches = {path for group in exclusive for path in group}
    for path in parameters:
        yield from _when_problems(path, parameters, switches)
    for index, combination in enumerate(forbidden):
        if not combination:
            why = "an empty combination forbids everything; name at least one setting"
            yield Problem(("forbidden", index), why)
        for path, value in combination.items():
            if _never_takes(path, value, parameters, switches):
                why = (
                    f"got {got(value)}, which `{path}` never takes here; write a value of its range"
                )
                yield Problem(("forbidden", index, path), why)


def _exclusive_problems(
    parameters: Mapping[str, Parameter], exclusive: Exclusive
) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, group in enumerate(exclusive):
        if len(group) < 2:
            why = "a group of fewer than two excludes nothing; name at least two switches"
            yield Problem(("exclusive", index), why)
        for place, path in enumerate(group):
            where = ("exclusive", index, place)
            if path in seen:
                yield Problem(where, f"got `{path}` twice; name each switch once")
            if path in parameters:
                yield Problem(where, f"`{path}` is in `space` as well; delete it in one place")
            seen.add(path)


def _when_problems(
    path: str, parameters: Mapping[str, Parameter], switches: set[str]
) -> Iterator[Problem]:
    when = parameters[path].when
    if when is not None and not when:
        why = "an empty condition; name a parameter and its value, or delete `when`"
        yield Problem(("space", path, "when"), why)
    for parent, value in (when or {}).items():
        where = ("space", path, "when", parent)
        if parent not in parameters and parent not in switches:
            others = (parameters.keys() | switches) - {path}
            why = f"no parameter of the space; {did_you_mean(parent, others)}"
            yield Problem(where, why, at_key=True)
        elif _never_takes(parent, value, parameters, switches):
            why = f"got {got(value)}, which `{parent}` never takes; write a value of its range"
            yield Problem(where, why)
        elif path in _ancestors(parent, parameters):
            why = f"`{path}` would wait for itself; break the circle"
            yield Problem(where, why, at_key=True)


def _never_takes(
    path: str, value: Scalar, parameters: Mapping[str, Parameter], switches: set[str]
) -> bool:
    if path in parameters:
        return not parameters[path].takes(value)
    return path in switches and not isinstance(value, bool)


def _ancestors(path: str, parameters: Mapping[str, Parameter]) -> set[str]:
    found: set[str] = set()
    ahead = [path]
    while ahead:
        here = ahead.pop()
        if here not in found and here in parameters:
            found.add(here)
            ahead.extend(parameters[here].when or {})
    return found


def _visit(path: str, parameters: Mapping[str, Parameter], done: list[str]) -> None:
    if path in done or path not in parameters:
        return
    for parent in parameters[path].when or {}:
        _visit(parent, parameters, done)
    done.append(path)
