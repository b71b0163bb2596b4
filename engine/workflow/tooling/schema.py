"""What a language model is told of a typed function, and how its arguments are checked."""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import griffe
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

from engine.config.tools import NAME
from engine.errors import ConfigError
from engine.workflow.failure import ToolError

Function = Callable[..., Any]
LONGEST_QUOTE = 60
MOST_PROBLEMS = 8


@dataclass(frozen=True)
class Signature:
    """A function's name, purpose and parameters."""

    name: str
    description: str
    parameters: type[BaseModel]

    def schema(self) -> dict[str, Any]:
        """In the OpenAI tools protocol."""
        parameters = self.parameters.model_json_schema(schema_generator=_Untitled)
        del parameters["title"]
        return schema(self.name, self.description, parameters)

    def checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with the types that the function declares; those left out stay out.

        Raises:
            ToolError: Everything that is wrong with them, for the language model to read.
        """
        fields = self.parameters.model_fields
        try:
            values = self._read(arguments)
        except ValidationError as error:
            # Models write null for what they would rather leave out.
            optional = {field.alias for field in fields.values() if not field.is_required()}
            fewer = {k: v for k, v in arguments.items() if v is not None or k not in optional}
            try:
                values = self._read(fewer)
            except ValidationError:
                raise ToolError("tool_arguments", self._wrong(error)) from error
        return {
            str(field.alias): getattr(values, key)
            for key, field in fields.items()
            if key in values.model_fields_set
        }

    def _read(self, arguments: Mapping[str, Any]) -> BaseModel:
        # By way of JSON, where strictness still lets a text be a date or a list a tuple.
        return self.parameters.model_validate_json(json.dumps(arguments), strict=True)

    def _wrong(self, error: ValidationError) -> str:
        problems = [
            f"{'.'.join(map(str, each['loc']))}: {_problem(each)}"
            for each in error.errors()[:MOST_PROBLEMS]
        ]
        return f"{'; '.join(problems)}. Expected: {expected(self.schema())}"


def schema(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A tool in the OpenAI tools protocol."""
    function = {"name": name, "description": description, "parameters": dict(parameters)}
    return {"type": "function", "function": function}


def expected(tool: Mapping[str, Any]) -> str:
    """The fields that a call must or may hold, in a line."""
    parameters = tool["function"]["parameters"]
    required = parameters.get("required", ())
    fields = [
        f"{name} ({_kind(field)}{'' if name in required else ', optional'})"
        for name, field in parameters.get("properties", {}).items()
    ]
    return ", ".join(fields) or "no arguments"


def signature_of(function: Function, name: str | None = None) -> Signature:
    """Read a function's annotations and its docstring in Google's style.

    Raises:
        ConfigError: The function can't be offered as it is written; says what to write instead.
    """
    chosen = name or function.__name__
    if not re.match(NAME, chosen):
        raise ConfigError(f"tool {chosen!r}: a name has letters, digits, _ and -, at most 64")
    documented = _documented(function)
    if not documented.purpose:
        raise ConfigError(f"tool {chosen!r}: write a docstring; the model chooses tools by it")
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for number, parameter in enumerate(inspect.signature(function).parameters.values()):
        _refuse_unsupported(chosen, parameter, hints)
        default = ... if parameter.default is parameter.empty else parameter.default
        told = documented.parameters.get(parameter.name)
        # The real name is an alias, since a model refuses some: `schema`, `_private`.
        fields[f"field_{number}"] = (
            hints[parameter.name],
            Field(default, alias=parameter.name, description=told),
        )
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    try:
        parameters: type[BaseModel] = create_model(chosen, __config__=config, **fields)
        parameters.model_json_schema()
    except PydanticUserError as error:
        raise ConfigError(f"tool {chosen!r}: a parameter has no JSON form: {error}") from error
    return Signature(chosen, documented.purpose, parameters)


@dataclass(frozen=True)
class _Documented:
    purpose: str
    parameters: Mapping[str, str]


def _documented(function: Function) -> _Documented:
    text = inspect.getdoc(function) or ""
    purpose: list[str] = []
    parameters: dict[str, str] = {}
    for section in griffe.Docstring(text, lineno=1).parse("google", warnings=False):
        if isinstance(section, griffe.DocstringSectionText):
            purpose.append(section.value.strip())
        elif isinstance(section, griffe.DocstringSectionParameters):
            parameters |= {each.name: " ".join(each.description.split()) for each in section.value}
    return _Documented("\n\n".join(purpose), parameters)


def _refuse_unsupported(
    tool: str, parameter: inspect.Parameter, hints: Mapping[str, object]
) -> None:
    where = f"tool {tool!r}: parameter {parameter.name!r}"
    match parameter.kind:
        case inspect.Parameter.VAR_POSITIONAL:
            raise ConfigError(f"{where} takes any number of values; write one list instead")
        case inspect.Parameter.VAR_KEYWORD:
            raise ConfigError(f"{where} takes any keyword; write each parameter by name")
        case inspect.Parameter.POSITIONAL_ONLY:
            raise ConfigError(f"{where} has no keyword; remove the `/`")
        case inspect.Parameter.POSITIONAL_OR_KEYWORD | inspect.Parameter.KEYWORD_ONLY:
            pass
    if parameter.name not in hints:
        raise ConfigError(f"{where} has no type; annotate it, for example `{parameter.name}: str`")


class _Untitled(GenerateJsonSchema):
    """A field's title only repeats its name, and a model reads every character."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - pydantic's own type
        return False


def _problem(error: ErrorDetails) -> str:
    kind, got = error["type"], error["input"]
    if kind == "missing":
        return "missing"
    if kind == "extra_forbidden":
        return "there is no such parameter"
    quoted = json.dumps(got, default=str, ensure_ascii=False)
    if len(quoted) > LONGEST_QUOTE:
        quoted = f"{quoted[:LONGEST_QUOTE]}…"
    hint = ", without quotes" if isinstance(got, str) and kind in _PLAIN else ""
    return f"got {quoted}; {error['msg'].removeprefix('Input ')}{hint}"


_PLAIN = {"int_type", "float_type", "bool_type"}


def _kind(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    options = [str(each["type"]) for each in field.get("anyOf", ()) if "type" in each]
    return str(field.get("type", " or ".join(options) or "value"))
