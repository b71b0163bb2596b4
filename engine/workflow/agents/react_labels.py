"""Cuts what a ReAct model wrote at its labels: thought, action, input, observation, answer.

Labels are found in bold, numbered, as headings, as tags, in other languages and in the middle of
a line. Every pattern is bounded, so the time is linear in the text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Label = Literal["thought", "action", "input", "observation", "answer"]

_WORDS: dict[Label, str] = {
    "thought": (
        r"thoughts?|thinking|reasoning|gedanken?|überlegung|pensée|réflexion"
        r"|pensamiento|pensiero|pensamento|мысль|思考過程|思考|想法|考え"
    ),
    "input": (
        r"action[ _-]?inputs?|tool[ _-]?inputs?|action[ _-]?arguments|tool[ _-]?arguments"
        r"|inputs?|arguments|args|parameters|params|aktionseingabe|eingabe"
        r"|entrée(?: de l'action)?|entrada(?: de (?:la )?acción| da ação)?|input dell'azione"
        r"|входные данные|行动输入|动作输入|输入|入力|行動入力"
    ),
    "action": (
        r"actions?|next action|tool(?:[ _-]?(?:call|name|to use))?|use tool|function(?:[ _-]?call)?"
        r"|aktion|werkzeug|acción|ação|azione|outil|herramienta|действие"
        r"|行动|动作|工具|行動|アクション"
    ),
    "observation": (
        r"observations?|tool[ _-]?(?:output|response|result)s?|beobachtung|observación|observação"
        r"|osservazione|наблюдение|观察|觀察|観察"
    ),
    "answer": (
        r"(?:the )?final[ _-]?(?:answer|response|output)|final|answer|(?:endgültige )?antwort"
        r"|réponse(?: finale)?|respuesta(?: final)?|risposta(?: finale)?|resposta(?: final)?"
        r"|(?:окончательный )?ответ|最终答案|最終答案|答案|回答|最終回答"
    ),
}
_ANY = "|".join(f"(?P<{label}>{words})" for label, words in _WORDS.items())
_AT_LINE = re.compile(
    r"[ \t>*#_\u2022\-`\[(\U0001f300-\U0001faff\u2600-\u27bf\ufe0f]{0,12}"
    r"(?:(?:step|\u6b65\u9aa4)[ ]?)?(?:\d{1,3}[.):]?[ \t]{0,4})?[*_`\[]{0,3}"
    rf"(?:{_ANY})(?:[ \t]?\#?\d{{1,3}})?[ \t]{{0,4}}[*_`\])]{{0,5}}[ \t]{{0,4}}"
    r"(?:[:\uff1a=]|-[ \t]|\u2192|\Z)[*_`]{0,3}",
    re.IGNORECASE,
)
_WITHIN_LINE = re.compile(
    r"(?<=[\s.!?,;'`*)}\]>\u3002])[*_]{0,3}"
    r"(?:(?P<input>Action ?Input)|(?P<action>Action)|(?P<answer>Final ?Answer)"
    r"|(?P<observation>Observation))[*_]{0,3}[ \t]{0,4}[:\uff1a][*_]{0,3}"
)
_STRONG = ("thought", "action", "observation", "final answer")
_MADE_UP = re.compile(r"[ \t]{0,8}<(?:observation|tool_response)>", re.IGNORECASE)
_GUARD = re.compile(r"[{\"\u201c]")
_TAG = re.compile(r"<[ ]?(/?)[ ]?([A-Za-z_]{1,20})(?:[ ]?=[ ]?|[ ]name[ ]?=[ ]?)?([^<>\n]{0,80})>")
_TAGGED = {
    "thought": "Thought:",
    "action": "Action:",
    "tool": "Action:",
    "tool_name": "Action:",
    "tool_call": "Action:",
    "function_call": "Action:",
    "function": "Action:",
    "invoke": "Action:",
    "action_input": "Action Input:",
    "tool_input": "Action Input:",
    "input": "Action Input:",
    "arguments": "Action Input:",
    "args": "Action Input:",
    "parameters": "Action Input:",
    "final_answer": "Final Answer:",
    "answer": "Final Answer:",
    "observation": "Observation:",
    "tool_response": "Observation:",
}


class Section(NamedTuple):
    """What stands under one label; under None, what was written before the first."""

    label: Label | None
    text: str


class _Piece(NamedTuple):
    label: Label | None
    start: int
    """Where it begins in the whole text, its label included."""
    text: str


def sections(text: str) -> list[Section]:
    """What stands under each label, in order, up to the first observation.

    An observation is the tools' to make: whatever a model writes from there on is made up.
    """
    found: list[Section] = []
    label: Label | None = None
    lines: list[str] = []
    for piece in _pieces(text):
        if piece.label is None:
            lines.append(piece.text)
            continue
        found.append(_section(label, lines))
        if piece.label == "observation":
            return _filled(found)
        label, lines = piece.label, [piece.text]
    return _filled([*found, _section(label, lines)])


def unobserved(text: str) -> str:
    """The text up to the first observation in it."""
    starts = (piece.start for piece in _pieces(text) if piece.label == "observation")
    return text[: next(starts, len(text))]


def untagged(text: str) -> str:
    """The same with tags such as `<action>` written as labels, and `<parameter>` as `name = x`."""
    return _TAG.sub(_as_label, text)


def _section(label: Label | None, lines: Sequence[str]) -> Section:
    text = "\n".join(lines).strip()
    # the other end of asterisks that began before the label
    split = text.endswith("**") and text.count("**") % 2 == 1
    return Section(label, text[:-2].rstrip() if split else text)


def _filled(found: list[Section]) -> list[Section]:
    return [section for section in found if section.label is not None or section.text]


def _pieces(text: str) -> Iterator[_Piece]:
    now: Label | None = None
    begin = 0
    for line in text.split("\n"):
        label: Label | None = "observation" if _MADE_UP.match(line) else None
        at, start = 0, 0
        at_line = _AT_LINE.match(line)
        # an answer may well speak of inputs and tools
        if at_line and (now != "answer" or at_line[_label(at_line)].lower() in _STRONG):
            label, start = _label(at_line), at_line.end()
        now = label or now
        for within in _within(line, start, now):
            yield _Piece(label, begin + at, line[start : within.start()])
            label, at, start = _label(within), within.start(), within.end()
            now = label
        yield _Piece(label, begin + at, line[start:])
        begin += len(line) + 1


def _within(line: str, start: int, now: Label | None) -> Iterator[re.Match[str]]:
    if now == "answer":
        return iter(())
    guard = _GUARD.search(line, start)
    return _WITHIN_LINE.finditer(line, start, guard.start() if guard else len(line))


def _label(match: re.Match[str]) -> Label:
    for label in _WORDS:
        if match.groupdict().get(label):
            return label
    raise AssertionError("a pattern of labels matched without a label")


def _as_label(tag: re.Match[str]) -> str:
    closing, name, more = tag[1], tag[2].lower(), tag[3].strip(" /\"'")
    if name in ("parameter", "param", "arg"):
        return "\n" if closing else f"\n{more} = "
    label = _TAGGED.get(name)
    if label is None:
        return tag[0]
    if closing:
        return "\n"
    return f"\n{label} {more}\nAction Input: " if more else f"\n{label} "
