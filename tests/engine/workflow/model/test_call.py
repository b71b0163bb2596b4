import asyncio

import pytest

from engine.workflow.failure import LlmError
from tests.engine.workflow.model.server import (
    ENDED,
    HANG,
    STREAM,
    event,
    piece,
    streamed,
    whole,
)

ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
THOUGHT = event({"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]})
ONCE = {"attempts": 1}


@pytest.mark.parametrize("answer", [[HANG], [STREAM, HANG], [STREAM, ROLE, HANG]])
async def test_an_answer_that_does_not_begin_is_given_up_before_its_time(place, answer):
    async with place(answer, retry=ONCE, first_token_timeout_s=0.05) as here:
        with pytest.raises(LlmError, match=r"had not begun after 0\.05 s") as caught:
            await here.listen()
        await asyncio.wait_for(here.server.hung_up.wait(), 1.0)

    assert (caught.value.code, caught.value.action) == ("upstream_stalled", "retry")


async def test_an_answer_that_does_not_begin_is_asked_for_again(place):
    async with place([STREAM, HANG], streamed("b"), first_token_timeout_s=0.3) as here:
        reply = await here.listen()

    assert reply.text == "b"


@pytest.mark.parametrize("begun", [piece("a"), THOUGHT], ids=["text", "thought"])
async def test_an_answer_that_has_begun_may_go_on_for_longer(place, begun):
    slow = [STREAM, begun, 0.4, piece("b"), *ENDED]
    async with place(slow, retry=ONCE, first_token_timeout_s=0.3) as here:
        reply = await here.listen()

    assert reply.text.endswith("b")


async def test_a_role_alone_does_not_use_up_the_patience_for_pauses(place):
    slow = [STREAM, ROLE, 0.2, piece("b"), *ENDED]
    async with place(slow, retry=ONCE, idle_timeout_s=0.1) as here:
        reply = await here.listen()

    assert reply.text == "b"


async def test_an_answer_in_one_piece_has_no_first_token(place):
    [answer] = whole("b")
    async with place([0.2, answer], retry=ONCE, first_token_timeout_s=0.05) as here:
        reply = await here.ask()

    assert reply.text == "b"


async def test_a_slow_loris_is_cut_off_though_bytes_keep_coming(place):
    drip = [STREAM, piece("a"), *[step for _ in range(50) for step in (b"3\r\n: x\r\n", 0.02)]]
    async with place(drip, retry=ONCE, idle_timeout_s=0.1) as here:
        with pytest.raises(LlmError) as caught:
            await here.listen()

    assert caught.value.code == "upstream_stalled"


async def test_the_longest_answer_goes_by_the_name_that_the_model_takes(place):
    llm = {"max_tokens": 9, "max_tokens_field": "max_completion_tokens"}
    async with place(whole(), llm=llm) as here:
        await here.ask()

    [request] = here.server.requests
    assert request["max_completion_tokens"] == 9
    assert "max_tokens" not in request


async def test_an_answer_may_end_for_a_reason_that_nobody_knows(place):
    async with place(whole(choices=[choice("tired")])) as here:
        reply = await here.ask()

    assert (reply.text, reply.finish_reason) == ("b", "tired")


def choice(finish):
    message = {"role": "assistant", "content": "b"}
    return {"index": 0, "message": message, "finish_reason": finish}
