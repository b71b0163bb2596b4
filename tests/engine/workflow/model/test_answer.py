import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.failure import LlmError
from engine.workflow.model.answer import Answer
from engine.workflow.model.prices import Price
from engine.workflow.reply import Reply, ToolCall, Usage
from tests.engine.workflow.endpoint import completion

PRICE = Price(since="2020-01-01", input_usd=1.0, cached_usd=0.1, output_usd=2.0)

words = st.sampled_from(
    ["content", "message", "delta", "tool_calls", "function", "index", "finish_reason", "name"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(words, deeper, max_size=3),
    max_leaves=8,
)
bodies = st.fixed_dictionaries({}, optional=dict.fromkeys(("model", "usage"), anything)) | (
    st.fixed_dictionaries(
        {"choices": anything | st.lists(st.dictionaries(words, anything), max_size=2)},
        optional=dict.fromkeys(("model", "usage"), anything),
    )
)


def chunk(delta, finish=None, **more):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return body | {"choices": [choice]} | more


def read(body):
    answer = Answer("asked", PRICE)
    answer.take_whole(body)
    return answer.reply()


@given(st.lists(st.text(max_size=5)), st.lists(st.text(max_size=5)))
def test_an_answer_in_pieces_is_the_answer_in_one(texts, arguments):
    answer = Answer("asked", None)

    heard = [answer.take_piece(chunk({"content": text})) for text in texts]
    answer.take_piece(chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}))
    for piece in arguments:
        call = {"index": 0, "function": {"arguments": piece}}
        answer.take_piece(chunk({"tool_calls": [call]}))
    answer.take_piece(chunk({}, finish="tool_calls"))

    calls = (ToolCall("a", "f", "".join(arguments)),)
    assert heard == texts
    usage = Usage(None, None, None)
    assert answer.reply() == Reply("".join(texts), calls, usage, "m", "tool_calls")


@given(bodies)
def test_no_body_fails_otherwise_than_as_the_models_failure(body):
    try:
        reply = read(body)
    except LlmError as failure:
        assert failure.code in {"upstream_malformed", "upstream_filtered"}  # noqa: PT017
    else:
        assert isinstance(reply.text, str)


@given(st.lists(bodies, max_size=3))
def test_no_stream_fails_otherwise_than_as_the_models_failure(pieces):
    answer = Answer("asked", PRICE)

    for piece in pieces:
        assert isinstance(answer.take_piece(piece), str)

    if not answer.finish:
        with pytest.raises(LlmError, match="broke off"):
            answer.reply()


@pytest.mark.parametrize(
    ("usage", "read_as"),
    [
        (None, Usage(None, None, None)),
        ({"prompt_tokens": 10, "completion_tokens": 5}, Usage(10, 5, 20e-6)),
        ({"prompt_tokens": 10}, Usage(10, None, None)),
        ({"prompt_tokens": -1, "completion_tokens": True}, Usage(None, None, None)),
    ],
)
def test_what_the_endpoint_does_not_say_is_unknown(usage, read_as):
    assert read(completion("x", usage=usage)).usage == read_as


@pytest.mark.parametrize(("cached", "cost_usd"), [(0, 20e-6), (10, 11e-6), (999, 11e-6)])
def test_cached_tokens_cost_their_own_price(cached, cost_usd):
    details = {"cached_tokens": cached}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": details}

    assert read(completion("x", usage=usage)).usage.cost_usd == pytest.approx(cost_usd)


def test_a_model_without_a_price_costs_an_unknown_amount():
    answer = Answer("asked", None)
    answer.take_whole(completion("x"))

    assert answer.reply().usage == Usage(10, 5, None)
