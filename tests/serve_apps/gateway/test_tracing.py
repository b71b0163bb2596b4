"""A caller's trace goes on through the gateway and the slot to the model's endpoint."""

import httpx2
import pytest

from serve_apps.telemetry.context import span_id_of
from tests.engine.workflow.model.server import serving, whole
from tests.serve_apps.gateway.ground import ground

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEARD = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "congo=t61"}


@pytest.mark.parametrize("placement", ["slot", "inline"])
async def test_a_callers_trace_reaches_the_model_with_the_request_as_its_parent(
    tmp_path, placement
):
    async with serving(whole("hi")) as model:
        llm = {"base_url": model.base_url, "name": "scripted"}
        async with (
            ground(tmp_path, placement=placement, llm=llm) as place,
            httpx2.AsyncClient(base_url=place.url) as http,
        ):
            answers = [
                await http.post("/v1/workflows/echo/run", json={"input": "a"}, headers=headers)
                for headers in (HEARD, {})
            ]

    span = span_id_of(answers[0].headers["x-trimtab-trace-id"])
    assert f"traceparent: 00-{TRACE}-{span}-01\r\n" in model.heads[0]
    assert "tracestate: congo=t61\r\n" in model.heads[0]
    assert "traceparent" not in model.heads[1]
