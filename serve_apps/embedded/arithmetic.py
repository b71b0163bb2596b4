"""Finds the calculation that a question asks for."""

import re

_WORDS = (
    (re.compile(r"\bto the power of\b|\braised to\b|\*\*"), " ** "),
    (re.compile(r"\bplus\b"), " + "),
    (re.compile(r"\bminus\b|\u2212"), " - "),
    (re.compile(r"\b(?:times|multiplied by)\b|\u00d7"), " * "),
    (re.compile(r"\bdivided by\b|\u00f7"), " / "),
    (re.compile(r"\b(?:modulo|mod)\b"), " % "),
    (re.compile(r"\bsquared\b"), " ** 2"),
    (re.compile(r"\bcubed\b"), " ** 3"),
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_N = r"-?\d+(?:\.\d+)?"
_EXPRESSION = re.compile(
    r"(?<![\w.])[-+(\s]*\d+(?:\.\d+)?[\s)]*(?:(?:\*\*|//|[-+*/%])[-+(\s]*\d+(?:\.\d+)?[\s)]*)+(?!\w)"
)
_PERCENT = re.compile(rf"({_N})\s*(?:percent|per cent|%) of ({_N})")
_ROOT = re.compile(rf"square root of ({_N})")
_REMAINDER = re.compile(rf"remainder\b.*?({_N})\D*?(?:/|by) ({_N})")
_LIST = re.compile(
    rf"\b(sum|total|product|average|mean|difference|quotient)\b(?: of| between) "
    rf"((?:{_N}(?:,? and |, ?| \+ )?)+)"
)
_JOINED = {"sum": " + ", "total": " + ", "product": " * ", "difference": " - ", "quotient": " / "}


def expression(question: str) -> str | None:
    """The arithmetic expression that a question holds or spells out; None if it holds none."""
    text = _THOUSANDS.sub("", question.lower())
    spelled = _spelled(text)
    if spelled is not None:
        return spelled
    for pattern, symbol in _WORDS:
        text = pattern.sub(symbol, text)
    found = [_balanced(match[0]) for match in _EXPRESSION.finditer(text)]
    return max((each for each in found if each), key=len, default=None)


def _spelled(text: str) -> str | None:
    if percent := _PERCENT.search(text):
        return f"{percent[2]} * {percent[1]} / 100"
    if root := _ROOT.search(text):
        return f"sqrt({root[1]})"
    if listed := _LIST.search(text):
        numbers = re.findall(_N, listed[2])
        if len(numbers) > 1:
            return _folded(listed[1], numbers)
    if remainder := _REMAINDER.search(text):
        return f"{remainder[1]} % {remainder[2]}"
    return None


def _folded(operation: str, numbers: list[str]) -> str:
    if operation in ("average", "mean"):
        return f"({' + '.join(numbers)}) / {len(numbers)}"
    return _JOINED[operation].join(numbers)


def _balanced(candidate: str) -> str:
    """The candidate without parentheses that have no partner."""
    kept: list[str] = []
    opened: list[int] = []
    for char in candidate.strip():
        if char == "(":
            opened.append(len(kept))
        elif char == ")":
            if not opened:
                continue
            opened.pop()
        kept.append(char)
    for place in reversed(opened):
        del kept[place]
    return " ".join("".join(kept).split())
