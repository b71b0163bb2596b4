"""Pays beforehand what the first answer of a process, or of a variant, would pay.

What the processes of a slot share takes 150 to 300 ms of their first variant's time, most of it in
reading prices and trusted certificates. A variant by itself takes a few ms of its first answer's.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable

from openai import AsyncOpenAI

from engine.config.retrieval import Rewriting
from engine.config.workflow import Workflow
from engine.workflow.building import Shared, asker_of, client_of, reads, retriever_of
from engine.workflow.context.tokens import Tokens
from engine.workflow.memo import QueryMemo
from engine.workflow.run import Run
from engine.workflow.spans import Timeline

WITHIN_S = 5.0
"""What takes longer is left to the first answer."""
TEXT = "What is this about?"

log = logging.getLogger(__name__)


async def primed(shared: Shared, endpoints: Iterable[str]) -> None:
    """Have ready what all variants of this process will use; `endpoints` as workflows name them.

    What fails is left to the first variant, which will say it better.
    """
    urls = list(endpoints)

    def read() -> None:
        _ = shared.prices
        Tokens("").count(TEXT)
        for url in urls:
            shared.client_at(url)

    await _tried("this process", [asyncio.to_thread(read), _encoded(shared)])


async def warmed(workflow: Workflow, shared: Shared) -> None:
    """Do once, unseen, what a variant does for every question, except asking the model.

    The index is searched, the vectors of questions that others were asked of late are fetched,
    and a connection to a remote endpoint is opened. Nothing is paid, no tool is called, and no
    memory of the variant learns of it. What fails is left to the first question, which will say
    it better.
    """
    doing: list[Coroutine[None, None, None]] = [_connected(client_of(workflow, shared))]
    if reads(workflow):
        doing += [_found(workflow, shared), _caught_up(shared)]
    await _tried(workflow.workflow, doing)


async def _encoded(shared: Shared) -> None:
    await shared.embed([TEXT])


async def _caught_up(shared: Shared) -> None:
    if shared.recent is not None:
        shared.memo.learn(*await shared.recent())


async def _found(workflow: Workflow, shared: Shared) -> None:
    # Rewriting would ask the model. The memo is another one, for the variants' own would have
    # the vector at hand.
    rag = workflow.rag.model_copy(update={"rewrite": Rewriting()})
    plain = workflow.model_copy(update={"rag": rag})
    asker = asker_of(plain, shared, "")
    retriever = await retriever_of(plain, shared, asker, QueryMemo(shared.embed))
    run = Run("warming", time.monotonic() + WITHIN_S, Timeline([]))
    await retriever.found([{"role": "user", "content": TEXT}], run)


async def _connected(client: AsyncOpenAI) -> None:
    # A list of models costs nothing, and brings the connection with it. On this machine there is
    # nothing to gain.
    if client.base_url.scheme == "https":
        await client.models.with_raw_response.list(timeout=WITHIN_S)


async def _tried(what: str, doing: Iterable[Coroutine[None, None, None]]) -> None:
    tasks = [asyncio.create_task(each) for each in doing]
    try:
        done, late = await asyncio.wait(tasks, timeout=WITHIN_S)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        if (error := task.exception()) is not None:
            log.info("%s is not wholly warm: %r", what, error)
    if late:
        log.info("%s is not wholly warm after %g s", what, WITHIN_S)
