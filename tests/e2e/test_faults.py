"""Kill -9 of each process in turn, while users ask: what was acknowledged is in the store."""

import contextlib
import os
import signal
import time

import psutil
import pytest
import ray

from cluster.chaos.family import family
from cluster.session import connect, control
from engine.books.store import Store
from search.books import Decisions

pytestmark = pytest.mark.serve

USERS = 16
RATE = 150.0
SATURATED = 2_000.0
"""More requests a second than are answered: every user has one in flight."""
FROZEN_S = 0.5
WHOLE_S = 10.0
FRONT_S = 1.5
"""In the front proxy's place another serves within this time."""
DYING_S = 0.25
"""For so long the kernel may still take a request for a process that is dying: whoever failed asks
again at once, and may meet it a second time."""


@pytest.fixture
def crowd(crowd_of):
    return crowd_of(users=USERS, rate=RATE, rated=0.9)


def killed(pid):
    """Freeze a process, so that requests are in flight on it, then kill -9 and see it gone."""
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    at = time.time()
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([process], timeout=10)
    assert not psutil.pid_exists(pid) or process.status() == psutil.STATUS_ZOMBIE
    return at


def in_flight(lines, at):
    """Requests that had begun at this moment and were not answered yet."""
    return [
        line for line in lines if line["what"] == "answer" and line["began_at"] < at < line["at"]
    ]


def lost(served, lines, timeout_s=15.0):
    """Acknowledged ids that the store does not hold, after it had time to settle."""
    answers = {line["id"] for line in lines if line["what"] == "answer" and line["id"]}
    ratings = {line["id"] for line in lines if line["what"] == "feedback"}
    give_up = time.monotonic() + timeout_s
    while True:
        store = Store(served.root)
        missing = answers - set(store.read("trace")["trace_id"].to_list())
        missing |= ratings - set(store.read("feedback")["key"].to_list())
        if not missing or time.monotonic() > give_up:
            return missing
        time.sleep(0.5)


def failures(lines):
    return [line for line in lines if line["what"] == "answer" and line["status"] != 200]


def assert_no_more_failed_than_it_was_answering(lines, at):
    failed = [line["began_at"] for line in failures(lines)]
    assert all(began_at < at + DYING_S for began_at in failed)
    assert sum(began_at < at for began_at in failed) <= USERS
    assert sum(began_at >= at for began_at in failed) <= USERS


def longest_silence_s(lines, since):
    """The longest time after `since` in which nobody got an answer."""
    times = sorted(
        line["at"]
        for line in lines
        if line["what"] == "answer" and line["status"] == 200 and line["at"] >= since
    )
    return max(b - a for a, b in zip([since, *times], times, strict=False))


def baseline_slot(served):
    connect(served.root)
    with contextlib.closing(Decisions(served.root)) as decisions:
        baseline = decisions.state().workflow(served.workflow.workflow).baseline
    status = ray.get(control().status.remote())
    (slot,) = (one for one, seat in status["seats"].items() if seat["variant"] == baseline)
    return served.pids(f"ray::ServeReplica:{slot}:Slot")[0]


def test_killing_a_slots_replica_fails_at_most_what_it_was_answering(served, crowd):
    crowd.wait_for(200)

    at = killed(baseline_slot(served))
    crowd.wait_for(900, timeout_s=60)
    lines = crowd.go_home()

    assert in_flight(lines, at)
    assert_no_more_failed_than_it_was_answering(lines, at)
    assert longest_silence_s(lines, at) < WHOLE_S
    assert lost(served, lines) == set()


def replaced(served, before, timeout_s=30.0):
    """The gateways that came in the place of others; a process takes seconds to start."""
    give_up = time.monotonic() + timeout_s
    while not (new := set(served.pids("ray::ServeReplica:gateway:Gateway")) - before):
        assert time.monotonic() < give_up
        time.sleep(0.2)
    return new


def test_killing_a_gateway_replica_fails_at_most_what_it_was_answering(served, crowd):
    crowd.wait_for(200)
    before = set(served.pids("ray::ServeReplica:gateway:Gateway"))

    at = killed(min(before))
    crowd.wait_for(900, timeout_s=60)
    lines = crowd.go_home()

    assert in_flight(lines, at)
    assert_no_more_failed_than_it_was_answering(lines, at)
    assert longest_silence_s(lines, at) < WHOLE_S
    assert lost(served, lines) == set()
    assert len(replaced(served, before)) == 1


def test_killing_the_control_actor_fails_nothing(served, crowd_of):
    connect(served.root)
    crowd = crowd_of(users=USERS, rate=SATURATED, rated=0.9)
    crowd.wait_for(200)
    pid = ray.get(control().status.remote())["pid"]

    at = killed(pid)
    crowd.wait_for(2_000, timeout_s=60)
    lines = crowd.go_home()

    assert in_flight(lines, at)
    assert failures(lines) == []
    assert longest_silence_s(lines, at) < WHOLE_S
    assert lost(served, lines) == set()
    assert ray.get(control().status.remote())["pid"] != pid


def test_killing_the_front_proxy_leaves_nobody_unserved_for_long(served, crowd):
    fronts = family(served.root).get("haproxy", [])
    front = [one.pid for one in fronts if "haproxy.cfg" in " ".join(one.cmdline())]
    if not front:
        pytest.skip("the plain profile has no HAProxy")
    crowd.wait_for(200)

    at = killed(max(front))
    crowd.wait_for(900, timeout_s=60)
    lines = crowd.go_home()

    assert in_flight(lines, at)
    assert longest_silence_s(lines, at) < FRONT_S
    assert lost(served, lines) == set()
