"""Cuts a text that is too long in its middle, where the least is lost."""

from engine.workflow.context.tokens import Tokens
from engine.workflow.reply import Message

ALMOST = 0.97
"""Aims a little lower than needed, for the mark takes room too."""

MARK = "\n[… {} characters left out …]\n"


def head_tail(text: str, most: int, tokens: Tokens) -> str | None:
    """The beginning and the end of a text, at most so many tokens, with a mark between them.

    A text that fits comes back as it is; None where not even the mark fits.
    """
    taken = tokens.count(text).tokens
    kept = len(text)
    while taken > most:
        if kept == 0 or most <= 0:
            return None
        # Tokens grow almost evenly with length, so two or three counts are enough.
        kept = int(kept * most / taken * ALMOST)
        taken = tokens.count(_cut(text, kept)).tokens
    return text if kept == len(text) else _cut(text, kept)


def shortened(message: Message, most: int, tokens: Tokens) -> Message | None:
    """A message whose longest text is cut until the whole takes at most so many tokens.

    Parts that are no text stay as they are; None where the rest alone is too long.
    """
    over = tokens.message(message) - most
    if over <= 0:
        return message
    content = message.get("content") or ""
    if isinstance(content, str):
        text = _less(content, over, tokens)
        return None if text is None else message | {"content": text}
    parts = [part.get("text", "") if isinstance(part, dict) else "" for part in content]
    longest = max(range(len(parts)), key=lambda n: len(parts[n]), default=None)
    if longest is None or (text := _less(parts[longest], over, tokens)) is None:
        return None
    cut = [part | {"text": text} if n == longest else part for n, part in enumerate(content)]
    return message | {"content": cut}


def _less(text: str, over: int, tokens: Tokens) -> str | None:
    return head_tail(text, tokens.count(text).tokens - over, tokens)


def _cut(text: str, kept: int) -> str:
    # Two thirds of what is kept come from the beginning, which says what the text is.
    head = kept - kept // 3
    tail = text[len(text) - kept // 3 :] if kept // 3 else ""
    return text[:head] + MARK.format(len(text) - kept) + tail
