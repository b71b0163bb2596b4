from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from engine.errors import ConfigError
from engine.workflow.failure import ToolError
from engine.workflow.tooling.schema import signature_of


class Place(BaseModel):
    city: str
    country: str = "DE"


def forecast(
    place: Place,
    day: date,
    hours: Annotated[list[int], Field(max_length=3)],
    unit: Literal["C", "F"] = "C",
    schema: float | None = None,
) -> str:
    """Foretells the weather.

    Only for places on Earth.

    Args:
        place: Where, with
            its country.
        day: Which day.
        hours: Of that day.
    """
    return f"{place} {day} {hours} {unit} {schema}"


GOOD = {"place": {"city": "Bonn"}, "day": "2026-05-01", "hours": [9]}


def test_a_schema_is_the_signature_and_the_docstring():
    told = signature_of(forecast).schema()["function"]

    assert told["name"] == "forecast"
    assert told["description"] == "Foretells the weather.\n\nOnly for places on Earth."
    parameters = told["parameters"]
    assert parameters["additionalProperties"] is False
    assert parameters["required"] == ["place", "day", "hours"]
    assert list(parameters["properties"]) == ["place", "day", "hours", "unit", "schema"]
    assert parameters["properties"]["place"]["description"] == "Where, with its country."
    assert parameters["properties"]["unit"] == {
        "default": "C",
        "enum": ["C", "F"],
        "type": "string",
    }
    assert parameters["properties"]["day"]["format"] == "date"


def test_arguments_come_out_with_the_types_of_the_signature():
    checked = signature_of(forecast).checked(GOOD)

    assert checked == {"place": Place(city="Bonn"), "day": date(2026, 5, 1), "hours": [9]}
    assert forecast(**checked)


def test_null_leaves_out_what_may_be_left_out():
    assert "unit" not in signature_of(forecast).checked(GOOD | {"unit": None})
    assert signature_of(forecast).checked(GOOD | {"schema": None})["schema"] is None
    with pytest.raises(ToolError, match="day: got null"):
        signature_of(forecast).checked(GOOD | {"day": None})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hours": ["9"]}, 'hours.0: got "9"; should be a valid integer, without quotes'),
        ({"hours": [1, 2, 3, 4]}, "hours: got [1, 2, 3, 4]"),
        ({"unit": "K"}, "unit: got \"K\"; should be 'C' or 'F'"),
        ({"place": {}}, "place.city: missing"),
        ({"days": 3}, "days: there is no such parameter"),
        ({"schema": float("nan")}, "schema"),
    ],
)
def test_wrong_arguments_are_answered_with_what_was_wrong_and_what_is_expected(change, said):
    with pytest.raises(ToolError) as refused:
        signature_of(forecast).checked(GOOD | change)

    assert said in str(refused.value)
    assert "Expected: place (" in str(refused.value)
    assert "unit (C or F, optional)" in str(refused.value)


def test_a_missing_argument_is_named():
    with pytest.raises(ToolError, match="day: missing"):
        signature_of(forecast).checked({"place": {"city": "Bonn"}, "hours": []})


def many(*places: str) -> None:
    """Does it."""


def any_of(**places: str) -> None:
    """Does it."""


def first(place: str, /) -> None:
    """Does it."""


def untyped(place) -> None:
    """Does it."""


def undocumented(place: str) -> None: ...


def odd(place: type(...)) -> None:
    """Does it."""


@pytest.mark.parametrize(
    ("function", "instead"),
    [
        (many, "one list"),
        (any_of, "each parameter by name"),
        (first, "remove the `/`"),
        (untyped, "`place: str`"),
        (undocumented, "docstring"),
        (odd, "no JSON form"),
    ],
)
def test_a_function_that_cannot_be_offered_is_refused_with_what_to_write(function, instead):
    with pytest.raises(ConfigError, match=instead):
        signature_of(function)


def test_a_name_that_the_protocol_refuses_is_refused():
    with pytest.raises(ConfigError, match="letters"):
        signature_of(forecast, "the weather")
