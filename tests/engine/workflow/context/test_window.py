import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.context import Context
from engine.workflow.context.tokens import Tokens
from engine.workflow.context.window import fitted
from engine.workflow.failure import StepError

TOKENS = Tokens("gpt-4o")
STRATEGIES = ("trim", "sliding", "head-tail", "summarise")


def said(role, words, **more):
    return {"role": role, "content": "word " * words} | more


def calling(ids, words):
    calls = [
        {"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in ids
    ]
    results = [said("tool", words, tool_call_id=i) for i in ids]
    return [said("assistant", 0, tool_calls=calls), *results]


@st.composite
def conversations(draw):
    words = st.integers(0, 400)
    messages = [said("system", draw(words))] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 6))):
        messages.append(said("user", draw(words)))
        for call in range(draw(st.integers(0, 2))):
            ids = [f"{turn}-{call}-{n}" for n in range(draw(st.integers(1, 3)))]
            messages += calling(ids, draw(words))
        if draw(st.booleans()):
            messages.append(said("assistant", draw(words)))
    return messages


rooms = st.builds(
    Context,
    limit_tokens=st.integers(700, 4_000),
    reserve_tokens=st.just(200),
    summary_tokens=st.just(32),
    strategy=st.sampled_from(STRATEGIES),
    turns=st.integers(1, 4),
)


@given(conversations(), rooms)
@settings(deadline=None)
def test_what_is_left_fits(messages, room):
    result = fitted(messages, room, TOKENS)

    assert result.tokens == TOKENS.of(result.messages) <= room.room_tokens


@given(conversations(), rooms)
@settings(deadline=None)
def test_the_system_message_and_the_last_question_survive(messages, room):
    result = fitted(messages, room, TOKENS).messages

    for role in ("system", "user"):
        wanted = [message for message in messages if message["role"] == role]
        kept = [message for message in result if message["role"] == role]
        assert bool(wanted) == bool(kept)
        assert not wanted or kept[-1]["content"][:5] == wanted[-1]["content"][:5]


@given(conversations(), rooms)
@settings(deadline=None)
def test_a_call_and_its_results_are_never_parted(messages, room):
    result = fitted(messages, room, TOKENS).messages

    open_calls = []
    for message in result:
        if message["role"] == "tool":
            assert message["tool_call_id"] == open_calls.pop(0)
        else:
            assert open_calls == []
            open_calls = [call["id"] for call in message.get("tool_calls", ())]
    assert open_calls == []


@given(conversations(), rooms)
@settings(deadline=None)
def test_the_order_is_kept(messages, room):
    result = fitted(messages, room, TOKENS).messages

    places = iter(messages)
    for message in result:
        assert any(
            own["role"] == message["role"]
            and own["content"][:5] == message["content"][:5]
            and own.get("tool_call_id") == message.get("tool_call_id")
            for own in places
        )


@given(conversations(), st.sampled_from(("trim", "head-tail", "summarise")))
@settings(deadline=None)
def test_what_fits_stays_as_it_is(messages, strategy):
    result = fitted(messages, Context(strategy=strategy), TOKENS)

    assert (list(result.messages), result.dropped, result.cut) == (messages, 0, 0)


def test_a_sliding_window_holds_the_last_turns():
    messages = [said("system", 1), *(said("user", n) for n in range(1, 6))]

    result = fitted(messages, Context(strategy="sliding", turns=2), TOKENS)

    assert list(result.messages) == [messages[0], *messages[-2:]]
    assert result.dropped == 3


def test_a_question_that_is_too_long_alone_is_cut_in_its_middle_and_marked():
    question = {"role": "user", "content": "begin " + "word " * 5_000 + "end"}

    result = fitted([question], Context(limit_tokens=1_000, reserve_tokens=500), TOKENS)

    content = result.messages[0]["content"]
    assert content.startswith("begin")
    assert content.endswith("end")
    assert "characters left out" in content
    assert result.cut == 1


def test_head_tail_keeps_more_messages_than_trimming():
    messages = [said("user", 2_000), said("assistant", 300), said("user", 10)]
    room = {"limit_tokens": 1_500, "reserve_tokens": 500}

    cut = fitted(messages, Context(strategy="head-tail", **room), TOKENS)
    trimmed = fitted(messages, Context(strategy="trim", **room), TOKENS)

    assert (cut.dropped, cut.cut) == (0, 1)
    assert trimmed.dropped == 1


def test_the_newest_results_are_cut_rather_than_dropped():
    messages = [said("user", 10), *calling(["a", "b"], 4_000)]

    result = fitted(messages, Context(limit_tokens=1_500, reserve_tokens=500), TOKENS)

    assert (result.dropped, result.cut) == (0, 2)


def test_a_picture_passes_untouched():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 90_000}}
    text = {"type": "text", "text": "word " * 5_000}
    question = {"role": "user", "content": [text, picture]}

    result = fitted([question], Context(limit_tokens=2_000, reserve_tokens=500), TOKENS)

    (content,) = [message["content"] for message in result.messages]
    assert content[1] == picture
    assert "characters left out" in content[0]["text"]


def test_pictures_that_cannot_fit_are_refused():
    picture = {"type": "image_url", "image_url": {"url": "x"}}

    with pytest.raises(StepError, match=r"raise context\.limit_tokens") as failure:
        fitted(
            [{"role": "user", "content": [picture] * 3}],
            Context(limit_tokens=2_000, reserve_tokens=500),
            TOKENS,
        )

    assert failure.value.code == "context_window"


def test_a_system_message_amid_the_conversation_keeps_its_place():
    messages = [said("system", 1), said("user", 2), said("system", 3), said("user", 4)]

    result = fitted(messages, Context(strategy="sliding", turns=2), TOKENS)

    assert list(result.messages) == messages
