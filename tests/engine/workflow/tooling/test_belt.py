import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import tools as config
from engine.errors import ConfigError
from engine.workflow.failure import BudgetError, ToolError
from engine.workflow.reply import ToolCall
from engine.workflow.tooling.belt import Belt
from engine.workflow.tooling.parts import Parts
from engine.workflow.tooling.registry import Registry
from engine.workflow.tooling.tool import tool
from tests.engine.workflow.tooling.belts import (
    Diary,
    Failing,
    a_belt,
    a_run,
    a_tool,
    call,
    diarist,
    texts,
)


async def test_reads_run_together_and_are_answered_in_order():
    diary = Diary()
    belt = a_belt(diarist(diary, "slow"), diarist(diary, "fast"))

    answers = await texts(belt, call("slow", "a", x="1"), call("fast", "b", x="2"))

    assert answers == ["slow(1)", "fast(2)"]
    assert diary.most == 2


async def test_no_more_run_at_once_than_allowed():
    diary = Diary()
    belt = a_belt(diarist(diary, "look"), max_parallel=3)

    await texts(belt, *(call("look", f"c{n}") for n in range(10)))

    assert diary.most == 3


async def test_an_effect_runs_alone_and_in_order():
    diary = Diary()
    belt = a_belt(diarist(diary, "look"), diarist(diary, "send", "write"))
    names = ["look", "look", "send", "send", "look"]

    await texts(belt, *(call(name, f"c{n}") for n, name in enumerate(names)))

    assert diary.notes[4:8] == ["send begins", "send ends"] * 2
    assert diary.notes.index("send begins") == 4
    assert diary.notes[8:] == ["look begins", "look ends"]


async def test_a_call_may_take_the_result_of_another():
    diary = Diary()
    belt = a_belt(diarist(diary, "look"))

    answers = await texts(
        belt,
        call("look", "a", x="got {{b.result}}"),
        call("look", "b", x="{{c.result}}"),
        call("look", "c"),
    )

    assert answers == ["look(got look(look()))", "look(look())", "look()"]


async def test_a_result_that_reads_as_a_number_fits_a_number():
    @tool(effect="read")
    def twice(n: int) -> int:
        """Doubles."""
        return 2 * n

    answers = await texts(
        a_belt(twice), call("twice", "a", n=4), call("twice", "b", n="{{a.result}}")
    )

    assert answers == ["8", "16"]


async def test_a_call_that_needs_a_failed_one_is_answered_with_that():
    belt = a_belt(a_tool(Failing(ToolError("tool_arguments", "no")), "look"))

    answers = await texts(belt, call("look", "a"), call("look", "b", x="{{a.result}}"))

    assert answers == ["error: no", "error: it needs the result of a, which failed"]


async def test_calls_in_a_circle_and_calls_to_nowhere_are_answered_with_that():
    belt = a_belt(diarist(Diary(), "look"))

    answers = await texts(belt, call("look", "a", x="{{a.result}}"), call("look", x="{{z.result}}"))

    assert answers == [
        "error: it needs a result that comes only after it",
        "error: 'z' is no call of this turn",
    ]


async def test_unreadable_arguments_are_answered_with_what_is_expected():
    spans = []
    belt = a_belt(diarist(Diary(), "look"))

    answers = await texts(
        belt,
        ToolCall("a", "look", "{x"),
        call("look", "b", x=3),
        call("lok", "c"),
        run=a_run(spans),
    )

    assert answers[0].startswith("error: look: the arguments are not JSON")
    assert answers[0].endswith("Expected: x (string, optional)")
    assert answers[1].startswith("error: x: got 3; should be a valid string. Expected: x")
    assert answers[2] == "error: there is no tool 'lok'; did you mean `look`?"
    assert [span["node"] for span in spans] == ["look", "look", "unknown_tool"]
    assert {span["status"] for span in spans} == {"error"}


async def test_what_is_not_granted_does_not_exist_for_the_model():
    secret = diarist(Diary(), "secret", scopes=("vault:read", "vault:open"))
    belt = a_belt(diarist(Diary(), "look"), secret, scopes=("look", "vault:read"))

    assert [schema["function"]["name"] for schema in belt.schemas()] == ["look"]
    assert "there is no tool 'secret'; known: `look`" in (await texts(belt, call("secret")))[0]


