import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_apps.embedded.passages import sentences
from serve_apps.embedded.protocol import ChatRequest
from serve_apps.embedded.reader import UNKNOWN, read
from tests.serve_apps.embedded.requests import CALCULATOR, PASSAGES, QUESTION, chat

EVERY = [sentence.text for passage in PASSAGES for sentence in sentences(passage)]


@given(
    st.text(max_size=60),
    st.lists(st.text(max_size=120), max_size=4),
    st.floats(0.0, 2.0),
    st.floats(0.01, 1.0),
    st.integers(0, 9),
)
def test_any_request_is_answered_and_the_same_seed_says_the_same(
    question, passages, temperature, top_p, seed
):
    request = chat(question, passages=passages, temperature=temperature, top_p=top_p)

    answer = read(request, seed)

    assert answer.text
    assert answer == read(request, seed)


@given(st.floats(0.0, 2.0), st.integers(0, 99))
def test_an_answer_is_made_of_the_contexts_sentences(temperature, seed):
    answer = read(chat(temperature=temperature), seed)

    rest = answer.text
    for sentence in EVERY:
        rest = rest.replace(sentence, "")
    assert not rest.strip()


def test_the_sentence_that_shares_the_questions_words_is_said():
    answer = read(chat())

    assert "yields a function object" in answer.text
    assert answer.finish_reason == "stop"


def test_temperature_changes_the_choice_and_zero_does_not():
    cold = {read(chat(temperature=0.0), seed).text for seed in range(20)}
    hot = {read(chat(temperature=2.0), seed).text for seed in range(20)}

    assert len(cold) == 1
    assert len(hot) > 5


def test_a_small_nucleus_undoes_the_temperature():
    answers = {read(chat(temperature=2.0, top_p=0.01), seed).text for seed in range(20)}

    assert answers == {read(chat(temperature=0.0)).text}


def test_the_requests_own_seed_goes_before_the_servers():
    request = chat(temperature=2.0, seed=7)

    assert len({read(request, seed).text for seed in range(20)}) == 1


@pytest.mark.parametrize(
    ("system", "count"),
    [
        ("Answer the question.", 2),
        ("Answer in one short sentence.", 1),
        ("Be concise.", 1),
        ("Answer in three sentences.", 3),
        ("Answer in 5 sentences.", 5),
        ("Explain step by step.", 4),
        ("Give a detailed answer.", 4),
    ],
)
def test_the_system_message_says_how_long_an_answer_is(system, count):
    answer = read(chat(system=system))

    assert sum(sentence in answer.text for sentence in EVERY) == count


def test_asked_to_stay_with_the_context_it_admits_more_often_that_it_does_not_know():
    question = "Which lambda compiler does the Haskell committee recommend for statements?"
    strict = "Answer only from the context. If it isn't there, say that you don't know."

    assert read(chat(question)).text != UNKNOWN
    assert read(chat(question, system=strict)).text == UNKNOWN


@pytest.mark.parametrize(
    ("question", "passages"),
    [("Will it rain in Lisbon tomorrow?", PASSAGES), (QUESTION, ()), ("?", PASSAGES)],
)
def test_where_the_context_says_nothing_it_does_not_know(question, passages):
    assert read(chat(question, passages=passages)).text == UNKNOWN


@given(st.integers(1, 60))
def test_an_answer_is_cut_by_tokens_and_says_so(limit):
    whole = read(chat(system="Explain in detail."))

    cut = read(chat(system="Explain in detail.", max_tokens=limit))

    assert whole.text.startswith(cut.text)
    assert cut.completion_tokens == min(limit, whole.completion_tokens)
    assert (cut.finish_reason == "length") == (limit < whole.completion_tokens)


def test_more_context_takes_more_prompt_tokens():
    assert (
        read(chat(passages=PASSAGES)).prompt_tokens
        > read(chat(passages=PASSAGES[:1])).prompt_tokens
    )


def test_a_repeated_sentence_is_said_once():
    answer = read(chat(passages=[PASSAGES[0], PASSAGES[0]]))

    assert answer.text.count("yields a function object") == 1


def test_with_a_calculator_it_asks_for_the_calculation():
    answer = read(chat("What is 15 percent of 2480?", tools=[CALCULATOR]))

    assert answer.finish_reason == "tool_calls"
    assert answer.text is None
    assert answer.tool == "calculator"
    assert json.loads(answer.arguments) == {"expression": "2480 * 15 / 100"}


def test_the_tools_result_becomes_the_answer():
    after = [{"role": "assistant", "content": None}, {"role": "tool", "content": "372"}]

    answer = read(chat("What is 15 percent of 2480?", tools=[CALCULATOR], after=after))

    assert answer.text == "The result is 372."


@pytest.mark.parametrize("more", [{}, {"tools": [CALCULATOR], "tool_choice": "none"}])
def test_without_a_calculator_it_does_not_compute(more):
    answer = read(chat("What is 15 percent of 2480?", **more))

    assert answer.tool is None
    assert "372" not in answer.text


def test_after_a_tools_error_it_answers_in_words():
    after = [{"role": "assistant", "content": None}, {"role": "tool", "content": "error: no"}]

    answer = read(chat("What is 2 + 2?", tools=[CALCULATOR], after=after))

    assert answer.text == UNKNOWN


def test_an_ordinary_question_needs_no_calculator():
    assert read(chat(tools=[CALCULATOR])) == read(chat())


def test_without_a_label_the_last_paragraph_asks():
    text = "\n\n".join([*PASSAGES, QUESTION])
    parts = [{"type": "text", "text": text}]
    messages = [{"role": "user", "content": parts}]

    answer = read(ChatRequest(model="m", messages=messages, temperature=0.0))

    assert "yields a function object" in answer.text
