"""Makes a conversation fit into what a language model can read."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.config.context import Context
from engine.workflow.context.blocks import Block, Talk, joined, talk
from engine.workflow.context.ends import shortened
from engine.workflow.context.tokens import Tokens
from engine.workflow.failure import StepError
from engine.workflow.reply import Message

LEAST = 48
"""Tokens below which `head-tail` cuts no message: little more than the mark would be left."""


@dataclass(frozen=True)
class Fitted:
    """Messages that fit, and what it took."""

    messages: tuple[Message, ...]
    tokens: int
    dropped: int = 0
    """Messages left out."""
    cut: int = 0
    """Messages whose middle was left out."""


def fitted(messages: Sequence[Message], settings: Context, tokens: Tokens) -> Fitted:
    """The conversation within the room that the settings leave; no model is asked.

    The system's messages and the user's last one always stay, in order; where they alone are too
    long, they are cut in the middle. A tool call stays with its results or goes with them.

    Raises:
        StepError: What has to stay can't be cut far enough.
    """
    room = settings.room_tokens
    parts = talk(messages)
    if settings.strategy == "sliding":
        parts = parts.turns(settings.turns)
    elif settings.strategy == "head-tail" and tokens.of(messages) > room:
        parts = _levelled(parts, room, tokens)
    kept = trimmed(parts, room, tokens)
    whole = {id(message) for message in messages}
    return Fitted(
        messages=tuple(kept),
        tokens=tokens.of(kept),
        dropped=len(messages) - len(kept),
        cut=sum(id(message) not in whole for message in kept),
    )


def trimmed(parts: Talk, room: int, tokens: Tokens) -> list[Message]:
    """The pinned messages, the last question, and the newest blocks that fit beside them.

    Raises:
        StepError: What has to stay can't be cut far enough.
    """
    last = len(parts.blocks) - 1
    question = parts.blocks[parts.question] if parts.blocks else ()
    # Beside the longest of system messages the question still gets half.
    pinned = _must(parts.pinned, room - min(tokens.of(question), room // 2), tokens)
    left = room - tokens.of(pinned)
    kept = {parts.question: _must(question, left, tokens)}
    left -= tokens.of(kept[parts.question])
    for n in range(last, -1, -1):
        if n == parts.question:
            continue
        # The newest results are what the model is about to read: better cut than gone.
        block = squeezed(parts.blocks[n], left, tokens) if n == last else parts.blocks[n]
        if block is None or tokens.of(block) > left:
            break
        kept[n] = block
        left -= tokens.of(block)
    return joined(pinned, [kept[n] for n in sorted(kept)])


def squeezed(block: Block, room: int, tokens: Tokens) -> Block | None:
    """The block with its longest texts cut in the middle; None where that isn't enough."""
    level = _level([tokens.message(message) for message in block], room)
    cut = [shortened(message, level, tokens) for message in block]
    whole = tuple(message for message in cut if message is not None)
    return whole if len(whole) == len(block) and tokens.of(whole) <= room else None


def _must(block: Block, room: int, tokens: Tokens) -> Block:
    kept = squeezed(block, room, tokens)
    if kept is None:
        why = f"{tokens.of(block)} tokens have to fit into {room} and can't be cut that far"
        raise StepError("context_window", f"{why}; raise context.limit_tokens")
    return kept


def _levelled(parts: Talk, room: int, tokens: Tokens) -> Talk:
    rest = [
        message for n, block in enumerate(parts.blocks) if n != parts.question for message in block
    ]
    taken = tokens.of(joined(parts.pinned, parts.blocks)) - tokens.of(rest)
    level = max(LEAST, _level([tokens.message(message) for message in rest], room - taken))
    blocks = [
        block
        if n == parts.question
        else tuple(shortened(message, level, tokens) or message for message in block)
        for n, block in enumerate(parts.blocks)
    ]
    return Talk(parts.pinned, tuple(blocks))


def _level(sizes: Sequence[int], room: int) -> int:
    """The most that each may take so that all fit: small ones leave their room to large ones."""
    left = room
    for n, size in enumerate(sorted(sizes)):
        if size * (len(sizes) - n) > left:
            return left // (len(sizes) - n)
        left -= size
    return max(sizes, default=0)
