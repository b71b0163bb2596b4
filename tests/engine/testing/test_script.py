"""Laws of a script: who meets what, and that the same seed tells the same story."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.source import parse
from engine.errors import ConfigError
from engine.testing.faults.asked import Asked
from engine.testing.faults.named import FAULTS
from engine.testing.faults.outcomes import Answer, Call, Status
from engine.testing.faults.play import Play
from engine.testing.faults.script import Dialogue, Match, Rule, Script

CHAT = "/v1/chat/completions"
shares = st.dictionaries(
    st.sampled_from(sorted(FAULTS)), st.floats(0.0, 0.2), min_size=1, max_size=5
)


def asked(*said, model="m", tools=(), path=CHAT, choice="auto"):
    roles = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    messages = [{"role": roles[text[0]], "content": text[2:]} for text in said]
    offered = [{"type": "function", "function": {"name": name}} for name in tools]
    body = {"model": model, "messages": messages, "tools": offered, "tool_choice": choice}
    return Asked(path, body, messages)


def names(script, requests, seed=0):
    play = Play(script, seed)
    return [play.scene(request).name for request in requests]


def test_without_a_script_everything_is_answered():
    assert names(Script(), [asked("u:hi")] * 3) == ["answer"] * 3


@pytest.mark.parametrize(
    ("match", "meets"),
    [
        (Match(path="/embeddings"), [False, False, False, True]),
        (Match(model="large"), [False, True, False, False]),
        (Match(says="sum"), [True, False, False, False]),
        (Match(tool="search"), [False, False, True, False]),
        (Match(model="small", first=2, last=2), [False, False, True, False]),
        (Match(first=3), [False, False, True, True]),
    ],
)
def test_a_rule_meets_those_that_it_is_for(match, meets):
    requests = [
        asked("u:a sum", "a:yes", model="small"),
        asked("u:a word", model="large"),
        asked("u:a word", model="small", tools=["search"]),
        asked(path="/v1/embeddings", model="vectors"),
    ]

    met = names(Script(rules=(Rule(match=match, fault="denied"),)), requests)

    assert [name == "denied" for name in met] == meets


def test_the_first_rule_that_matches_counts():
    rules = (
        Rule(match=Match(last=1), outcome=Status(status=503)),
        Rule(match=Match(last=2), fault="denied"),
    )

    assert names(Script(rules=rules), [asked("u:hi")] * 3) == ["status_503", "denied", "answer"]


@given(rates=shares, seed=st.integers(0, 1_000))
def test_the_same_seed_tells_the_same_story(rates, seed):
    script = Script(rates=rates)
    requests = [asked("u:hi")] * 30

    assert names(script, requests, seed) == names(script, requests, seed)


def test_chance_keeps_to_its_shares():
    met = names(Script(rates={"denied": 0.1, "stalled": 0.3}), [asked("u:hi")] * 4_000)

    # Four standard errors around each share.
    assert met.count("denied") / 4_000 == pytest.approx(0.1, abs=0.02)
    assert met.count("stalled") / 4_000 == pytest.approx(0.3, abs=0.03)


def test_a_dialogue_goes_turn_by_turn_and_repeats_its_last():
    turns = (Answer(text="one"), Answer(text="two"))
    play = Play(Script(dialogues=(Dialogue(prompt="plan", turns=turns),)), 0)

    told = [("u:plan",), ("u:plan", "a:one"), ("u:plan", "a:one", "u:go on", "a:two")]
    answers = [play.scene(asked(*messages)).answer.text for messages in told]

    assert answers == ["one", "two", "two"]


def test_a_dialogue_begins_anew_where_its_prompt_does():
    turns = (Answer(text="one"), Answer(text="two"))
    play = Play(Script(dialogues=(Dialogue(prompt="plan", turns=turns),)), 0)

    scene = play.scene(asked("u:plan", "a:one", "u:plan again"))

    assert scene.answer.text == "one"


def test_a_dialogue_is_chosen_by_its_system_message():
    dialogues = (
        Dialogue(system="You review", turns=(Answer(text="approved"),)),
        Dialogue(turns=(Answer(text="planned"),)),
    )
    play = Play(Script(dialogues=dialogues), 0)

    texts = [
        play.scene(asked(f"s:{system}", "u:go")).answer.text
        for system in ("You review plans.", "You plan.")
    ]

    assert texts == ["approved", "planned"]


@pytest.mark.parametrize("closed", [{"tools": ()}, {"tools": ("search",), "choice": "none"}])
def test_a_turn_that_calls_tools_is_passed_over_where_none_may_be_called(closed):
    turns = (Answer(text="", calls=(Call(name="search"),)), Answer(text="found"))
    play = Play(Script(dialogues=(Dialogue(turns=turns),)), 0)

    assert play.scene(asked("u:go", **closed)).answer.text == "found"
    assert play.scene(asked("u:go", tools=("search",))).answer.calls


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rates: {denied: 0.6, stalled: 0.6}", "at most 1"),
        ("rates: {denid: 0.1}", "did you mean `denied`"),
        ("rules: [{fault: denid}]", "did you mean `denied`"),
        ("rules: [{outcome: {kind: status, status: 200}}]", "status"),
        ("rules: [{}]", "either `fault` or `outcome`"),
        ("rule: []", "rules"),
    ],
)
def test_an_impossible_script_is_refused_with_what_to_write(text, says):
    with pytest.raises(ConfigError, match=says):
        parse(text, "script.yaml").into(Script)


def test_a_script_survives_the_wire():
    script = Script(
        rules=[Rule(match=Match(says="x"), outcome=outcome) for outcome in FAULTS.values()],
        rates={"denied": 0.25},
        dialogues=(Dialogue(turns=(Answer(calls=(Call(name="search"),)),)),),
    )

    assert parse(script.model_dump_json(), "wire").into(Script) == script
