"""Small books of facts, told row by row or drawn at random."""

import polars as pl
from hypothesis import strategies as st

from engine.evidence.measure import Facts, Pair, Shares, measure
from engine.evidence.records import empty

SCHEMAS = {kind: empty(kind).drop("batch").schema for kind in ("exposure", "trace", "feedback")}
MATURE_S = 10.0
NOW = 100.0
PAIR = Pair(
    candidate="cand",
    baseline="base",
    candidate_windows=("w0", "w1"),
    baseline_windows=("",),
    shares={3: Shares(100, 900), 4: Shares(100, 700), 6: Shares(500, 500)},
)


def exposure(number, variant="cand", *, at=50.0, **changes):
    usual = {
        "trace_id": f"t{number}",
        "at": at,
        "workflow": "docs",
        "unit_id": f"u{number}",
        "conversation_id": f"u{number}",
        "epoch": "1.0",
        "version": 3,
        "bucket": 0,
        "variant": variant,
        "served": variant,
        "window": "w1" if variant == "cand" else "",
        "lapsed": "",
        "forced": False,
        "writer": "g",
    }
    return usual | changes


def trace(number, *, duration_s=0.5, status="ok", **changes):
    return {"trace_id": f"t{number}", "duration_s": duration_s, "status": status} | changes


def rating(number, score, *, at=51.0, metric="quality", key=None):
    key = key or f"k{number}-{at}-{score}"
    return {"key": key, "at": at, "trace_id": f"t{number}", "metric": metric, "score": score}


def facts_of(exposures, traces=(), feedback=()):
    return Facts(
        pl.DataFrame(list(exposures), schema=SCHEMAS["exposure"]),
        pl.DataFrame(list(traces), schema=SCHEMAS["trace"]),
        pl.DataFrame(list(feedback), schema=SCHEMAS["feedback"]),
    )


def measured(exposures, traces=(), feedback=(), pair=PAIR, now=NOW):
    return measure(facts_of(exposures, traces, feedback), pair, now=now, maturation_s=MATURE_S)


def plain(sample):
    """A sample as plain numbers, so that two can be compared."""
    cells = zip(
        sample.quality, sample.no_error, sample.errors, sample.latency, sample.exposed, strict=True
    )
    return [
        {
            "pi": quality.pi,
            "scores": [quality.candidate.tolist(), quality.baseline.tolist()],
            "unrated": [quality.candidate_unrated, quality.baseline_unrated],
            "fine": [int(fine.candidate[-1]), int(fine.baseline[-1])],
            "failed": [int(fine.candidate[0]), int(fine.baseline[0])],
            "errors": errors,
            "latency": [vars(side) for side in (latency.candidate, latency.baseline)],
            "exposed": exposed,
        }
        for quality, fine, errors, latency, exposed in cells
    ]


quarters = st.integers(0, 4 * 100).map(lambda quarter: quarter / 4)
scores = st.sampled_from([0.0, 0.005, 0.25, 0.333, 0.5, 0.515, 0.75, 1.0])


@st.composite
def exposures(draw, number):
    window, variant = draw(
        st.sampled_from(
            [
                *[("w1", "cand"), ("w0", "cand"), ("", "base"), ("", "base")],
                *[("w1", "base"), ("w2", "other"), ("w2", "cand"), ("", "former")],
            ]
        )
    )
    return exposure(
        number,
        variant,
        at=draw(quarters),
        window=window,
        unit_id=f"u{draw(st.integers(0, 5))}",
        epoch=draw(st.sampled_from(["1.0", "1.0", "3.0"])),
        version=draw(st.sampled_from([3, 3, 4, 5, 6])),
        lapsed=draw(st.sampled_from(["", "", "", ",w1,", ",w2,", ",w0,w2,", ",w11,"])),
        forced=draw(st.sampled_from([False, False, False, True])),
        served=draw(st.sampled_from([variant, "base"])),
    )


@st.composite
def books(draw):
    """Exposures, traces and feedback, with lost, late, foreign and repeated ones among them."""
    told = [draw(exposures(number)) for number in range(draw(st.integers(0, 14)))]
    traces, feedback = [], []
    for number, row in enumerate(told):
        if draw(st.integers(0, 4)):
            duration_s = draw(st.sampled_from([0.0, 0.25, 0.5, 2.0, 9.75, 10.0, 10.25]))
            status = draw(st.sampled_from(["ok", "ok", "ok", "error", "timeout"]))
            traces.append(trace(number, duration_s=duration_s, status=status))
        for _ in range(draw(st.integers(0, 2))):
            at = row["at"] + draw(st.sampled_from([0.5, 5.0, 9.75, 10.0, 10.25, 20.0]))
            metric = draw(st.sampled_from(["quality", "quality", "tone"]))
            feedback.append(rating(number, draw(scores), at=at, metric=metric))
    traces.append(trace(99, status="error"))
    feedback.append(rating(99, 1.0))
    return told, traces, feedback
