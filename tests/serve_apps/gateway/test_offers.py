import pytest

from engine.errors import ConfigError
from serve_apps.gateway.offers import MOST_TOOLS, offer_of, refuse_others

TOOL = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object"}}}
CHOSEN = {"type": "function", "function": {"name": "tide"}}


def test_tools_are_handed_on_as_they_were_sent():
    assert offer_of({"tools": [TOOL]}) == {"tools": [TOOL], "choice": "auto"}
    assert offer_of({"tools": [TOOL], "tool_choice": CHOSEN})["choice"] == CHOSEN


@pytest.mark.parametrize("said", [{}, {"tools": None}, {"tools": []}, {"tool_choice": "auto"}])
def test_a_request_without_tools_offers_none(said):
    assert offer_of(said) is None


@pytest.mark.parametrize(
    "tools",
    [
        *({}, "tide", [None], ["tide"], [{}], [{"type": "function"}], [TOOL | {"type": "custom"}]),
        *([{"type": "function", "function": {"name": 3}}], [TOOL] * (MOST_TOOLS + 1)),
    ],
)
def test_tools_that_no_model_could_be_told_of_are_refused(tools):
    with pytest.raises(ConfigError, match="`tools`"):
        offer_of({"tools": tools})


@pytest.mark.parametrize("choice", ["tide", 3, [], {}, {"type": "function"}, True])
def test_a_choice_is_a_word_or_a_function(choice):
    with pytest.raises(ConfigError, match="`tool_choice`"):
        offer_of({"tools": [TOOL], "tool_choice": choice})


@pytest.mark.parametrize(
    "wish",
    [
        *({"n": 2}, {"n": True}, {"n": "1"}, {"logprobs": True}, {"functions": [{}]}),
        *({"response_format": {"type": "json_object"}}, {"modalities": ["text", "audio"]}),
    ],
)
def test_what_the_answer_would_not_fulfil_is_refused_by_its_name(wish):
    with pytest.raises(ConfigError, match=f"`{next(iter(wish))}`"):
        refuse_others(wish)


@pytest.mark.parametrize(
    "wish",
    [
        *({"n": 1}, {"n": None}, {"logprobs": False}, {"response_format": {"type": "text"}}),
        *({"temperature": 0.3}, {"max_tokens": 5}, {"seed": 7}, {"stop": ["x"]}, {"user": "me"}),
    ],
)
def test_what_only_tunes_an_answer_is_taken(wish):
    refuse_others(wish)
