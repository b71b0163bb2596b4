import time

import pytest

from engine.config.model import Resilience
from engine.config.workflow import Llm
from engine.errors import DeadlineError
from engine.testing.faults.launch import fault_model
from engine.testing.faults.named import FAULTS
from engine.testing.faults.script import Script
from engine.workflow.failure import LlmError
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.prices import PriceList
from engine.workflow.model.transport import upstream
from engine.workflow.run import Run
from engine.workflow.spans import Timeline

HELLO = [{"role": "user", "content": "hello"}]
ONCE = Resilience.model_validate(
    {"retry": {"attempts": 1}, "first_token_timeout_s": 0.5, "idle_timeout_s": 0.5}
)

REFUSED = {
    "throttled": "upstream_throttled",
    "throttled_until_date": "upstream_throttled",
    "throttled_for_ms": "upstream_throttled",
    "throttled_for_nonsense": "upstream_throttled",
    "internal_error": "upstream_5xx",
    "bad_gateway": "upstream_5xx",
    "unavailable": "upstream_5xx",
    "overloaded": "upstream_5xx",
    "denied": "upstream_denied",
    "context_too_long": "context_too_long",
    "reset_before_headers": "upstream_unreachable",
    "no_http": "upstream_unreachable",
    "huge_header": "upstream_unreachable",
    "long_body": "upstream_unreachable",
    "filtered": "upstream_filtered",
    "error_in_stream": "upstream_5xx",
    "bad_json": "upstream_malformed",
}
"""The code of each fault, whether the answer was to come in one piece or in many."""
WHOLE = REFUSED | {
    "reset_after_headers": "upstream_unreachable",
    "reset_mid_body": "upstream_unreachable",
    "closed_mid_body": "upstream_unreachable",
    "half_a_chunk": "upstream_unreachable",
    "short_body": "upstream_unreachable",
    "stalled": "timeout",
    "stalled_mid_body": "timeout",
    "drip": "timeout",
    "choices_an_object": "upstream_malformed",
    "choices_missing": "upstream_malformed",
    "choices_empty": "upstream_malformed",
    "message_null": "upstream_malformed",
    "error_with_200": "upstream_malformed",
}
STREAMED = REFUSED | {
    "reset_after_headers": "upstream_cut",
    "reset_mid_body": "upstream_cut",
    "closed_mid_body": "upstream_cut",
    "half_a_chunk": "upstream_cut",
    "stalled": "upstream_stalled",
    "stalled_mid_body": "upstream_stalled",
    "drip": "upstream_stalled",
    "choices_an_object": "upstream_cut",
    "choices_missing": "upstream_cut",
    "choices_empty": "upstream_cut",
    "error_with_200": "upstream_5xx",
}


async def came_to(client, *, stream):
    """The code of what a question failed with; None where it was answered."""
    run = Run("r-1", time.monotonic() + 5.0, Timeline([]))
    try:
        await client.ask(HELLO, run, node="n", on_text=[].append if stream else None)
    except LlmError as failure:
        return failure.code
    except DeadlineError:
        return "timeout"
    return None


@pytest.mark.parametrize(("stream", "codes"), [(False, WHOLE), (True, STREAMED)])
async def test_every_fault_is_an_answer_or_a_failure_with_its_code(stream, codes):
    found = {}
    async with fault_model() as server, upstream(server.base_url, "none") as endpoint:
        for fault in FAULTS:
            await server.control(Script(rates={fault: 1.0}))
            client = Client(
                endpoint, Llm(timeout_s=1.0), ONCE, Kept(Breakers(ONCE.breaker), PriceList())
            )
            found[fault] = await came_to(client, stream=stream)

    if stream:
        # The last event or the end of the line, whichever is noticed first.
        assert found.pop("short_body") in {None, "upstream_cut"}
    assert found == {fault: codes.get(fault) for fault in found}
