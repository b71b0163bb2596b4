"""Clients that send what nobody should, or more than anybody can answer."""

import json
import time

from cluster.chaos.children import pinger
from cluster.chaos.http import post, raw, say
from cluster.chaos.pinger import Habits
from cluster.chaos.scenario import NAME
from cluster.chaos.stage import Done, Stage

BURST_RATE = 150.0
BURST_S = 3.0
DEEP = 100_000
BIG_BYTES = 32 * 1024 * 1024


def hostile(stage: Stage) -> Done:
    """Bodies that are too large, too deep, no JSON or shorter than they say."""
    url = f"{stage.serving.url}/v1/chat/completions"
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
    statuses = {
        "no_json": post(url, b"\xff{").status,
        "deep": post(url, b"[" * DEEP + b"]" * DEEP).status,
        "big": raw(stage.serving.port, head + f"content-length: {BIG_BYTES}\r\n\r\n".encode()),
        "no_length": raw(stage.serving.port, head + b"content-length: none\r\n\r\n"),
        "huge_header": raw(stage.serving.port, head + b"x: " + b"y" * 200_000 + b"\r\n\r\n"),
        "no_http": raw(stage.serving.port, b"\x16\x03\x01\x02\x00\r\n\r\n"),
    }
    wrong = {name: status for name, status in statuses.items() if status >= 500 or status == 200}
    well = say(stage.serving.url).status == 200
    told = ", ".join(f"{name} {status or 'closed'}" for name, status in statuses.items())
    flaw = f"answered as if it were our fault, or right: {wrong}" if wrong else ""
    return Done(told, wrong=flaw if well else f"{flaw} it does not answer any more".strip())


def wrong_feedback(stage: Stage) -> Done:
    """Feedback on an id that was never given out, and scores that are none."""
    url = f"{stage.serving.url}/v1/feedback"
    bodies = {
        "unknown": {"trace_id": "made-up", "score": 1.0},
        "no_number": {"trace_id": "made-up", "score": "much"},
        "unknown_key": {"trace_id": "made-up", "score": 1.0, "stars": 5},
    }
    statuses = {name: post(url, json.dumps(body).encode()).status for name, body in bodies.items()}
    statuses["not_a_number"] = post(url, b'{"trace_id": "made-up", "score": NaN}').status
    refused = all(400 <= status < 500 for status in statuses.values())
    told = ", ".join(f"{name} {status}" for name, status in statuses.items())
    return Done(told, wrong="" if refused else "all should be refused with 4xx")


def burst(stage: Stage) -> Done:
    """Many times the usual load for a moment."""
    journal = stage.root / f"burst-{len(stage.journals)}.jsonl"
    stage.journals.append(journal)
    habits = Habits(
        url=stage.serving.url,
        workflow=NAME,
        journal=str(journal),
        rate=BURST_RATE,
        rated=0.0,
        seed=stage.dice.randrange(1, 2**31),
    )
    child = pinger(habits, stage.root / "burst.log")
    time.sleep(BURST_S + 1.0)
    child.end()
    sent = len(journal.read_text().splitlines()) if journal.exists() else 0
    return Done(f"{sent} requests came within {BURST_S:g} s" if sent else "")
