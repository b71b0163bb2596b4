"""A chaos run in which everything held, for tests that spoil one thing of it."""

import polars as pl

from cluster.chaos.evidence import (
    DiskUse,
    Evidence,
    Landed,
    Measured,
    Reading,
    Splits,
    Tables,
    Watched,
)
from cluster.chaos.journal import Journal, Ping, Rating, Try
from engine.evidence.records import SCHEMAS, empty

BASELINE, CANDIDATE = "base", "cand"
WINDOW, VERSION, EPOCH = "window-1", 3, "3.0"
REQUESTS = 400
EVERY = 0.1
"""Seconds from one request to the next."""
FAILS = 40
"""Every so many requests one fails."""
TAKES_S = 0.02


def variant_of(number):
    return CANDIDATE if number % 4 == 0 else BASELINE


def failed(number):
    return number % FAILS == 7


def request(number):
    began_at = number * EVERY
    return Try(
        began_at=began_at,
        ended_at=began_at + TAKES_S,
        status=502 if failed(number) else 200,
        code="upstream" if failed(number) else "",
        trace_id=f"t{number}",
        variant=variant_of(number),
    )


def ping(number):
    first = request(number)
    if not failed(number):
        return Ping(id=str(number), tries=(first,))
    again = request(number).model_copy(
        update={"status": 200, "code": "", "trace_id": f"t{number}-again"}
    )
    return Ping(id=str(number), tries=(first, again))


def exposure(one):
    own = one.variant == CANDIDATE
    return {
        "trace_id": one.trace_id,
        "at": one.began_at,
        "workflow": "chaos",
        "unit_id": f"u{one.trace_id.partition('-')[0]}",
        "conversation_id": f"u{one.trace_id.partition('-')[0]}",
        "epoch": EPOCH,
        "version": VERSION,
        "bucket": 1,
        "variant": one.variant,
        "served": one.variant,
        "window": WINDOW if own else "",
        "lapsed": "",
        "forced": False,
        "segment": "",
        "writer": "w",
        "batch": 1,
    }


def trace(one):
    row = dict.fromkeys(SCHEMAS["trace"].names)
    return row | {
        "trace_id": one.trace_id,
        "at": one.began_at,
        "variant": one.variant,
        "status": "ok" if one.is_ok else "error",
        "duration_s": TAKES_S,
        "batch": 1,
    }


def rating(number, **more):
    said = {"key": f"k{number}", "trace_id": f"t{number}", "score": 1.0, "at": 1.0}
    return Rating(**(said | {"status": 200, "said": "stored"} | more))


def frame(kind, rows):
    return pl.DataFrame(rows, schema=empty(kind).schema, orient="row")


def sound():
    """Two variants, a few failures, three faults that landed, one of them in one variant."""
    pings = tuple(ping(number) for number in range(REQUESTS))
    tries = [one for each in pings for one in each.tries]
    stored = [rating(number) for number in range(20)]
    ratings = (
        *stored,
        rating(1, again=True, said="duplicate"),
        rating(2, other=True, score=0.0, status=409, said="conflict"),
    )
    feedback = [
        {"key": one.key, "at": 1.0, "trace_id": one.trace_id, "metric": "quality", "score": 1.0}
        | {"batch": 1}
        for one in stored
    ]
    return Evidence(
        journal=Journal(pings=pings, ratings=ratings),
        tables=Tables(
            frame("exposure", [exposure(one) for one in tries]),
            frame("trace", [trace(one) for one in tries]),
            frame("feedback", feedback),
        ),
        splits=Splits(
            variants={1: frozenset({BASELINE}), VERSION: frozenset({BASELINE, CANDIDATE})},
            baselines={1: BASELINE, VERSION: BASELINE},
            decided_at={1: -9.0, 2: -8.0, VERSION: -7.0},
            windows={WINDOW: frozenset({VERSION})},
        ),
        measured=[Measured(WINDOW, REQUESTS, REQUESTS // FAILS, -1.0)],
        readings=[
            Reading(at=float(at), position=at, rows={"trace": 10 * at, "exposure": 10 * at})
            for at in range(10)
        ],
        watched=[watched(at) for at in range(60)],
        disk=[DiskUse(at=1.0, mib=40.0)],
        landed=[
            landed("kills.slot", 5.0, 6.0),
            landed("upstream.one_variant", 12.0, 20.0, aimed_at=CANDIDATE),
            landed("pressure.full_disk", 30.0, 31.0, fills_disk=True),
        ],
    )


def landed(action, began_at, ended_at, **more):
    said = {"fault": 1, "evidence": "it did", "over_at": ended_at}
    return Landed(action=action, began_at=began_at, ended_at=ended_at, **(said | more))


def watched(at, role="gateway", rss_mib=250.0, fds=60):
    return Watched(at=float(at), role=role, pid=7, rss_mib=rss_mib, fds=fds)
