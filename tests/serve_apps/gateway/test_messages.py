import pytest

from engine.errors import ConfigError
from serve_apps.gateway.messages import messages_of

QUESTION = {"role": "user", "content": "why?"}
CALL = {"id": "1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}


def test_messages_are_taken_as_they_are():
    said = [{"role": "system", "content": ""}, QUESTION, {"role": "assistant", "content": "so"}]

    assert messages_of({"messages": [*said, QUESTION]}) == [*said, QUESTION]


@pytest.mark.parametrize("messages", [None, [], {}, "text", 3])
def test_messages_are_a_list_of_at_least_one(messages):
    with pytest.raises(ConfigError, match="at least one message"):
        messages_of({"messages": messages})
    with pytest.raises(ConfigError, match="at least one message"):
        messages_of({})


@pytest.mark.parametrize("message", [None, "text", 3, [], {}, {"content": "why?"}])
@pytest.mark.parametrize("place", [0, 1])
def test_a_message_without_a_role_is_named_by_its_place(message, place):
    messages = [QUESTION, QUESTION]
    messages[place] = message

    with pytest.raises(ConfigError, match=rf"messages\[{place}\]: `role`"):
        messages_of({"messages": messages})


@pytest.mark.parametrize("role", ["function", "User", "", None, 3, True, [], {}, ["user"]])
def test_a_role_is_one_of_the_protocols(role):
    with pytest.raises(ConfigError, match=r"messages\[0\]: `role`"):
        messages_of({"messages": [{"role": role, "content": "why?"}]})


@pytest.mark.parametrize(
    "content",
    [
        *(None, 3, {}, ["why?"], [{"type": "video"}], [{"type": ["text"], "text": "why?"}]),
        *([{"type": "text"}], [{"type": "text", "text": 3}]),
        [{"type": "image_url", "image_url": "http://here/cat.png"}],
    ],
)
def test_content_is_text_or_parts(content):
    with pytest.raises(ConfigError, match=r"messages\[0\]: `content`"):
        messages_of({"messages": [{"role": "user", "content": content}]})


def test_the_last_word_is_the_users_or_a_tools():
    turn = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    given = {"role": "tool", "tool_call_id": "1", "content": "high"}

    assert messages_of({"messages": [QUESTION, turn, given]})[-1] == given
    with pytest.raises(ConfigError, match="the user's"):
        messages_of({"messages": [QUESTION, {"role": "assistant", "content": "so"}]})


def test_only_an_assistant_that_calls_may_say_nothing():
    for silent in ({}, {"tool_calls": []}, {"tool_calls": None}):
        with pytest.raises(ConfigError, match=r"messages\[0\]: `content`"):
            messages_of({"messages": [{"role": "assistant", "content": None} | silent]})


@pytest.mark.parametrize(
    "call",
    [None, "high_tide", {}, {"id": "1"}, CALL | {"id": 1}, CALL | {"function": {"name": "x"}}],
)
def test_a_call_has_its_id_and_its_function(call):
    turn = {"role": "assistant", "content": None, "tool_calls": [call]}

    with pytest.raises(ConfigError, match=r"messages\[0\]: `tool_calls`"):
        messages_of({"messages": [turn]})


def test_what_a_tool_gave_names_its_call():
    with pytest.raises(ConfigError, match=r"messages\[0\]: `tool_call_id`"):
        messages_of({"messages": [{"role": "tool", "content": "high"}]})
