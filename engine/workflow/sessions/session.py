"""A conversation's state, and the promise of whatever keeps it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine.config.agents import Conversations
from engine.errors import TrimtabError
from engine.workflow.reply import Message

TRIES = 20
"""How often a change is made anew on a conversation that others change, too."""


class StaleSessionError(TrimtabError):
    """Another request changed the conversation meanwhile; load it again, then change that."""

    def __init__(self, id: str, version: int) -> None:
        super().__init__(
            f"conversation {id!r} is no longer at version {version}: another request changed it; "
            "load it again and repeat the change"
        )
        self.id = id
        self.version = version


@dataclass(frozen=True)
class Session:
    """What one conversation holds between two of its requests."""

    messages: tuple[Message, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    """What was noted by name, the latest last."""
    summary: str = ""
    """What is left of messages that are kept no more."""
    version: int = 0
    """How often it was saved; 0 for a conversation that nobody knows."""

    def said(self, messages: Iterable[Message]) -> "Session":
        """The same, with more messages at its end."""
        return replace(self, messages=(*self.messages, *messages))

    def noted(self, name: str, fact: str) -> "Session":
        """The same, with a fact that replaces the one of this name."""
        others = {key: known for key, known in self.facts.items() if key != name}
        return replace(self, facts=others | {name: fact})


class Sessions(Protocol):
    """Keeps the conversations of one workflow for a while after their last turn."""

    async def load(self, id: str) -> Session:
        """The conversation; an empty one of version 0 if there is none, or if it expired."""
        ...

    async def save(self, id: str, session: Session) -> Session:
        """Keep this state over the one of `session.version`; once it returns, nothing is lost.

        What comes back is what was kept: the latest messages and facts, one version on.

        Raises:
            StaleSessionError: The conversation is at another version; nothing was kept.
        """
        ...

    async def forget(self, id: str) -> None:
        """Erase the conversation, if there is one."""
        ...


async def amended(sessions: Sessions, id: str, change: Callable[[Session], Session]) -> Session:
    """Change a conversation as it is now, again where another request was faster.

    Raises:
        StaleSessionError: Others were faster every time.
    """
    for _ in range(TRIES - 1):
        try:
            return await sessions.save(id, change(await sessions.load(id)))
        except StaleSessionError:
            continue
    return await sessions.save(id, change(await sessions.load(id)))


def bounded(session: Session, settings: Conversations) -> Session:
    """The latest messages and facts only; the messages begin with a user's.

    A turn that alone is too long is kept as its question and its end: the calls between them make
    sense only together.
    """
    facts = dict(list(session.facts.items())[-settings.max_facts :])
    return replace(session, messages=_latest(session.messages, settings.max_messages), facts=facts)


def _latest(messages: tuple[Message, ...], most: int) -> tuple[Message, ...]:
    if len(messages) <= most:
        return messages
    users = [n for n, message in enumerate(messages) if message.get("role") == "user"]
    start = next((n for n in users if n >= len(messages) - most), None)
    if start is not None:
        return messages[start:]
    last = messages[-1]
    ending = () if "tool_calls" in last or last.get("role") == "tool" else (last,)
    return (messages[users[-1]], *ending) if users else ending
