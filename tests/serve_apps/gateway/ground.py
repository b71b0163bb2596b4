"""A gateway and a slot without a cluster: real sockets, real books, the real openai client."""

import asyncio
import contextlib
import socket
import time

import numpy as np
import uvicorn

from engine.books.compactor import Compactor
from engine.books.secret import workspace_secret
from engine.books.store import Store
from engine.config.tasks import TaskSettings
from engine.config.workflow import Workflow
from engine.errors import NotFoundError
from engine.experiment.entries import Installed
from engine.experiment.variant import variant_of
from engine.testing.faults.launch import fault_model
from search.books import Decisions
from serve_apps.answering import Answering
from serve_apps.channel.lines import Lines
from serve_apps.channel.listener import Listener
from serve_apps.gateway.desk import Desk
from serve_apps.gateway.dispatch import Dispatcher
from serve_apps.gateway.feedback import FeedbackDesk
from serve_apps.gateway.front import Front
from serve_apps.gateway.guard import Guard
from serve_apps.gateway.seen import Seen
from serve_apps.gateway.services import Services
from serve_apps.gateway.tasking import Tasking
from serve_apps.gateway.traffic import Traffic
from serve_apps.names import INLINE
from serve_apps.recorder import Recorder
from serve_apps.snapshot import Snapshot, WorkflowSnapshot
from tests.serve_apps.telemetry.registry import Registry

GRAPH = {
    "input": {"question": "text"},
    "nodes": {
        "think": {"type": "text", "text": "{{ input.question }}"},
        "answer": {"type": "model", "say": "{{ think.text }}"},
    },
    "output": "answer.text",
}


async def no_vectors(texts):
    raise AssertionError("this workflow embeds nothing")


class Lengths:
    """Embedding models: one knows nothing of a text but how long it is."""

    async def embed(self, model, texts):
        if model != "lengths":
            raise NotFoundError(f"there is no model {model!r}; known: lengths")
        rows = [[len(text), len(text.split()), 0.0, 1.0] for text in texts]
        return np.asarray(rows, np.float32), sum(len(text.split()) for text in texts)

    async def names(self):
        return ["lengths"]


class Ground:
    """Where the gateway is, and the parts that a test may look into."""

    def __init__(self, root, url, model, desk, front, recorder, listener):
        self.front = front
        self.root = root
        self.url = url
        self.model = model
        self.desk = desk
        self.recorder = recorder
        self.listener = listener


@contextlib.asynccontextmanager
async def ground(root, *, placement="slot", script=None, **settings):
    async with fault_model(script) as model, contextlib.AsyncExitStack() as stack:
        workflow = Workflow.model_validate(
            {
                "workflow": "echo",
                "llm": {"base_url": model.base_url, "name": "scripted"},
                "prompts": {"plain": ""},
                "graph": GRAPH,
                "record_text": True,
                **settings,
            }
        )
        split = installed(root, workflow)
        secret = workspace_secret(root)
        answering = Answering(root, no_vectors, {}, "none", kept=4)
        stack.push_async_callback(answering.close)
        listener = Listener(secret, answering.answer)
        address = await listener.open("127.0.0.1")
        stack.push_async_callback(listener.close, 5.0)
        lines = Lines(secret)
        stack.callback(lines.close)
        guard = Guard(secret)
        traffic = Traffic(secret, guard.out)
        routes = {split.baseline: INLINE if placement == "inline" else "slot-0"}
        traffic.begin(snapshot_of(workflow, split, routes, address))
        lines.follow(traffic.snapshot.addresses)
        await until(lambda: lines.choose("slot-0") is not None)
        recorder = Recorder(root)
        stack.callback(recorder.close)
        guard.follow(traffic.snapshot)
        registry = Registry()
        seen = Seen(root, workflow.observability, registry.instrument)
        stack.callback(seen.close)
        dispatcher = Dispatcher(lines, lambda: answering)
        desk = Desk(secret, traffic, guard, recorder, dispatcher, seen)
        tasking = Tasking(root, secret, desk, traffic, seen, TaskSettings())
        stack.push_async_callback(tasking.close)
        feedback = FeedbackDesk(recorder, secret, seen.fed_back)
        services = Services(traffic, dispatcher, feedback, Lengths())
        front = Front(desk, [*services.routes, *tasking.routes])
        url = await stack.enter_async_context(listening(front))
        yield Ground(root, url, model, desk, front, recorder, listener)
        await desk.close()


def installed(root, workflow):
    variant = variant_of(workflow)
    config = workflow.model_dump(mode="json")
    decision = Installed(workflow=workflow.workflow, baseline=variant, workflow_config=config)
    with contextlib.closing(Decisions(root)) as decisions:
        decisions.append(lambda _: decision, actor="test", clock=time.time)
        return decisions.state().workflow(workflow.workflow).split


def snapshot_of(workflow, split, routes, address):
    served = WorkflowSnapshot(
        splits={split.version: split},
        version=split.version,
        routes=routes,
        leases={},
        conversation_ttl_s=workflow.conversation_ttl_s,
        timeout_s=workflow.timeout_s,
        idempotent=workflow.idempotent,
        record_text=workflow.record_text,
        protection=workflow.protection,
    )
    return Snapshot(
        revision=1, workflows={workflow.workflow: served}, addresses={"slot-0": (address,)}
    )


@contextlib.asynccontextmanager
async def listening(app):
    # Listening before the server starts: whoever comes early waits in the queue.
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def until(condition, within_s=5.0):
    """Wait for what another task, or another process, brings about."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - nothing of it can set an event here
            await asyncio.sleep(0.01)


def stored(root, kind):
    """Everything of a kind that is durable."""
    compactor = Compactor(root)
    compactor.step(time.time())
    compactor.close()
    return Store(root).read(kind)
