"""Makes one variant of a workflow ready to answer, from what a process has at hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from openai import AsyncOpenAI

from engine.config.workflow import Workflow
from engine.workflow.answer import Answer, Asked, Flow
from engine.workflow.embedding import Embed
from engine.workflow.graph import QaGraph
from engine.workflow.index import load_index
from engine.workflow.plan.place import Parts
from engine.workflow.plan.runs import Runs
from engine.workflow.served import GraphFlow


@dataclass
class Shared:
    """What the flows of one process share: nothing that one variant could tell another by."""

    root: Path
    """The workspace."""
    embed: Embed
    endpoints: Mapping[str, str]
    """Where the names lead that a workflow may give in place of a base URL."""
    api_key: str

    @cached_property
    def journal(self) -> Runs:
        """What durable requests have done so far."""
        return Runs(f"sqlite:///{self.root / 'requests.db'}")


async def flow_of(workflow: Workflow, shared: Shared) -> Flow:
    """One variant, ready to answer.

    Raises:
        ConfigError: The workflow needs something that is not there.
    """
    client = AsyncOpenAI(
        base_url=shared.endpoints.get(workflow.llm.base_url, workflow.llm.base_url),
        api_key=shared.api_key,
        max_retries=0,
        timeout=workflow.llm.timeout_s,
    )
    if workflow.graph is not None:
        journal = shared.journal if workflow.durable else None
        return GraphFlow(workflow, Parts(prompts=workflow.prompts), journal)
    index = await load_index(shared.root / "cache", workflow.rag.chunk_chars, shared.embed)
    return _Qa(QaGraph(workflow, index, shared.embed, client))


class _Qa:
    def __init__(self, graph: QaGraph) -> None:
        self._graph = graph

    async def answer(self, asked: Asked) -> Answer:
        return await self._graph.answer(asked.messages, deadline=asked.deadline, spans=asked.spans)
