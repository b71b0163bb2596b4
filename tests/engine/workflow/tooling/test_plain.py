from datetime import datetime, timedelta

from engine.workflow.tooling.builtin.plain import calculator, clock, corpus_search
from tests.engine.workflow.tooling.belts import a_belt, call, texts


async def test_the_calculator_computes_or_says_why_not():
    said = await texts(
        a_belt(calculator),
        call("calculator", expression="(3 + 4) * 2.5"),
        call("calculator", "b", expression="__import__('os')"),
    )

    assert said[0] == "17.5"
    assert said[1].startswith("error: ")
    assert "is not allowed" in said[1]


async def test_the_clock_tells_the_time_of_a_zone():
    said = await texts(
        a_belt(clock),
        call("clock"),
        call("clock", "b", zone="Asia/Kolkata"),
        call("clock", "c", zone="../../etc/passwd"),
        call("clock", "d", zone="Mars/Base"),
    )

    assert datetime.fromisoformat(said[0]).utcoffset() == timedelta(0)
    assert datetime.fromisoformat(said[1]).utcoffset() == timedelta(hours=5.5)
    assert said[2].startswith("error: '../../etc/passwd' is no time zone")
    assert said[3].startswith("error: 'Mars/Base' is no time zone")


async def test_the_corpus_is_searched_with_what_it_is_given():
    async def find(query, count):
        return [] if query == "nothing" else [f"{query} {n}" for n in range(count)]

    said = await texts(
        a_belt(corpus_search(find)),
        call("corpus_search", query="tea", count=2),
        call("corpus_search", "b", query="nothing"),
        call("corpus_search", "c", query="tea", count=99),
    )

    assert said[:2] == ["[1] tea 0\n\n[2] tea 1", "nothing found"]
    assert said[2].startswith("error: count: got 99")
