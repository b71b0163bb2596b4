"""Remembers a variant's last answers, to give them again where no model can."""

import json
from collections import OrderedDict
from collections.abc import Sequence

from engine.workflow.reply import Message, Reply

MOST = 2_048


class LastAnswers:
    """The last complete answers by their messages; one belongs to one variant."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[str, Reply] = OrderedDict()

    def __call__(self, messages: Sequence[Message]) -> Reply | None:
        """The answer that these messages got before."""
        return self._known.get(_key(messages))

    def note(self, messages: Sequence[Message], reply: Reply) -> None:
        """Keep an answer; a turn that calls tools is none."""
        if reply.tool_calls or not reply.text.strip() or reply.finish_reason not in {None, "stop"}:
            return
        self._known[_key(messages)] = reply
        self._known.move_to_end(_key(messages))
        while len(self._known) > self._most:
            self._known.popitem(last=False)


def _key(messages: Sequence[Message]) -> str:
    return json.dumps(messages, sort_keys=True, default=str)
