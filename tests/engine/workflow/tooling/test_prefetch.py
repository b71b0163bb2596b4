import asyncio

import pytest

from engine.config import tools as config
from engine.workflow.tooling.parts import Parts
from engine.workflow.tooling.substitutes import arithmetic, utc_clock
from engine.workflow.tooling.tool import tool
from tests.engine.workflow.tooling.belts import Diary, a_belt, a_run, call, texts


def search_of(diary, effect="read"):
    @tool(effect=effect, cost_usd=0.1)
    async def search(query: str) -> str:
        """Searches."""
        await diary.spend(query)
        return f"found {query}"

    return search


LIKELY = {"look_up": (config.Likely(tool="search", arguments={"query": "{question}"}),)}


async def test_a_likely_read_is_started_early_and_made_once():
    diary, spans = Diary(), []
    run = a_run(spans)
    belt = a_belt(search_of(diary), prefetch=LIKELY)

    async with belt.prefetching("look_up", "tea", run):
        await asyncio.sleep(0)
        begun = list(diary.notes)
        answers = await texts(belt, call("search", query="tea"), run=run)

    assert (begun, answers) == (["tea begins"], ["found tea"])
    assert diary.notes == ["tea begins", "tea ends"]
    assert [span.get("prefetched", False) for span in spans] == [False, True]
    assert spans[0]["early"]
    assert run.cost_usd == 0.1


async def test_another_call_is_made_as_usual_and_the_early_one_ends_with_the_block():
    diary = Diary()
    run = a_run()
    belt = a_belt(search_of(diary), prefetch=LIKELY)

    async with belt.prefetching("look_up", "tea", run):
        answers = await texts(belt, call("search", query="milk", id="a"), run=run)

    assert answers == ["found milk"]
    assert "tea ends" in diary.notes
    assert len(asyncio.all_tasks()) == 1


async def test_an_early_read_that_nobody_waits_for_is_cut_short():
    begun, ended = asyncio.Event(), asyncio.Event()

    @tool(effect="read")
    async def search(query: str) -> str:
        """Searches."""
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return query

    async with asyncio.timeout(2):
        async with a_belt(search, prefetch=LIKELY).prefetching("look_up", "tea", a_run()):
            await begun.wait()

    assert ended.is_set()


async def test_an_early_read_that_failed_is_made_again_when_asked_for():
    tries = []

    @tool(effect="read")
    async def search(query: str) -> str:
        """Searches."""
        tries.append(query)
        if len(tries) == 1:
            raise KeyError(query)
        return "found"

    run = a_run()
    belt = a_belt(search, prefetch=LIKELY)

    async with belt.prefetching("look_up", "tea", run):
        await asyncio.sleep(0.01)
        answers = await texts(belt, call("search", query="tea"), run=run)

    assert answers == ["found"]


async def test_an_effect_and_what_is_not_granted_are_never_started_early():
    diary = Diary()

    for belt in (
        a_belt(search_of(diary, "write"), prefetch=LIKELY),
        a_belt(search_of(diary), prefetch=LIKELY, scopes=()),
        a_belt(
            search_of(diary),
            prefetch=LIKELY,
            settings={"search": config.Tool(needs_approval=True)},
        ),
    ):
        async with belt.prefetching("look_up", "tea", a_run()):
            await asyncio.sleep(0.01)

    assert diary.notes == []


async def test_a_request_that_has_to_save_starts_nothing_early():
    diary = Diary()
    run = a_run(steps=1)
    run.step()

    async with a_belt(search_of(diary), prefetch=LIKELY).prefetching("look_up", "tea", run):
        await asyncio.sleep(0.01)

    assert diary.notes == []


async def test_an_error_inside_the_block_comes_out_as_it_is():
    belt = a_belt(search_of(Diary()), prefetch=LIKELY)

    with pytest.raises(KeyError, match="mine"):
        async with belt.prefetching("look_up", "tea", a_run()):
            raise KeyError("mine")


def remote(name, effect="read"):
    asked = []

    @tool(effect=effect, name=name, cost_usd=0.1)
    async def function(zone: str = "", expression: str = "") -> str:
        """Asks far away."""
        asked.append(zone or expression)
        return "from afar"

    return function, asked


async def test_a_clock_without_a_zone_is_answered_locally_and_marked():
    clock, asked = remote("clock")
    spans = []
    run = a_run(spans)
    belt = a_belt(clock, parts=Parts(substitutes=(utc_clock("clock"),)))

    local, afar = await texts(
        belt, call("clock"), call("clock", "b", zone="Europe/Berlin"), run=run
    )

    assert local.endswith("+00:00")
    assert (afar, asked) == ("from afar", ["Europe/Berlin"])
    assert [span.get("substitute", False) for span in spans] == [True, False]
    assert run.cost_usd == 0.1


async def test_plain_arithmetic_is_computed_locally_and_the_rest_is_not():
    solver, asked = remote("solver")
    belt = a_belt(solver, parts=Parts(substitutes=(arithmetic("solver"),)))

    answers = await texts(
        belt,
        call("solver", expression="2 * 21"),
        call("solver", "b", expression="x^2 = 4"),
        call("solver", "c"),
    )

    assert answers == ["42", "from afar", "from afar"]
    assert asked == ["x^2 = 4", ""]


async def test_an_effect_is_never_substituted():
    order, _ = remote("order", "write")
    belt = a_belt(order, parts=Parts(substitutes=(utc_clock("order"),)))

    assert await texts(belt, call("order")) == ["from afar"]
