"""Blacks out what identifies a person or opens a door, in texts and in structured values.

Only what has a shape of its own is found: a name or a street has none. Numbers with a check digit
must pass it, so that ordinary numbers are left alone.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.config.observability import Masking, Sensitive

HIDDEN = "[hidden]"
PASSES = 8
"""Only a text made to keep us busy needs more; it is hidden whole."""
DEEPEST = 32
"""Levels of a value that are looked into; what lies deeper is hidden whole."""


class Mask:
    """Replaces what is sensitive by its kind in brackets; masking twice changes nothing more."""

    def __init__(self, masking: Masking | None = None) -> None:
        chosen = masking or Masking()
        self._shapes = [shape for shape in _SHAPES if shape.kind in chosen.kinds]
        self._fields = frozenset(_plain(name) for name in chosen.fields)
        self._ends = tuple(f"_{name}" for name in sorted(self._fields))

    def text(self, text: str) -> str:
        """The text without what is sensitive in it; ordinary prose comes back as it is."""
        if _HINT.search(text) is None:
            return text
        for _ in range(PASSES):
            # What is taken out may leave neighbours that now stand alone: until nothing is found.
            masked = text
            for shape in self._shapes:
                masked = shape.pattern.sub(shape.masked, masked)
            if masked == text:
                return text
            text = masked
        return HIDDEN

    def value(self, value: object, depth: int = 0) -> object:
        """The same value with its texts masked, and hidden whole where its field's name says so.

        Names of fields stay as they are.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            if depth == DEEPEST:
                return HIDDEN
            return {name: self._field(name, inner, depth) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            if depth == DEEPEST:
                return HIDDEN
            return [self.value(inner, depth + 1) for inner in value]
        return value

    def hides(self, field: str) -> bool:
        """Whether a field of this name is blacked out whole."""
        plain = _plain(field)
        return plain in self._fields or plain.endswith(self._ends)

    def _field(self, name: object, value: object, depth: int) -> object:
        if isinstance(name, str) and value is not None and self.hides(name):
            return HIDDEN
        return self.value(value, depth + 1)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


class _Shape(NamedTuple):
    kind: Sensitive
    pattern: re.Pattern[str]
    masked: Callable[[re.Match[str]], str]


def _always(by: str) -> Callable[[re.Match[str]], str]:
    return lambda found: by


def _keeping(by: str) -> Callable[[re.Match[str]], str]:
    """What stands before the secret, its first group, stays."""
    return lambda found: f"{found[1]}{by}"


def _where(is_one: Callable[[str], bool], by: str) -> Callable[[re.Match[str]], str]:
    return lambda found: by if is_one(found[0]) else found[0]


def _is_card(text: str) -> bool:
    digits = [int(one) for one in text if one.isdigit()]
    doubled = [two - 9 if (two := 2 * one) > 9 else two for one in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_resident(text: str) -> bool:
    """Whether the last sign is the check of ISO 7064, MOD 11-2, over the seventeen digits."""
    rest = sum(int(one) * 2 ** (17 - place) for place, one in enumerate(text[:17])) % 11
    return "10X98765432"[rest] == text[17].upper()


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "").upper()
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _is_long_phone(text: str) -> bool:
    return 8 <= sum(one.isdigit() for one in text) <= 15


# Without a digit, an @ or one of these beginnings no shape can match.
_HINT = re.compile(
    r"[0-9@]|bearer|-----BEGIN|://|AKIA|ASIA|AIza|gh[pousr]_|github_pat|glpat|xox|hf_|npm_|eyJ",
    re.IGNORECASE,
)
_SECRETS = r"pass(?:word|wd|phrase)|secret|(?:api|access)[_-]?key|(?:auth|access)[_-]?token"
_SHAPES = (
    _Shape(
        "key",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL),
        _always("[key]"),
    ),
    _Shape(
        "key",
        re.compile(r"\b(bearer\s{1,8})(?=\S{0,256}[0-9._-])[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        _keeping("[key]"),
    ),
    _Shape("key", re.compile(r"(://)[^\s/:@\[\]]*:[^\s/@\[\]]+(?=@)"), _keeping("[key]")),
    _Shape(
        "key",
        re.compile(
            r"(?<![A-Za-z0-9_-])(?:"
            r"(?:sk|pk|rk)[-_](?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{16,}"
            r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
            r"|xox[abprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[A-Za-z0-9_-]{30,}"
            r"|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}"
            r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
            r")"
        ),
        _always("[key]"),
    ),
    _Shape(
        "key",
        re.compile(
            rf"((?:{_SECRETS})[\"']?\s{{0,8}}[=:]\s{{0,8}}[\"']?)"
            r"(?=[^\s\"',;&\[\]]{0,256}[0-9])[^\s\"',;&\[\]]{6,}",
            re.IGNORECASE,
        ),
        _keeping("[key]"),
    ),
    _Shape(
        "email",
        re.compile(
            r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@"
            r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
        ),
        _always("[email]"),
    ),
    _Shape(
        "id",
        re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        _where(_is_iban, "[id]"),
    ),
    _Shape(
        "id",
        re.compile(
            r"(?<![0-9A-Za-z])[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])"
            r"(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx](?![0-9A-Za-z])"
        ),
        _where(_is_resident, "[id]"),
    ),
    _Shape(
        "id",
        re.compile(
            r"(?<![0-9-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9-])",
        ),
        _always("[id]"),
    ),
    _Shape(
        "card",
        re.compile(r"(?<![0-9A-Za-z.])[2-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])(?!\.[0-9])"),
        _where(_is_card, "[card]"),
    ),
    _Shape(
        "phone",
        re.compile(r"(?<![\w+.])\+[1-9](?:[ -]?\(?[0-9]{1,5}\)?|\.[0-9]{2,5}){2,7}(?!\.?[0-9])"),
        _where(_is_long_phone, "[phone]"),
    ),
    _Shape(
        "phone",
        re.compile(
            r"(?<![0-9+.-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-.])[2-9][0-9]{2}[-.][0-9]{4}"
            r"(?![0-9.-]*[0-9])"
        ),
        _always("[phone]"),
    ),
    _Shape("phone", re.compile(r"(?<![\w.+-])1[3-9][0-9]{9}(?![\w-])"), _always("[phone]")),
)
