"""What each simple kind of step does."""

import asyncio
import base64
import binascii
import importlib
import inspect
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from engine.config.graph.kinds import is_a
from engine.config.graph.steps import (
    CallStep,
    FirstStep,
    IntentStep,
    PersonStep,
    RetrieveStep,
    TextStep,
    ToolStep,
    TranscribeStep,
)
from engine.errors import ConfigError
from engine.workflow.failure import PersonError, StepError, ToolError
from engine.workflow.parts import Toolbelt
from engine.workflow.plan.execute import WaitingError
from engine.workflow.plan.journal import Question, Undoing
from engine.workflow.plan.language import rendered, taken
from engine.workflow.plan.place import Act, Parts, Place, Values, needed
from engine.workflow.reply import ToolCall

WAIT_S = 0.2
"""Before a function's second try; each further wait is longer by as much."""


def text_act(step: TextStep) -> Act:
    """Put a text together."""
    fill = rendered(step.text)

    async def act(values: Values, place: Place) -> dict[str, Any]:
        return {"text": fill(values)}

    return act


def first_act(step: FirstStep) -> Act:
    """Take the first value whose step ran."""
    sources = [(ref.split(".")[0], taken(ref)) for ref in step.of]

    async def act(values: Values, place: Place) -> dict[str, Any]:
        for name, take in sources:
            if name in values:
                return {"value": take(values)}
        raise StepError("value_missing", f"none of {', '.join(step.of)} is there")

    return act


def retrieve_act(step: RetrieveStep, parts: Parts) -> Act:
    """Find passages."""
    find, query = needed(parts.find, "a corpus"), taken(step.query)

    async def act(values: Values, place: Place) -> dict[str, Any]:
        passages = list(await find.find(query(values), place.run, step.top_k))
        text = "\n\n".join(f"[{n}] {one['text']}" for n, one in enumerate(passages, 1))
        return {"text": text, "passages": passages, "count": len(passages)}

    return act


def intent_act(step: IntentStep, parts: Parts) -> Act:
    """Tell what a text wants."""
    intents, text = needed(parts.intents, "an intent router")(step), taken(step.text)

    async def act(values: Values, place: Place) -> dict[str, Any]:
        intent, confidence, by = await intents.intent(text(values))
        return {"intent": intent, "confidence": confidence, "by": by}

    return act


def transcribe_act(step: TranscribeStep, parts: Parts) -> Act:
    """Write down what is said in a recording."""
    transcribe, audio = needed(parts.transcribe, "a transcription endpoint"), taken(step.audio)

    async def act(values: Values, place: Place) -> dict[str, Any]:
        head, _, body = str(audio(values)).partition(";base64,")
        try:
            recording = base64.b64decode(body, validate=True) if head.startswith("data:") else b""
        except binascii.Error:
            recording = b""
        if not recording:
            raise StepError("wrong_type", f"`{step.audio}` is no data URL with a recording")
        return {"text": await transcribe(recording, place.run, step.model)}

    return act


def tool_act(name: str, step: ToolStep, parts: Parts) -> Act:
    """Call a tool with values of the graph."""
    arguments = {one: taken(ref) for one, ref in step.arguments.items()}

    async def act(values: Values, place: Place) -> dict[str, Any]:
        filled = {one: take(values) for one, take in arguments.items()}
        given = {**step.constants, **filled}
        text = await tool_called(step.tool, given, parts, place, f"{place.path}{name}")
        return {"text": text} | fields_of(text, step.fields, f"the tool {step.tool!r}")

    return act


def undo_of(name: str, step: ToolStep) -> Callable[[Values], Undoing] | None:
    """How a tool's effect is taken back; `self` is what the step itself gave."""
    if step.undo is None:
        return None
    undo = step.undo
    arguments = {one: taken(ref) for one, ref in undo.arguments.items()}

    def undoing(values: Values) -> Undoing:
        known = values | {"self": values[name]}
        return Undoing(undo.tool, {one: take(known) for one, take in arguments.items()})

    return undoing


