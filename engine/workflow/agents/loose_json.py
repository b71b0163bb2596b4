"""Reads the JSON that language models write: fenced, single-quoted, with a comma too many, cut off.

Every JSON document reads as the `json` module reads it. One pass, no backtracking: the time is
linear in the text, whatever the text.
"""

import math
import re
from typing import Any, NamedTuple

DEPTH = 40
"""Objects and lists within each other; no tool takes more, and a stack has an end."""

_CLOSING = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\u00ab": "\u00bb",
}
_SAME = {"\u201d": "\u201c\u201d\u201e", "\u2019": "\u2018\u2019"}
_OPEN = {"{": "}", "[": "]", "(": ")"}
_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "none": None,
    "undefined": None,
}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_SPACE = re.compile(r"\s*")
_PLAIN = re.compile(r"[^\\\"'`\u201d\u2019\u201c\u201e\u2018\u00bb]+")
_BARE = re.compile(r"[^,}\])\n]*")
_KEY = re.compile(r"[^\s:=,{}\[\]()\"']{1,100}")
_ASSIGNS = re.compile(r"\s{0,20}(?:=>|:=|:|=|\uff1a)")
_NAMED = re.compile(r"([A-Za-z_]\w{0,60})\s{0,4}=(?!=)")
_REMARK = re.compile(r"(?://|#)[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/"}
_HEX = re.compile(r"u([0-9a-fA-F]{4})")
_SURROGATE = re.compile("[\ud800-\udfff]")


class LooseJsonError(ValueError):
    """The text is no value, however kindly one reads it."""


class Value(NamedTuple):
    """A value and where it ends."""

    value: Any
    end: int


class Arguments(NamedTuple):
    """What stands between the parentheses of a call."""

    positional: list[Any]
    named: dict[str, Any]


def value_at(text: str, start: int = 0) -> Value:
    """The value that begins here.

    Missing closing brackets are added. A text that is cut in its middle is refused, because what
    was to follow can't be known.

    Raises:
        LooseJsonError: A text is cut, a key has no value, or the nesting is too deep.
    """
    reader = _Reader(text, start)
    value = reader.value(0)
    return Value(value, reader.at)


def first_object(text: str) -> dict[str, Any] | None:
    """The first object in this text, or the first one of a list; None where there is none."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        found = value_at(text, start).value
    except LooseJsonError:
        return None
    return found if isinstance(found, dict) else None


def arguments_at(text: str, start: int) -> Arguments:
    """What a call such as `search("x", limit=5)` passes, from its parenthesis on.

    Raises:
        LooseJsonError: A text is cut, or the nesting is too deep.
    """
    return _Reader(text, start).arguments()


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def value(self, depth: int) -> object:
        self._skip()
        character = self.text[self.at : self.at + 1]
        if depth > DEPTH:
            raise LooseJsonError(f"more than {DEPTH} levels of nesting")
        if character == "{":
            return self._object(depth)
        if character in ("[", "("):
            return self._list(depth, _OPEN[character])
        if character in _CLOSING and character:
            return self._quoted()
        return self._bare()

    def arguments(self) -> Arguments:
        found = Arguments([], {})
        self.at += 1
        while self._goes_on(")"):
            if name := _NAMED.match(self.text, self.at):
                self.at = name.end()
                found.named[name[1]] = self.value(1)
            else:
                found.positional.append(self._element(1))
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.at += 1
        while self._goes_on("}"):
            key = self._key()
            assigns = _ASSIGNS.match(self.text, self.at)
            if assigns is None:
                raise LooseJsonError(f"no value follows the key {key[:40]!r}")
            self.at = assigns.end()
            found[key] = self.value(depth + 1)
        return found

    def _list(self, depth: int, closing: str) -> list[Any]:
        found: list[Any] = []
        self.at += 1
        while self._goes_on(closing):
            found.append(self._element(depth + 1))
        return found

    def _element(self, depth: int) -> object:
        before = self.at
        value = self.value(depth)
        if self.at == before:
            # a stray bracket belongs to nobody
            self.at += 1
        return value

    def _goes_on(self, closing: str) -> bool:
        self._skip(commas=True)
        if self.at >= len(self.text):
            return False
        if self.text[self.at] == closing:
            self.at += 1
            return False
        return True

    def _skip(self, *, commas: bool = False) -> None:
        # `\s*` always matches
        while (space := _SPACE.match(self.text, self.at)) is not None:
            self.at = space.end()
            if commas and self.text.startswith((",", ";"), self.at):
                self.at += 1
            elif remark := _REMARK.match(self.text, self.at):
                self.at = remark.end()
            else:
                return

    def _key(self) -> str:
        if self.text[self.at] in _CLOSING:
            return self._quoted()
        key = _KEY.match(self.text, self.at)
        if key is None:
            raise LooseJsonError(f"{self.text[self.at : self.at + 20]!r} is not a key")
        self.at = key.end()
        return key[0]

    def _bare(self) -> object:
        found = _BARE.match(self.text, self.at)
        word = found[0].partition(" //")[0].strip() if found else ""
        self.at += len(found[0]) if found else 0
        if word.lower() in _WORDS:
            return _WORDS[word.lower()]
        return _number(word)

    def _quoted(self) -> str:
        closing = _CLOSING[self.text[self.at]]
        width = 3 if self.text.startswith(self.text[self.at] * 3, self.at) else 1
        self.at += width
        end = closing * width
        pieces: list[str] = []
        while self.at < len(self.text):
            if plain := _PLAIN.match(self.text, self.at):
                pieces.append(plain[0])
                self.at = plain.end()
            elif self.text[self.at] == "\\":
                pieces.append(self._escape())
            elif self._closes(end):
                self.at += width
                return _mended("".join(pieces))
            else:
                pieces.append(self.text[self.at])
                self.at += 1
        raise LooseJsonError("the text is cut in the middle of a quotation")

    def _closes(self, end: str) -> bool:
        # An unescaped quote within a quotation is followed by words; a closing one by the syntax.
        if len(end) == 3:
            return self.text.startswith(end, self.at)
        if self.text[self.at] not in _SAME.get(end, end):
            return False
        space = _SPACE.match(self.text, self.at + 1)
        after = space.end() if space else self.at + 1
        follows = self.text[after : after + 1]
        if not follows or follows in ",;}])=:\uff1a":
            return True
        return "\n" in self.text[self.at + 1 : after]

    def _escape(self) -> str:
        following = self.text[self.at + 1 : self.at + 2]
        if code := _HEX.match(self.text, self.at + 1):
            self.at = code.end()
            return chr(int(code[1], 16))
        self.at += 2
        if following in _ESCAPES:
            return _ESCAPES[following]
        # a path or a regular expression, whose backslash the model forgot to double
        return following if following in "\\\"'`\n" else "\\" + following


def _number(word: str) -> object:
    if _NUMBER.fullmatch(word) is None:
        return word
    try:
        return int(word)
    except ValueError:
        pass
    number = float(word)
    return number if math.isfinite(number) else word


def _mended(text: str) -> str:
    if _SURROGATE.search(text) is None:
        return text
    # two halves of one character find each other; a single half stands for nothing
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
