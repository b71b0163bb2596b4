"""Listed variants proposed by what their parameters have shown, as far as they are known."""

from collections.abc import Mapping, Sequence

from engine.config.parameter import Scalar
from engine.config.paths import Setting
from engine.config.space import Space
from search.draws import Params
from search.replay.learned import Learned
from search.replay.outcomes import Source
from search.replay.proposing import Proposer, Shuffled

ORDERS = 100.0
"""A number that spans this factor is compared by its logarithm."""
ABSENT = ""
"""What stands for a parameter that a variant does not have."""
Known = Mapping[str, Mapping[str, Setting]]


def proposer_of(source: Source, seed: int) -> Proposer:
    """The search that learns, among listed variants; any order where nothing tells them apart."""
    known = {name: source.settings(name) for name in source.variants}
    space = inferred(known)
    if space is None:
        return Shuffled(source.variants, seed)
    params = {name: _params(space, settings) for name, settings in known.items()}
    names = {_key(one): name for name, one in reversed(params.items())}
    return Learned(
        space,
        seed,
        params=params.__getitem__,
        name=lambda proposed: names[_key(proposed)],
        among=source.variants,
    )


def inferred(known: Known) -> Space | None:
    """The space that these variants span; None where they differ in nothing.

    A column of numbers is a range, everything else a choice.
    """
    parameters: dict[str, object] = {}
    for name in dict.fromkeys(name for settings in known.values() for name in settings):
        values = [settings.get(name) for settings in known.values()]
        distinct = list(dict.fromkeys((type(value) is bool, value) for value in values))
        if len(distinct) > 1:
            parameters[name] = _range(values) or _choice(values)
    return Space.model_validate({"parameters": parameters}) if parameters else None


def _range(values: Sequence[Setting | None]) -> dict[str, object] | None:
    numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) < len(values):
        return None
    low, high = float(min(numbers)), float(max(numbers))
    return {"type": "float", "low": low, "high": high, "log": low > 0.0 and high >= ORDERS * low}


def _choice(values: Sequence[Setting | None]) -> dict[str, object]:
    return {"type": "choice", "choices": list(dict.fromkeys(_text(value) for value in values))}


def _params(space: Space, settings: Mapping[str, Setting]) -> Params:
    """A variant's settings as a point of the inferred space."""
    return {
        name: _number(settings[name]) if parameter.type == "float" else _text(settings.get(name))
        for name, parameter in space.parameters.items()
    }


def _number(value: Setting) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _text(value: Setting | None) -> Scalar:
    return ABSENT if value is None else str(value)


def _key(params: Params) -> str:
    return repr(sorted(params.items()))
