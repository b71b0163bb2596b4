import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.context import Compression
from engine.workflow.context.clean import facts
from engine.workflow.context.compress import GAP, extracted, shorter
from engine.workflow.failure import LlmError
from tests.engine.workflow.context.asked import Says, a_run

TEXT = (
    "Apples grow on trees in the garden. Iron rusts in water over the years. Clouds pass by and "
    "birds sing in the morning. Copper turns green after a while. The garden is full of flowers."
)

SENTENCES = st.lists(
    st.sampled_from(
        [
            "Apples grow on trees. ",
            "Iron rusts in salt water. ",
            "It holds 20 litres. ",
            "Never open it. ",
            "You can't go back there. ",
            "The pump runs at night, far from the house and the garden. ",
        ]
    ),
    max_size=20,
).map("".join)
RATIOS = st.floats(0.1, 1.0)


def test_the_sentence_that_shares_the_questions_words_stays():
    result = extracted(TEXT, "Does iron rust?", 0.3)

    assert "Iron rusts in water" in result.text
    assert "Apples" not in result.text
    assert GAP.strip() in result.text
    assert result.ratio == len(result.text) / len(TEXT) < 0.4


@given(SENTENCES, RATIOS)
def test_no_number_and_no_negation_is_lost(text, ratio):
    assert facts(extracted(text, "iron water", ratio).text) == facts(text)


@given(SENTENCES, RATIOS)
def test_an_extract_is_never_longer_and_keeps_the_order(text, ratio):
    result = extracted(text, "iron water", ratio)

    assert len(result.text) <= len(text)
    rest = text
    for piece in result.text.split(GAP.strip()):
        assert piece.strip() in rest
        rest = rest[rest.index(piece.strip()) + len(piece.strip()) :]


async def test_the_cheap_models_shorter_text_is_taken():
    asker = Says("Iron rusts; copper turns green.")
    run, spans = a_run()

    (result,) = await shorter([TEXT], "metals?", Compression(method="model"), asker, run)

    assert (result.text, result.by) == ("Iron rusts; copper turns green.", "model")
    assert asker.heard[0][:2] == ("compress_model", "cheap")
    assert spans[0]["facts_lost"] == 0


@pytest.mark.parametrize(
    "answer",
    [LlmError("upstream_5xx", "down"), "", TEXT + TEXT, "Iron rusts within 7 years."],
    ids=["failing", "empty", "longer", "made-up"],
)
async def test_an_unusable_shortening_gives_way_to_an_extract(answer):
    run, spans = a_run()

    (result,) = await shorter([TEXT], "iron?", Compression(method="model"), Says(answer), run)

    assert result == extracted(TEXT, "iron?", 0.5)
    assert spans[0]["fallback"] == "extractive"


async def test_nothing_is_changed_unless_it_is_asked_for():
    run, _ = a_run()

    results = await shorter([TEXT, TEXT], "iron?", Compression(), Says(""), run)

    assert [result.text for result in results] == [TEXT, TEXT]


async def test_passages_that_say_the_same_are_dropped_on_request():
    run, _ = a_run()

    results = await shorter([TEXT, TEXT], "", Compression(deduplicate=True), Says(""), run)

    assert [result.text for result in results] == [TEXT]
