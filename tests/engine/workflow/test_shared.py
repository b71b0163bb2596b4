"""What the variants of one process share is opened once, however many come and go."""

from engine.config.workflow import Workflow
from engine.workflow.building import Shared, client_of


async def unused(texts):
    raise AssertionError("nothing is embedded here")


async def test_variants_of_one_endpoint_share_its_connections(tmp_path):
    shared = Shared(tmp_path, unused, {"env": "http://127.0.0.1:9/v1"}, "none")
    one = Workflow.model_validate({"workflow": "w", "llm": {"base_url": "env"}})
    other = one.model_copy(update={"llm": one.llm.model_copy(update={"temperature": 0.0})})
    away = one.llm.model_copy(update={"base_url": "http://127.0.0.1:10/v1"})

    first, again = client_of(one, shared), client_of(other, shared)
    elsewhere = client_of(one.model_copy(update={"llm": away}), shared)

    assert first is again
    assert elsewhere is not first
    await first.close()
    await elsewhere.close()
