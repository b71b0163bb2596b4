"""A slot grows under its load and shrinks after it, and nobody's request fails of it."""

import asyncio
import contextlib

import aiohttp
import pytest
import ray
from ray import serve

from cluster.bench.upstream import delay_answers, upstream
from cluster.demo.files import FOLDER
from cluster.head import free_ports
from cluster.session import connect, control, install
from engine.config.experiment import load_workflow
from serve_apps.deploy import wait_until_seated

pytestmark = [pytest.mark.serve, pytest.mark.long]

ONE_STEP = FOLDER.parent / "bench" / "one-step.yaml"
TARGET = 4
MODEL_S = 0.3
CALM_S = 3.0


class Users:
    """Ask one after the other until they are sent home."""

    def __init__(self, url, name):
        self.body = {"model": name, "messages": [{"role": "user", "content": "Is it so?"}]}
        self.url = f"{url}/v1/chat/completions"
        self.statuses = []

    @contextlib.asynccontextmanager
    async def asking(self, count):
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self._asks(over))
            yield
            over.set()

    async def _asks(self, over):
        async with aiohttp.ClientSession() as http:
            while not over.is_set():
                async with http.post(self.url, json=self.body) as answer:
                    await answer.read()
                    self.statuses.append(answer.status)


@pytest.fixture
def busy(served):
    """A workflow of one slow model, of which each replica is meant for few requests."""
    port = free_ports(1)[0]
    workflow = load_workflow(ONE_STEP)
    llm = workflow.llm.model_copy(update={"base_url": f"http://127.0.0.1:{port}/v1"})
    deploy = workflow.deploy.model_copy(
        update={
            "slot_replicas": 1,
            "most_replicas": 2,
            "target_in_flight": TARGET,
            "calm_s": CALM_S,
        }
    )
    workflow = workflow.model_copy(update={"workflow": "busy", "llm": llm, "deploy": deploy})
    connect(served.root)
    with upstream(port):
        delay_answers(f"http://127.0.0.1:{port}/v1", MODEL_S)
        wait_until_seated(control(), "busy", install(served.root, workflow))
        yield Users(served.url, "busy")


def slot_of(name):
    seats = ray.get(control().status.remote())["seats"]
    return next(slot for slot, seat in seats.items() if seat["workflow"] == name)


async def replicas(slot, count, within_s=40.0):
    """Wait until Serve runs as many replicas, and no other."""

    def found():
        return serve.status().applications[slot].deployments["Slot"].replica_states

    async with asyncio.timeout(within_s):
        while await asyncio.to_thread(found) != {"RUNNING": count}:  # noqa: ASYNC110 - Serve tells only who asks
            await asyncio.sleep(0.2)


async def test_a_slot_grows_under_load_and_shrinks_after_it_and_no_request_fails(busy):
    slot = slot_of("busy")
    await replicas(slot, 1)

    async with busy.asking(2 * TARGET):
        await replicas(slot, 2)
        grown = len(busy.statuses)
        await asyncio.sleep(2 * MODEL_S)
    async with busy.asking(1):
        await replicas(slot, 1)

    assert 0 < grown < len(busy.statuses)
    assert set(busy.statuses) == {200}
