"""The order of steps: each once, after what it reads, and waiting for nothing else."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError, DeadlineError
from engine.workflow.failure import StepError
from engine.workflow.plan.compiled import compiled
from engine.workflow.plan.place import Parts, Place
from tests.engine.workflow.plan.flows import a_run, answer, call, graph, parts


@st.composite
def orders(draw):
    size = draw(st.integers(1, 9))
    return {
        f"n{i}": sorted(draw(st.sets(st.integers(0, i - 1), max_size=3))) if i else []
        for i in range(size)
    }


@settings(max_examples=60, deadline=None)
@given(orders(), st.randoms(use_true_random=False))
def test_every_step_runs_once_and_after_what_it_reads(order, random):
    ended = []

    def one(name):
        async def function(**_):
            await asyncio.sleep(random.choice([0, 0, 0.001]))
            ended.append(name)
            return name

        return function

    names = list(order)
    random.shuffle(names)
    nodes = {name: call(name, **{f"x{i}": f"n{i}.result" for i in order[name]}) for name in names}
    having = parts(**{name: one(name) for name in names})

    asyncio.run(answer(graph(nodes, f"{names[-1]}.result"), {"question": ""}, having))

    assert sorted(ended) == sorted(names)
    for name, before in order.items():
        assert all(ended.index(f"n{i}") < ended.index(name) for i in before)


async def test_an_unrelated_branch_is_not_waited_for():
    release = asyncio.Event()

    async def slow():
        await release.wait()
        return "slow"

    async def quick():
        return "quick"

    async def after_quick(x):
        release.set()
        return x

    nodes = {
        "slow": call("slow"),
        "quick": call("quick"),
        "next": call("after_quick", x="quick.result"),
        "both": {"type": "text", "text": "{{ slow.result }} {{ next.result }}"},
    }

    found = await answer(
        graph(nodes, "both.text"),
        {"question": ""},
        parts(slow=slow, quick=quick, after_quick=after_quick),
    )

    assert found == "slow quick"


async def test_what_is_not_wanted_is_skipped_with_all_that_needs_it():
    nodes = {
        "kind": {"type": "text", "text": "{{ input.question }}"},
        "refund": {"type": "text", "text": "money back", "when": "kind.text == 'refund'"},
        "sorry": {"type": "text", "text": "{{ refund.text }}, sorry"},
        "other": {"type": "text", "text": "hello", "when": "kind.text != 'refund'"},
        "out": {"type": "first", "of": ["sorry.text", "other.text"]},
    }
    flow = graph(nodes, "out.value")

    assert await answer(flow, {"question": "refund"}, Parts()) == "money back, sorry"
    assert await answer(flow, {"question": "hi"}, Parts()) == "hello"


async def test_a_step_that_is_off_is_skipped():
    nodes = {
        "polish": {"type": "text", "text": "polished", "enabled": False},
        "plain": {"type": "text", "text": "plain"},
        "out": {"type": "first", "of": ["polish.text", "plain.text"]},
    }

    assert await answer(graph(nodes, "out.value"), {"question": ""}, Parts()) == "plain"


async def test_an_answer_whose_step_was_skipped_is_none():
    nodes = {"never": {"type": "text", "text": "x", "when": "false"}}

    assert await answer(graph(nodes, "never.text"), {"question": ""}, Parts()) is None


async def test_of_branches_that_were_all_skipped_none_is_first():
    nodes = {
        "a": {"type": "text", "text": "a", "when": "false"},
        "b": {"type": "text", "text": "b", "when": "false"},
        "out": {"type": "first", "of": ["a.text", "b.text"]},
    }

    with pytest.raises(StepError, match=r"none of a\.text, b\.text is there"):
        await answer(graph(nodes, "out.value"), {"question": ""}, Parts())


async def test_a_step_waits_for_another_whose_value_it_does_not_read():
    ended = []

    async def note(x):
        await asyncio.sleep(0.01 if x == "first" else 0)
        ended.append(x)

    nodes = {
        "late": call("note", x="b.text", after=["early"]),
        "early": call("note", x="a.text"),
        "a": {"type": "text", "text": "first"},
        "b": {"type": "text", "text": "second"},
    }

    await answer(graph(nodes, "late.result"), {"question": ""}, parts(note=note))

    assert ended == ["first", "second"]


async def test_items_of_a_list_are_answered_in_order_and_few_at_once():
    running, most = 0, 0

    async def double(x):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002 * (5 - x))
        running -= 1
        return 2 * x

    each = graph(
        {"double": call("double", x="input.item", returns="integer")},
        "double.result",
        item="integer",
    )
    nodes = {"all": {"type": "map", "over": "input.numbers", "at_once": 2, "each": each}}
    flow = graph(nodes, "all.values", numbers="list[integer]")

    assert await answer(flow, {"numbers": [0, 1, 2, 3, 4]}, parts(double=double)) == [0, 2, 4, 6, 8]
    assert most == 2


async def test_a_failed_item_ends_the_request_or_is_left_out_as_declared():
    def odd(x):
        if x % 2 == 0:
            raise StepError("even", f"{x} is even")
        return x

    each = graph({"odd": call("odd", x="input.item")}, "odd.result", item="any")
    strict = {"all": {"type": "map", "over": "input.numbers", "each": each}}
    lenient = {"all": strict["all"] | {"failed_items": "skip"}}
    given, having = {"numbers": [1, 2, 3]}, parts(odd=odd)

    assert await answer(graph(lenient, "all.values", numbers="any"), given, having) == [1, 3]
    with pytest.raises(StepError, match="2 is even"):
        await answer(graph(strict, "all.values", numbers="any"), given, having)


async def test_a_map_over_no_list_fails_with_what_it_got():
    each = graph({"same": {"type": "text", "text": "x"}}, "same.text", item="any")
    flow = graph({"all": {"type": "map", "over": "input.x", "each": each}}, "all.values", x="any")

    with pytest.raises(StepError, match=r"`input\.x` is int, no list"):
        await answer(flow, {"x": 3}, Parts())


def counting(most, until):
    body = graph(
        {"more": call("inc", x="input.x", returns="integer")},
        "more.result",
        x="integer",
        turn="integer",
    )
    loop = {
        "type": "loop",
        "most": most,
        "until": until,
        "given": {"x": "input.x"},
        "carry": {"x": "more.result"},
        "body": body,
    }
    nodes = {"loop": loop, "out": {"type": "text", "text": "{{ loop.value }}/{{ loop.turns }}"}}
    return graph(nodes, "out.text", x="integer")


async def test_a_loop_ends_when_its_condition_holds():
    flow = counting(10, "more.result >= 5")

    assert await answer(flow, {"x": 2}, parts(inc=lambda x: x + 1)) == "5/3"


async def test_a_loop_ends_at_its_bound_at_the_latest():
    flow = counting(4, "false")

    assert await answer(flow, {"x": 0}, parts(inc=lambda x: x + 1)) == "4/4"


async def test_what_a_turn_skipped_stays_as_it_was_in_the_next():
    body = graph(
        {
            "more": call("inc", x="input.x", returns="integer", when="input.turn != 2"),
            "out": {"type": "first", "of": ["more.result", "input.x"]},
        },
        "out.value",
        x="integer",
        turn="integer",
    )
    loop = {
        "type": "loop",
        "most": 3,
        "until": "false",
        "given": {"x": "input.x"},
        "carry": {"x": "more.result"},
        "body": body,
    }
    flow = graph({"loop": loop}, "loop.value", x="integer")

    assert await answer(flow, {"x": 0}, parts(inc=lambda x: x + 1)) == 2


async def test_a_sub_graph_is_one_step():
    body = graph({"hi": {"type": "text", "text": "hi {{ input.name }}"}}, "hi.text", name="text")
    spans = []
    nodes = {"greet": {"type": "graph", "given": {"name": "input.question"}, "body": body}}

    found = await answer(graph(nodes, "greet.value"), {"question": "Ann"}, Parts(), spans=spans)

    assert found == "hi Ann"
    assert [(span["node"], span["kind"]) for span in spans] == [
        ("greet", "graph"),
        ("greet.hi", "text"),
    ]


async def test_the_first_failure_ends_the_request_and_cancels_the_rest():
    cancelled = asyncio.Event()

    async def slow():
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def bad():
        await asyncio.sleep(0)
        raise StepError("bad_day", "no luck")

    nodes = {"slow": call("slow"), "bad": call("bad")}

    with pytest.raises(StepError, match="no luck"):
        await answer(graph(nodes, "slow.result"), {"question": ""}, parts(slow=slow, bad=bad))
    assert cancelled.is_set()


async def test_a_failure_is_skipped_or_replaced_as_declared():
    def bad():
        raise StepError("bad_day", "no luck")

    nodes = {
        "skipped": call("bad", on_error="skip"),
        "tail": {"type": "text", "text": "{{ skipped.result }}"},
        "gone": {
            "type": "text",
            "text": "{{ input.nothing.at.all }}",
            "on_error": "fallback",
            "instead": "a word",
        },
        "out": {"type": "first", "of": ["tail.text", "gone.text"]},
    }
    flow = graph(nodes, "out.value", nothing="object")

    assert await answer(flow, {"nothing": {}}, parts(bad=bad)) == "a word"


async def test_a_step_has_its_own_time():
    async def slow():
        await asyncio.sleep(5)

    nodes = {
        "slow": call("slow", timeout_s=0.01, on_error="skip"),
        "ok": {"type": "text", "text": "went on"},
    }

    assert await answer(graph(nodes, "ok.text"), {"question": ""}, parts(slow=slow)) == "went on"
    strict = {"slow": call("slow", timeout_s=0.01)}
    with pytest.raises(DeadlineError, match=r"step `slow` took longer than 0\.010 s"):
        await answer(graph(strict, "slow.result"), {"question": ""}, parts(slow=slow))


async def test_no_step_outlives_the_request_however_lenient_it_is():
    async def slow():
        await asyncio.sleep(5)

    nodes = {"slow": call("slow", timeout_s=5, on_error="skip")}

    with pytest.raises(DeadlineError):
        await answer(graph(nodes, "slow.result"), {"question": ""}, parts(slow=slow), seconds=0.02)


async def test_a_function_is_tried_again_after_what_may_pass():
    tries = []

    def flaky():
        tries.append(1)
        if len(tries) < 2:
            raise ConnectionError("reset")
        return "ok"

    nodes = {"flaky": call("flaky", retries=1)}

    assert await answer(graph(nodes, "flaky.result"), {"question": ""}, parts(flaky=flaky)) == "ok"
    assert len(tries) == 2


async def test_a_function_is_not_tried_again_after_what_will_not_pass():
    tries = []

    def wrong():
        tries.append(1)
        raise ZeroDivisionError("division by zero")

    nodes = {"wrong": call("wrong", retries=3)}

    with pytest.raises(StepError, match="test:wrong: ZeroDivisionError: division by zero") as seen:
        await answer(graph(nodes, "wrong.result"), {"question": ""}, parts(wrong=wrong))
    assert (seen.value.code, len(tries)) == ("call_failed", 1)


async def test_a_function_that_returns_another_kind_has_failed():
    nodes = {"one": call("one", returns="integer")}

    with pytest.raises(StepError, match="test:one returned str, not integer"):
        await answer(graph(nodes, "one.result"), {"question": ""}, parts(one=lambda: "1"))


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (call("gone"), "`call: test:gone` can't be found"),
        ({"type": "call", "call": "math:pi"}, "`call: math:pi` is no function but float"),
        (call("one", y="input.question"), "missing a required argument: 'x'"),
        ({"type": "model", "say": "x"}, "this graph needs a language model"),
        ({"type": "retrieve", "query": "input.question"}, "this graph needs a corpus"),
    ],
)
def test_a_graph_that_lacks_a_part_is_refused_before_it_serves(step, why):
    with pytest.raises(ConfigError, match=why):
        compiled(graph({"x": step}, "input.question"), parts(one=lambda x: x))


def test_an_impossible_graph_is_refused_when_it_is_compiled():
    with pytest.raises(ConfigError, match="there is no step `b`"):
        compiled(graph({"a": {"type": "text", "text": "{{ b.text }}"}}, "a.text"), Parts())


async def test_a_condition_that_cannot_be_told_is_a_failure():
    nodes = {"x": {"type": "text", "text": "x", "when": "input.question + 1 > 2"}}

    with pytest.raises(StepError, match="can't be told") as seen:
        await answer(graph(nodes, "x.text"), {"question": "text"}, Parts())
    assert seen.value.code == "condition_failed"


async def test_a_value_deep_inside_another_is_found_or_named_as_missing():
    deep = graph({"x": call("same", x="input.order.lines.1.sku")}, "x.result", order="object")
    having = parts(same=lambda x: x)

    assert await answer(deep, {"order": {"lines": [{"sku": "a"}, {"sku": "b"}]}}, having) == "b"
    with pytest.raises(StepError, match=r"there is no `input.order.lines.1.sku`"):
        await answer(deep, {"order": {"lines": []}}, having)


async def test_many_runs_of_one_plan_do_not_see_each_other():
    async def slow(x):
        await asyncio.sleep(0.001 * (x % 3))
        return x

    plan = compiled(
        graph({"x": call("slow", x="input.x")}, "x.result", x="integer"), parts(slow=slow)
    )

    async def one(x):
        execution = await plan.run({"x": x}, Place(a_run(str(x))))
        return plan.answer(execution.values)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(x)) for x in range(50)]
    assert [task.result() for task in tasks] == list(range(50))


async def test_the_items_of_a_list_are_one_step_in_the_trace():
    each = graph({"same": call("same", x="input.item")}, "same.result", item="any")
    flow = graph({"all": {"type": "map", "over": "input.x", "each": each}}, "all.values", x="any")
    spans = []

    await answer(flow, {"x": [1, 2]}, parts(same=lambda x: x), spans=spans)

    assert sorted(span["node"] for span in spans) == ["all", "all.same", "all.same"]
