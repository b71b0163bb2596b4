"""A graph of steps on a real cluster: named inputs, a person's decision, a death on the way."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import pytest
import ray

from cluster.head import default_profile, free_ports, load
from cluster.session import bring_up, take_down
from engine.config.source import load as load_file
from engine.config.workflow import Workflow
from engine.testing import shop
from engine.testing.faults.launch import fault_model
from engine.testing.faults.script import Script

pytestmark = pytest.mark.serve

EXAMPLES = Path("configs/examples")


class Shop:
    """The example of order processing, served."""

    def __init__(self, root):
        self.root = root
        self.orders = root / "shop.db"
        self.url = load(root).url

    def effects(self):
        return [what for what, about in shop.effects(self.orders) if "B" in about]

    def pids(self, title):
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                named = " ".join(process.cmdline()).startswith(title)
                if named and process.environ().get("TRIMTAB_SHOP") == str(self.orders):
                    found.append(process.pid)
        return found

    def post(self, path, body):
        return httpx2.post(f"{self.url}{path}", json=body, timeout=60.0)

    def order(self, number, amount=80.0, country="NO"):
        given = {"order": number, "amount": amount, "country": country}
        return self.post("/v1/workflows/order-processing/run", {"input": given})

    def command(self, *words):
        command = [sys.executable, "-m", "cluster.main", *words, "-w", str(self.root), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("shop")
    shop.make(root / "shop.db")
    script = load_file(EXAMPLES / "model-script.yaml", Script)
    loop = asyncio.new_event_loop()
    model = fault_model(script)
    server = loop.run_until_complete(model.__aenter__())
    before = dict(os.environ)
    os.environ |= {"OPENAI_BASE_URL": server.base_url, "TRIMTAB_SHOP": str(root / "shop.db")}
    if ray.is_initialized():
        ray.shutdown()
    try:
        bring_up(
            root,
            load_file(EXAMPLES / "order-processing.yaml", Workflow),
            profile=default_profile(),
            port=free_ports(1)[0],
            dashboard=False,
        )
        yield Shop(root)
    finally:
        if ray.is_initialized():
            ray.shutdown()
        take_down(root)
        os.environ.clear()
        os.environ.update(before)
        loop.run_until_complete(model.__aexit__(None, None, None))
        loop.close()
        shutil.rmtree(root, ignore_errors=True)


def test_an_order_goes_through_every_step_once(served):
    said = served.order("B1")

    assert said.status_code == 200, said.text
    assert said.json()["output"] == "Your order is confirmed."
    assert served.effects()[-3:] == ["reserve", "pay", "notify"]


def test_inputs_that_are_not_the_graphs_are_refused(served):
    said = served.post(
        "/v1/workflows/order-processing/run", {"input": {"order": "B2", "amount": "much"}}
    )

    assert said.status_code == 400
    message = said.json()["error"]["message"]
    assert "`country` is missing; give text" in message
    assert "`amount`: got the text 'much'; give number" in message


def test_a_risky_order_waits_until_a_person_has_decided(served):
    waiting = served.order("B3", 900.0, "XX")
    [question] = served.command("questions")["questions"]
    ended = served.command(
        "decide", question["id"], "approve", "--reason", "a known customer", "--yes"
    )

    assert (waiting.status_code, waiting.json()["status"]) == (202, "waiting")
    assert question["ask"] == "Order B3 over 900.0 has a risk of 100. Pay?"
    assert ended == {"status": "done", "output": "Your order is confirmed.", "degraded": []}
    assert served.command("questions")["questions"] == []


def test_what_a_person_rejects_is_taken_back(served):
    waiting = served.order("B4", 900.0, "YY").json()
    path = f"/v1/workflows/order-processing/questions/{waiting['questions'][0]['id']}"

    said = served.post(path, {"decision": "reject", "reason": "looks like fraud"})

    assert said.status_code == 502
    assert said.json()["error"]["code"] == "rejected"
    assert served.effects()[-2:] == ["reserve", "release"]


def test_a_decision_nobody_waits_for_is_not_found(served):
    path = "/v1/workflows/order-processing/questions/none:ask"

    said = served.post(path, {"decision": "approve", "reason": "why not"})

    assert (said.status_code, said.json()["error"]["code"]) == (404, "not_found")


def test_a_live_edit_drops_nothing_and_running_requests_end_on_their_version(served):
    text = (EXAMPLES / "order-processing.yaml").read_text()
    edited = served.root / "edited.yaml"
    edited.write_text(
        text.replace("  output: notice.text", "  output: thanks.text").replace(
            "    notify:\n",
            '    thanks: {type: text, text: "{{ notice.text }} Thank you!"}\n    notify:\n',
        )
    )
    waiting = served.order("B5", 900.0, "XX").json()
    stop = threading.Event()
    answers = []

    def keep_ordering():
        number = 0
        while not stop.is_set():
            number += 1
            answers.append(served.order(f"B6-{number}x"))

    asking = threading.Thread(target=keep_ordering)
    asking.start()
    installed = served.command("install", str(edited))
    stop.set()
    asking.join()
    after = served.order("B7")
    id_ = waiting["questions"][0]["id"]
    ended = served.command("decide", id_, "approve", "--reason", "known", "--yes")

    assert installed["in_force"] is True
    assert {answer.status_code for answer in answers} == {200}
    assert after.json()["output"] == "Your order is confirmed. Thank you!"
    assert ended["output"] == "Your order is confirmed."


def test_a_request_survives_the_death_of_its_replica_without_paying_twice(served):
    orders = [f"B9-{number}x" for number in range(30)]
    pids = served.pids("ray::ServeReplica:slot")

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(served.order, number) for number in orders]
        for pid in pids[:1]:
            os.kill(pid, signal.SIGKILL)
        said = [one.result() for one in asked]

    paid = [about for what, about in shop.effects(served.orders) if what == "pay"]
    assert len(paid) == len(set(paid))
    done = [number for number, one in zip(orders, said, strict=True) if one.status_code == 200]
    assert set(done) <= set(paid)
    assert len(done) >= len(orders) - 8
