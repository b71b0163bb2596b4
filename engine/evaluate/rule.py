"""Small checks of an answer's text."""

import json
import re

from engine.config.metric import Rule


def passes(rule: Rule, answer: str) -> bool:
    """Whether the text passes every check that the rule declares."""
    text = folded(answer)
    checks = (
        rule.contains is None or folded(rule.contains) in text,
        not rule.any_of or any(folded(one) in text for one in rule.any_of),
        all(folded(one) in text for one in rule.all_of),
        rule.regex is None or re.search(rule.regex, answer, re.IGNORECASE) is not None,
        rule.max_chars is None or len(answer) <= rule.max_chars,
        not rule.valid_json or _is_json(answer),
    )
    return all(checks)


def folded(text: str) -> str:
    """The text without the differences that never count: letters' case and kinds of space."""
    return " ".join(text.casefold().split())


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
