import time

from engine.config.context import Context
from engine.workflow.fitting import FittedAsker
from engine.workflow.reply import Reply, Usage
from engine.workflow.run import Run
from engine.workflow.spans import Timeline


class Asker:
    """Answers everything, and keeps what it was told."""

    def __init__(self):
        self.told = []

    async def ask(self, messages, run, **_):
        self.told.append(messages)
        return Reply("yes", (), Usage(1, 1, 0.0), "m", "stop")


async def told(text, **settings):
    """What the model is told of a long conversation, and the kinds of the spans before it."""
    asker, spans = Asker(), []
    messages = [{"role": "user", "content": text}] * 3
    fitting = FittedAsker(asker, Context(**settings), "m")
    await fitting.ask(messages, Run("r", time.monotonic() + 5.0, Timeline(spans)), node="n")
    return asker.told[0], [span["kind"] for span in spans]


async def test_a_conversation_of_fewer_bytes_than_there_is_room_for_is_not_counted():
    messages, kinds = await told("Who? " * 50, limit_tokens=1_024, reserve_tokens=1)

    assert (len(messages), kinds) == (3, [])


async def test_a_longer_one_is_counted_and_leaves_out_what_does_not_fit():
    messages, kinds = await told("Who? " * 200, limit_tokens=1_024, reserve_tokens=1)

    assert (len(messages), kinds) == (1, ["context"])


async def test_letters_of_several_bytes_count_as_their_bytes():
    messages, kinds = await told("é" * 150, limit_tokens=1_024, reserve_tokens=1)

    assert (len(messages), kinds) == (3, [])


async def test_half_a_letter_does_not_stop_a_conversation():
    messages, kinds = await told("half \ud83d", limit_tokens=1_024, reserve_tokens=1)

    assert (len(messages), kinds) == (3, [])
