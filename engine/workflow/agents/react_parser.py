"""Reads a ReAct turn: the call that it wants, the answer that it gives, or why it is neither.

Anything goes in, and what comes out is never an error: a model that is told what was unclear
mostly writes it better the next time.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.workflow.agents.loose_json import LooseJsonError, arguments_at, first_object
from engine.workflow.agents.react_labels import Section, sections, unobserved, untagged
from engine.workflow.agents.react_tools import FENCE, Tools, arguments, bare, meant

LONGEST_BARE = 8_000
"""Characters that an answer without its label may have; a longer text is taken for rambling."""

_TOOL_KEYS = ("action", "tool", "tool_name", "name", "function", "function_name")
_INPUT_KEYS = ("action_input", "tool_input", "arguments", "args", "parameters", "params", "input")
_ANSWER_KEYS = ("final_answer", "final answer", "answer", "final")
_NO_TOOL = {"", "none", "n/a", "na", "null", "no action", "no tool", "no tool needed", "-"}
_FINISH = {"finish", "final_answer", "final answer", "final", "answer", "respond"}
_CALL = re.compile(r"([\w.-]{1,80})[*`_]{0,3}[ ]?(?=[(\[{])")
_LINE_CALL = re.compile(r"^[ \t`>*-]{0,8}(?:print\()?([\w.-]{1,80})(?=\()", re.MULTILINE)
_STOP = re.compile(r"[\n:,(\[{]| with | - ")


@dataclass(frozen=True)
class Act:
    """The model wants this tool called."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """The model has answered."""

    text: str


@dataclass(frozen=True)
class Unclear:
    """Neither; `why` is written for the model."""

    why: str


Reading = Act | Answer | Unclear
_NO_ACTION = Unclear("The Action names no tool; write a Final Answer when no tool is needed.")


def read(text: str, tools: Tools) -> Reading:
    """What this turn of the model comes to."""
    plain = _plain(text)
    if not plain:
        return Unclear("Your turn was empty.")
    found = sections(plain)
    if not any(section.label in ("action", "answer", "input") for section in found):
        found = sections(untagged(plain))
    labels = [section.label for section in found]
    answer = next((s.text for s in found if s.label == "answer" and s.text), None)
    if "action" in labels:
        at = labels.index("action")
        if answer is not None and "answer" in labels[:at]:
            return Answer(answer)
        reading = _action(found[at].text, _input(found[at + 1 :]), tools)
        # where no tool is meant, an answer after it is no guess at what a tool would say
        return Answer(answer) if answer and reading is _NO_ACTION else reading
    if answer is not None:
        return Answer(answer)
    if "input" in labels:
        return Unclear("There is an Action Input but no Action.")
    return _unlabelled(found, tools)


def spoken(text: str) -> str:
    """What of this turn goes into the conversation: nothing thought aloud, nothing made up."""
    return unobserved(_plain(text)).strip()


def _unlabelled(found: Sequence[Section], tools: Tools) -> Reading:
    text = "\n".join(section.text for section in found).strip()
    if any(section.label == "answer" for section in found):
        return Unclear("The Final Answer is empty.")
    if not text:
        return Unclear("You wrote an Observation yourself; only the tools do that.")
    if blob := _blob(text, tools):
        return blob
    for call in _LINE_CALL.finditer(text):
        if bare(call[1]) in tools:
            return _called(call[1], text, call.end(), tools)
    if any(section.label == "thought" for section in found):
        return Unclear("There is a Thought, but neither an Action nor a Final Answer.")
    if len(text) > LONGEST_BARE:
        return Unclear(f"There is no label in {len(text)} characters.")
    return Answer(text)


def _input(following: Sequence[Section]) -> str | None:
    for section in following:
        if section.label == "input":
            return section.text
        if section.label != "thought":
            return None
    return None


def _action(text: str, given: str | None, tools: Tools) -> Reading:
    text = FENCE.sub("", text).strip()
    if text.startswith(("{", "[{")):
        unread = Unclear("The Action is JSON that can't be read, or it names no tool.")
        return _blob(text, tools) or unread
    text = text.lstrip("*_`\"'[ ")
    call = _CALL.match(text)
    if call and not given:
        return _called(call[1], text, call.end(), tools)
    stop = _STOP.search(text)
    name = text[: stop.start()] if stop else text
    rest = text[stop.end() :].strip() if stop else ""
    return _chosen(name, given or rest or None, tools)


def _called(name: str, text: str, start: int, tools: Tools) -> Reading:
    if text[start] == "{":
        return _chosen(name, text[start:], tools)
    if text[start] == "[":
        end = text.rfind("]")
        return _chosen(name, text[start + 1 : end if end > start else len(text)], tools)
    try:
        positional, named = arguments_at(text, start)
    except LooseJsonError as error:
        return Unclear(f"The arguments of {name} can't be read: {error}.")
    first = positional[0] if positional else None
    if named or len(positional) > 1:
        tool = meant(name, tools)
        names = tools[tool].types if tool else ()
        return _chosen(name, dict(zip(names, positional, strict=False)) | named, tools)
    return _chosen(name, first, tools)


def _chosen(name: str, given: object, tools: Tools) -> Reading:
    if bare(name) in _NO_TOOL:
        return _NO_ACTION
    tool = meant(name, tools)
    if tool is None and bare(name) in _FINISH:
        return _finished(given)
    if tool is None:
        known = ", ".join(tools) or "none"
        return Unclear(f"There is no tool {name.strip()[:80]!r}; the tools are: {known}.")
    signature = tools[tool]
    if given in (None, "") and signature.required:
        needed = ", ".join(sorted(signature.required))
        return Unclear(f"There is no Action Input; {tool} needs {needed}.")
    if given in (None, ""):
        return Act(tool, {})
    try:
        return Act(tool, arguments(given, signature))
    except LooseJsonError as error:
        return Unclear(f"The Action Input can't be read: {error}.")


def _finished(given: object) -> Reading:
    if isinstance(given, dict):
        given = next(iter(given.values()), None)
    if given in (None, ""):
        return Unclear("The Final Answer is empty.")
    return Answer(str(given).strip())


def _blob(text: str, tools: Tools) -> Reading | None:
    blob = first_object(text)
    if blob is None:
        return None
    if isinstance(calls := blob.get("tool_calls"), list) and calls and isinstance(calls[0], dict):
        blob = calls[0]
    if isinstance(function := blob.get("function"), dict):
        blob = function
    name, given = _first(blob, _TOOL_KEYS), _first(blob, _INPUT_KEYS)
    if isinstance(name, str) and (given is not None or "action" in blob or name in tools):
        return _chosen(name, given, tools)
    # an answer in JSON, as somebody may have asked for it, has other keys besides
    answer = _first(blob, _ANSWER_KEYS) if blob.keys() <= {"thought", *_ANSWER_KEYS} else None
    return None if answer is None else Answer(str(answer))


def _first(blob: Mapping[str, Any], keys: Iterable[str]) -> object:
    return next((blob[key] for key in keys if blob.get(key) is not None), None)


def _plain(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    # what a reasoning model thinks aloud between its tags is not its turn
    before, opened, after = text.partition("<think>")
    if "</think>" in text:
        said = text.rpartition("</think>")[2].strip()
        return f"{before}{said}" if opened else said
    return f"{before}\nThought: {after}".strip() if opened else text
