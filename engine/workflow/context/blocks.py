"""A conversation in blocks that only make sense whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.workflow.reply import Message

Block = tuple[Message, ...]
"""A tool call with its results, or any other message by itself."""


@dataclass(frozen=True)
class Talk:
    """What is pinned at the top, and what follows it in blocks, oldest first."""

    pinned: Block
    """The system's messages that open the conversation; a later one keeps its place and ages."""
    blocks: tuple[Block, ...]

    @property
    def question(self) -> int:
        """The block of the last question: the last one by the user, else the last one."""
        asked = [n for n, block in enumerate(self.blocks) if block[0].get("role") == "user"]
        return asked[-1] if asked else len(self.blocks) - 1

    def turns(self, count: int) -> "Talk":
        """Only the last turns; a turn begins where the user speaks."""
        starts = [n for n, block in enumerate(self.blocks) if block[0].get("role") == "user"]
        first = starts[-count] if len(starts) >= count else 0
        return Talk(self.pinned, self.blocks[first:])


def talk(messages: Sequence[Message]) -> Talk:
    """The conversation in blocks; a tool message that follows no call is left out."""
    pinned: list[Message] = []
    blocks: list[list[Message]] = []
    for message in messages:
        match message.get("role"):
            case "system" | "developer" if not blocks:
                pinned.append(message)
            case "tool":
                if blocks and _answers(message, blocks[-1]):
                    blocks[-1].append(message)
            case _:
                blocks.append([message])
    return Talk(tuple(pinned), tuple(tuple(block) for block in blocks))


def joined(pinned: Block, blocks: Sequence[Block]) -> list[Message]:
    """The messages again, one after the other."""
    return [*pinned, *(message for block in blocks for message in block)]


def _answers(message: Message, block: Sequence[Message]) -> bool:
    called = [call.get("id") for call in block[0].get("tool_calls") or ()]
    return message.get("tool_call_id") in called