async def tool_called(
    tool: str, arguments: Mapping[str, Any], parts: Parts, place: Place, path: str
) -> str:
    """What a tool answers; a tool with the parameter `idempotency_key` gets the step's own.

    Raises:
        ToolError: The tool failed.
    """
    belt = needed(parts.tools, "tools")([tool])
    key = f"{place.run.id}:{path}"
    if _takes_key(belt):
        arguments = {**arguments, "idempotency_key": key}
    try:
        call = ToolCall(key, tool, json.dumps(arguments, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ToolError("not_json", f"{tool}: the arguments are no JSON: {error}") from error
    text = str((await belt.call([call], place.run))[0]["content"])
    if text.startswith("error:"):
        raise ToolError("tool_failed", f"{tool}: {text.removeprefix('error:').strip()}")
    return text


def known_by_key(tool: str, parts: Parts) -> bool:
    """Whether a tool takes an idempotency key, so that a second call changes nothing more.

    Raises:
        ConfigError: There is no such tool, or it is not granted.
    """
    return _takes_key(needed(parts.tools, "tools")([tool]))


def _takes_key(belt: Toolbelt) -> bool:
    schema = belt.schemas()[0]["function"]["parameters"]
    return "idempotency_key" in schema.get("properties", {})


def call_act(step: CallStep, parts: Parts) -> Act:
    """Call a Python function.

    Raises:
        ConfigError: There is no such function, or it has no such parameter.
    """
    function = parts.functions.get(step.call) or _imported(step.call)
    arguments = {one: taken(ref) for one, ref in step.arguments.items()}
    _check_parameters(function, step)

    async def act(values: Values, place: Place) -> dict[str, Any]:
        given = {one: take(values) for one, take in arguments.items()}
        for left in reversed(range(step.retries + 1)):
            try:
                result = function(**given)
                if inspect.isawaitable(result):
                    result = await result
            except Exception as error:
                if not left or not _may_pass(error):
                    raise _failed(step.call, error) from error
                await asyncio.sleep(place.run.within(WAIT_S * (step.retries + 1 - left)))
            else:
                return {"result": _checked(result, step)}
        raise AssertionError("unreachable")

    return act


def person_act(name: str, step: PersonStep) -> Act:
    """Ask a person, and wait without keeping anything busy."""
    ask = rendered(step.ask)

    async def act(values: Values, place: Place) -> dict[str, Any]:
        path, run = f"{place.path}{name}", place.run
        id_ = f"{run.id}:{path}"
        question = Question(id_, run.id, path, ask(values), step.options, time.time())
        decided = place.decided.get(id_)
        if decided is None:
            raise WaitingError([question])
        if decided.decision == "reject":
            raise PersonError("rejected", f"{decided.by or 'a person'}: {decided.reason}")
        return {
            "decision": decided.decision,
            "answer": decided.answer,
            "reason": decided.reason,
        }

    return act


def fields_of(text: str, fields: Mapping[str, str], who: str) -> dict[str, Any]:
    """What is asked for in an answer in JSON, which may stand in a fence or in other words.

    Raises:
        StepError: `wrong_type`: there is no such JSON, or a field is missing or of another kind.
    """
    if not fields:
        return {}
    begin, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[begin : end + 1])
    except ValueError as error:
        raise StepError("wrong_type", f"{who} gave no JSON object: {text[:120]!r}") from error
    for name, kind in fields.items():
        if name not in found:
            raise StepError("wrong_type", f"{who} gave no `{name}`; got {', '.join(found)}")
        if not is_a(found[name], kind):
            got = type(found[name]).__name__
            raise StepError("wrong_type", f"{who} gave `{name}` as {got}, not {kind}")
    return {name: found[name] for name in fields}


def _imported(call: str) -> Callable[..., Any]:
    module, _, name = call.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:
        # A module may break in any way while it is imported.
        raise ConfigError(f"`call: {call}` can't be found: {error}") from error
    if not callable(found):
        raise ConfigError(f"`call: {call}` is no function but {type(found).__name__}")
    function: Callable[..., Any] = found
    return function


def _check_parameters(function: Callable[..., Any], step: CallStep) -> None:
    try:
        inspect.signature(function).bind(**dict.fromkeys(step.arguments))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"`call: {step.call}` can't be called like this: {error}") from error


def _may_pass(error: Exception) -> bool:
    return isinstance(error, OSError) or getattr(error, "action", "") == "retry"


def _checked(result: object, step: CallStep) -> object:
    if not is_a(result, step.returns):
        why = f"{step.call} returned {type(result).__name__}, not {step.returns}"
        raise StepError("wrong_type", why)
    return result


def _failed(call: str, error: Exception) -> Exception:
    if isinstance(error, StepError):
        return error
    return StepError("call_failed", f"{call}: {type(error).__name__}: {error}")
