import pytest

from engine.config.context import Context
from engine.errors import DeadlineError
from engine.workflow.context.summary import HEAD, Summaries
from engine.workflow.context.tokens import Tokens
from engine.workflow.failure import LlmError
from tests.engine.workflow.context.asked import Says, a_run

TOKENS = Tokens("gpt-4o")
SETTINGS = Context(limit_tokens=1_500, reserve_tokens=500, strategy="summarise", summary_tokens=100)


def conversation(turns, words=100):
    said = [("user", "assistant")[n % 2] for n in range(2 * turns - 1)]
    talk = [{"role": role, "content": f"{n} " + "word " * words} for n, role in enumerate(said)]
    return [{"role": "system", "content": "Be brief."}, *talk]


async def test_old_turns_are_summed_up_by_the_cheap_model():
    asker = Says("They spoke of words.")
    run, spans = a_run()

    result = await Summaries(asker, SETTINGS, TOKENS).fitted(conversation(10), run)

    assert [(node, tier) for node, tier, _ in asker.heard] == [("summarise", "cheap")]
    assert result.messages[1]["content"] == HEAD + "They spoke of words."
    assert result.messages[-1] == conversation(10)[-1]
    assert result.tokens <= SETTINGS.room_tokens
    assert spans[0]["summed_up"] > 0


async def test_a_short_conversation_asks_nothing():
    asker = Says("unused")
    run, _ = a_run()

    result = await Summaries(asker, SETTINGS, TOKENS).fitted(conversation(2), run)

    assert asker.heard == []
    assert list(result.messages) == conversation(2)


async def test_a_summary_is_remembered_while_the_newer_turns_fit_beside_it():
    asker = Says("They spoke of words.")
    run, _ = a_run()
    summaries = Summaries(asker, SETTINGS, TOKENS)
    await summaries.fitted(conversation(10), run)

    again = await summaries.fitted(conversation(11), run)

    assert len(asker.heard) == 1
    assert again.messages[1]["content"] == HEAD + "They spoke of words."


async def test_a_later_summary_builds_on_the_earlier_one():
    asker = Says("The first summary.", "The second summary.")
    run, _ = a_run()
    summaries = Summaries(asker, SETTINGS, TOKENS)
    await summaries.fitted(conversation(10), run)

    await summaries.fitted(conversation(20), run)

    told = asker.heard[1][2][1]["content"]
    assert told.startswith("The first summary.")
    assert "user: 0 word" not in told


async def test_another_conversations_summary_is_never_used():
    asker = Says("The first summary.", "The second summary.")
    run, _ = a_run()
    summaries = Summaries(asker, SETTINGS, TOKENS)
    await summaries.fitted(conversation(10), run)

    other = await summaries.fitted(conversation(10, words=101), run)

    assert other.messages[1]["content"] == HEAD + "The second summary."


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (LlmError("upstream_5xx", "down"), "upstream_5xx"),
        (DeadlineError("late"), "timeout"),
        ("  ", "summary_empty"),
    ],
)
async def test_where_no_summary_comes_old_turns_are_dropped_and_the_span_says_so(answer, why):
    run, spans = a_run()

    result = await Summaries(Says(answer), SETTINGS, TOKENS).fitted(conversation(10), run)

    assert result.dropped > 0
    assert result.tokens <= SETTINGS.room_tokens
    assert (spans[0]["fallback"], spans[0]["why"]) == ("trim", why)


async def test_a_summary_that_is_too_long_is_cut():
    run, _ = a_run()

    result = await Summaries(Says("long " * 900), SETTINGS, TOKENS).fitted(conversation(10), run)

    assert TOKENS.count(result.messages[1]["content"]).tokens <= SETTINGS.summary_tokens + 10
    assert result.tokens <= SETTINGS.room_tokens
