"""Turns a conversation into few bytes and back."""

import json
import zlib

from engine.errors import StoreCorruptError
from engine.workflow.sessions.session import Session

_FORM = b"1"
"""Stands before the bytes; another dictionary or another order of fields needs another."""
_DICTIONARY = (
    b'"type":"function","function":{"name":"search","arguments":"{\\"query\\": \\"\\"}"}}],'
    b'{"role":"system","content":"You are the answer is I can help you with that. '
    b"There are in the of and to a is for it on as be this that which from with or not by an "
    b'Thought: Action: Action Input: Observation: Final Answer: error: ```python\\n\\n\\n- **"},'
    b'{"role":"tool","tool_call_id":"call_0","content":"'
    b'"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_0",'
    b'"type":"function","function":{"name":"","arguments":"{\\"'
    b'"},{"role":"assistant","content":"'
    b'{"facts":{},"summary":"","messages":[{"role":"user","content":"'
)
"""What conversations have in common, the most frequent last; most of them are short."""


def packed(session: Session) -> bytes:
    """The conversation without its version."""
    state = {
        "facts": dict(session.facts),
        "summary": session.summary,
        "messages": list(session.messages),
    }
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"))
    # half a surrogate pair is no text; it comes back as a question mark instead of never
    deflate = zlib.compressobj(level=6, zdict=_DICTIONARY)
    return _FORM + deflate.compress(text.encode("utf-8", "replace")) + deflate.flush()


def unpacked(body: bytes, version: int) -> Session:
    """The conversation that was packed.

    Raises:
        StoreCorruptError: These bytes are no conversation.
    """
    if body[:1] != _FORM:
        raise StoreCorruptError(
            f"a conversation is kept in form {body[:1]!r}, this Trimtab reads {_FORM!r}; forget it"
        )
    inflate = zlib.decompressobj(zdict=_DICTIONARY)
    try:
        state = json.loads(inflate.decompress(body[1:]) + inflate.flush())
        messages, facts, summary = state["messages"], state["facts"], state["summary"]
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise StoreCorruptError(f"a conversation can't be read: {error}; forget it") from error
    if not inflate.eof:
        raise StoreCorruptError("a conversation is cut before its checksum; forget it")
    return Session(tuple(messages), facts, summary, version)
