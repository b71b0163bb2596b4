"""Whether a space fits the workflow that it is searched over."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.config.parameter import Parameter, Scalar
from engine.config.paths import Setting, attempt, settings_of
from engine.config.problem import Problem, Where, did_you_mean, dotted
from engine.config.space import Space
from engine.config.wording import got
from engine.config.workflow import Workflow
from engine.errors import ConfigError

KINDS: dict[type, tuple[str, tuple[str, ...]]] = {
    bool: ("true or false", ("bool", "choice")),
    int: ("a whole number", ("int", "choice")),
    float: ("a number", ("float", "int", "choice")),
    str: ("text", ("choice",)),
}
"""What a setting of each type is called, and the types of parameter that may search it."""


def check_space(space: Space, workflow: Workflow) -> None:
    """Refuse a space that could propose something the workflow can't be.

    Raises:
        ConfigError: Every problem, one a line, without positions.
    """
    if problems := fit_problems(space, workflow):
        raise ConfigError("\n".join(str(problem) for problem in problems))


def fit_problems(space: Space, workflow: Workflow) -> list[Problem]:
    """Everything in the space that the workflow does not allow, at the places of the file.

    Bounds and choices are tried on the workflow itself, with each member of each exclusive group
    in turn; what is impossible there must be forbidden.
    """
    settings = settings_of(workflow)
    if unknown := list(_unknown_problems(space, settings)):
        return unknown
    if misfits := [*_kind_problems(space, settings), *_switch_problems(space, settings)]:
        return misfits
    trying = _Trying(space, workflow, settings)
    return [*trying.switches(), *trying.parameters()]


def _unknown_problems(space: Space, settings: Mapping[str, Setting]) -> Iterator[Problem]:
    places: list[Where] = [("space", path) for path in space.parameters]
    for index, combination in enumerate(space.forbidden):
        places += [("forbidden", index, path) for path in combination]
    for where in places:
        if (path := str(where[-1])) not in settings:
            yield Problem(where, _unknown(path, settings), at_key=True)
    for index, group in enumerate(space.exclusive):
        for place, path in enumerate(group):
            if path not in settings:
                switches = [known for known, value in settings.items() if isinstance(value, bool)]
                why = f"got {path!r}; {_unknown(path, switches)}"
                yield Problem(("exclusive", index, place), why)


def _unknown(path: str, known: Mapping[str, Setting] | list[str]) -> str:
    return f"no parameter of the workflow; {did_you_mean(path, known)}"


def _kind_problems(space: Space, settings: Mapping[str, Setting]) -> Iterator[Problem]:
    for path, parameter in space.parameters.items():
        found = _kind_of(settings[path])
        if found is None:
            why = "a list can't be searched; set it in the workflow"
            yield Problem(("space", path), why, at_key=True)
        elif parameter.type not in found[1]:
            types = " or ".join(f"`{name}`" for name in found[1])
            why = f"got {parameter.type!r}, but the setting is {found[0]}; write {types}"
            yield Problem(("space", path, "type"), why)
    for index, combination in enumerate(space.forbidden):
        for path, value in combination.items():
            here = settings[path]
            if not (type(value) is type(here) or (type(value), type(here)) == (int, float)):
                kind = _kind_of(here)
                what = kind[0] if kind else "a list, which can't be forbidden"
                why = f"got {got(value)}, but the setting is {what}"
                yield Problem(("forbidden", index, path), f"{why}; write a value it could have")


def _kind_of(value: Setting) -> tuple[str, tuple[str, ...]] | None:
    return KINDS.get(type(value))


def _switch_problems(space: Space, settings: Mapping[str, Setting]) -> Iterator[Problem]:
    for index, group in enumerate(space.exclusive):
        for place, path in enumerate(group):
            if not isinstance(settings[path], bool):
                why = f"got `{path}`, which is not true or false; name switches only"
                yield Problem(("exclusive", index, place), why)
        true = [path for path in group if settings[path] is True]
        if len(true) != 1:
            why = f"the workflow has {len(true)} of them true; set exactly one there"
            yield Problem(("exclusive", index), why)


@dataclass(frozen=True)
class _Trying:
    space: Space
    workflow: Workflow
    settings: dict[str, Setting]

    def switches(self) -> Iterator[Problem]:
        """Members of exclusive groups that the workflow refuses."""
        for index, group in enumerate(self.space.exclusive):
            for place, path in enumerate(group):
                if why := self._refused(_picked(group, path)):
                    message = f"`{path}` can't be true: {why}"
                    yield Problem(("exclusive", index, place), message)

    def parameters(self) -> Iterator[Problem]:
        """Bounds and choices that the workflow refuses."""
        for path, parameter in self.space.parameters.items():
            yield from self._parameter(path, parameter)

    def _parameter(self, path: str, parameter: Parameter) -> Iterator[Problem]:
        picks = [_picked(group, one) for group in self.space.exclusive for one in group]
        contexts = [pick for pick in picks or [{}] if not self._refused(pick)]
        for where, value in parameter.probes():
            refused = [
                (context, why)
                for context in contexts
                if (why := self._refused({**context, path: value}))
            ]
            if not refused:
                continue
            context, why = refused[0]
            if len(refused) < len(contexts):
                beside = next(name for name, chosen in context.items() if chosen)
                pair = f"{{{path}: {_plain(value)}, {beside}: true}}"
                why = f"impossible beside `{beside}: true`; add `{pair}` to `forbidden`"
            yield Problem(("space", path, *where), why)

    def _refused(self, changes: Mapping[str, Setting]) -> str | None:
        """Why the workflow can't be changed like this, unless that is never proposed."""
        if self.space.forbids({**self.settings, **changes}):
            return None
        found = attempt(self.workflow, changes)
        if isinstance(found, Workflow):
            return None
        first = found[0]
        where = dotted(first.where)
        return first.message if where in changes else f"{where}: {first.message}"


def _picked(group: tuple[str, ...], chosen: str) -> dict[str, Setting]:
    return {path: path == chosen for path in group}


def _plain(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