async def test_a_tool_that_names_no_scope_is_granted_by_its_name():
    look = diarist(Diary(), "look")

    assert a_belt(look, scopes=()).schemas() == []
    assert len(a_belt(look, scopes=("look",)).schemas()) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (True, "drop()"),
        (False, "error: a person rejected this call of drop"),
        (None, "error: drop needs approval and waits for a person; not done yet"),
    ],
)
async def test_what_cannot_be_undone_is_done_only_as_a_person_decides(answer, said):
    diary, asked = Diary(), []

    async def approve(tool, arguments, run):
        asked.append((tool.name, arguments, run.id))
        return answer

    belt = a_belt(diarist(diary, "drop", "irreversible"), parts=Parts(approve=approve))

    assert await texts(belt, call("drop", x="")) == [said]
    assert asked == [("drop", {"x": ""}, "r1")]
    assert bool(diary.notes) is (answer is True)


async def test_without_anyone_to_ask_nothing_irreversible_happens():
    diary = Diary()

    answers = await texts(a_belt(diarist(diary, "drop", "irreversible")), call("drop"))

    assert answers == ["error: drop needs approval, and nobody gives it"]
    assert diary.notes == []


async def test_when_the_steps_are_used_up_no_call_of_the_turn_is_made():
    diary = Diary()

    with pytest.raises(BudgetError):
        await texts(
            a_belt(diarist(diary, "look")), call("look"), call("look", "b"), run=a_run(steps=1)
        )

    assert diary.notes == []


async def test_what_an_operator_wrote_replaces_what_the_tool_declares():
    look = diarist(Diary(), "look", timeout_s=9.0, cost_usd=0.1)

    registry = Registry([look])
    settings = config.Tools(scopes=("look",), settings={"look": config.Tool(cost_usd=0.5)})

    offered = registry.offered(settings)["look"].settings
    assert (offered.cost_usd, offered.timeout_s) == (0.5, 9.0)
    assert registry.offered(config.Tools(settings={"look": config.Tool(enabled=False)})) == {}


def test_a_name_is_given_once():
    look = diarist(Diary(), "look")

    with pytest.raises(ConfigError, match="registered before"):
        Registry([look, look])


def test_an_effect_that_would_be_retried_or_remembered_is_refused():
    with pytest.raises(ConfigError, match="neither retried"):
        diarist(Diary(), "send", "write", cache_ttl_s=60.0)
    with pytest.raises(ConfigError, match="neither retried"):
        a_belt(diarist(Diary(), "send", "write"), settings={"send": config.Tool(retries=1)})


def test_a_setting_for_a_tool_that_does_not_exist_is_refused():
    registry = Registry([diarist(Diary(), "look")])

    with pytest.raises(ConfigError, match="did you mean `look`"):
        registry.refuse_unknown(config.Tools(settings={"lok": config.Tool()}))


async def test_a_tool_registered_later_is_offered_from_then_on():
    registry = Registry()
    belt = Belt(registry, config.Tools(scopes=("look",)))

    registry.register(diarist(Diary(), "look"))

    assert await texts(belt, call("look")) == ["look()"]


written = st.text(max_size=30) | st.sampled_from(
    [
        '{"x": "\\ud800"}',
        '{"\\ud800": "x"}',
        '{"x": "{{c0.result}}"}',
        '{"x": "{{c2.result}}"}',
        '{"x": 1}',
        '{"x": "a"}',
        "{}",
    ]
)


@given(st.lists(st.tuples(st.sampled_from(["look", "send", "drop", "no"]), written), max_size=5))
async def test_whatever_a_model_writes_every_call_is_answered_once(wanted):
    async def act(x):
        return x

    belt = a_belt(
        a_tool(act, "look"), a_tool(act, "send", "write"), a_tool(act, "drop", "irreversible")
    )

    answers = await texts(
        belt, *(ToolCall(f"c{n}", name, text) for n, (name, text) in enumerate(wanted))
    )

    assert all(text.encode() or text == "" for text in answers)
