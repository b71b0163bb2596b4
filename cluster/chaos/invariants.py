"""The promises that hold whatever fails, each checked against what a chaos run left behind.

Every check is a pure function of the evidence, so that a planted flaw shows that it can be red.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import polars as pl

from cluster.chaos.bounds import bounded
from cluster.chaos.evidence import Evidence, Landed, Verdict, verdict
from cluster.chaos.harm import no_harm_to_others

MISMATCH_LOG_E = 6.9
"""ln 1000: the alarm of the sample-ratio test."""
CLOCKS_S = 0.05
"""Two processes of one machine read its clock this far apart."""
AROUND_DISK_S = 1.0
"""A request that was under way when the disk filled may be answered this much later."""


def no_acked_loss(evidence: Evidence) -> Verdict:
    """Everything that a client was told is in the store exactly once.

    An answer may leave without its trace only while the disk is full; its exposure was committed
    before anything was paid for, disk or not.
    """
    tables, broken = evidence.tables, []
    exposures = Counter(tables.exposures["trace_id"].to_list())
    traces = Counter(tables.traces["trace_id"].to_list())
    scores = dict(tables.feedback.select("key", "score").iter_rows())
    full = [one for one in evidence.landed if one.fills_disk]
    answered = [one for one in evidence.journal.tries if one.is_ok]
    for one in answered:
        excused = any(_within(one.began_at, one.ended_at, fault) for fault in full)
        if not one.trace_id:
            broken.append(f"an answer at {one.ended_at:.3f} carries no trace id")
        elif exposures[one.trace_id] != 1:
            broken.append(f"{one.trace_id}: {exposures[one.trace_id]} exposures")
        elif traces[one.trace_id] != 1 and not (excused and not traces[one.trace_id]):
            broken.append(f"{one.trace_id}: {traces[one.trace_id]} traces")
    told = [rating for rating in evidence.journal.ratings if rating.status == 200]
    broken += [
        f"feedback {rating.key}: {scores.get(rating.key)} is stored, {rating.score} was told"
        for rating in told
        if scores.get(rating.key) != rating.score
    ]
    what = "every acknowledged id is in the store exactly once"
    return verdict("I1", what, len(answered) + len(told), broken)


def no_duplicates(evidence: Evidence) -> Verdict:
    """No id is stored twice, and a repeated key gets its documented answer."""
    tables = evidence.tables
    columns = {
        "exposure": tables.exposures["trace_id"],
        "trace": tables.traces["trace_id"],
        "feedback": tables.feedback["key"],
    }
    broken = [
        f"{kind} {id_} is stored {count} times"
        for kind, column in columns.items()
        for id_, count in Counter(column.to_list()).items()
        if count > 1
    ]
    repeated = [one for one in evidence.journal.ratings if one.again and one.status]
    other = [one for one in evidence.journal.ratings if one.other and one.status]
    broken += [
        f"feedback {one.key} was sent again and answered {one.status} {one.said}"
        for one in repeated
        if one.status < 500 and (one.status, one.said) != (200, "duplicate")
    ]
    broken += [
        f"feedback {one.key} with another score was answered {one.status} {one.said}"
        for one in other
        if one.status < 500 and one.status != 409
    ]
    checked = sum(column.len() for column in columns.values()) + len(repeated) + len(other)
    return verdict("I2", "no id is stored twice, a repeated key is told so", checked, broken)


def attributed(evidence: Evidence) -> Verdict:
    """Who was told to have answered is who the books say, and was decided to serve then."""
    tables, splits = evidence.tables, evidence.splits
    told = {one.trace_id: one for one in evidence.journal.tries if one.is_ok}
    traced = dict(tables.traces.select("trace_id", "variant").iter_rows())
    broken = [
        f"{id_}: the answer is for another request" for id_, x in told.items() if not x.echoed
    ]
    columns = ("trace_id", "variant", "served", "version", "forced")
    for id_, variant, served, version, forced in tables.exposures.select(columns).iter_rows():
        known = told.get(id_)
        if known is not None and known.variant != served:
            broken.append(f"{id_}: the client was told {known.variant}, the books say {served}")
        if traced.get(id_, variant) != variant:
            broken.append(f"{id_}: its trace says {traced[id_]}, its exposure {variant}")
        if not forced and variant not in splits.variants.get(version, frozenset()):
            broken.append(f"{id_}: {variant} is no variant of version {version}")
    under = ("workflow", "unit_id", "epoch", "version", "lapsed")
    moved = (
        tables.exposures.filter(~pl.col("forced"))
        .group_by(under)
        .agg(pl.col("variant").n_unique().alias("variants"))
        .filter(pl.col("variants") > 1)
    )
    broken += [f"unit {unit} met several variants" for unit in moved["unit_id"].to_list()]
    what = "who answered is who was assigned, told and stored"
    return verdict("I3", what, tables.exposures.height, broken)


def readable(evidence: Evidence) -> Verdict:
    """A reader at any time gets the store whole, and what it once saw stays."""
    broken = [f"at {one.at:.3f}: {one.error}" for one in evidence.readings if one.error]
    sound = [one for one in evidence.readings if not one.error]
    for before, after in itertools.pairwise(sound):
        if after.position < before.position:
            broken.append(f"at {after.at:.3f}: position {after.position} after {before.position}")
        broken += [
            f"at {after.at:.3f}: {after.rows.get(kind, 0)} rows of {kind} after {rows}"
            for kind, rows in before.rows.items()
            if after.rows.get(kind, 0) < rows
        ]
    broken += evidence.problems
    return verdict("I4", "any reader at any time finds the store whole", len(sound), broken)


def honest(evidence: Evidence) -> Verdict:
    """Every failure scores 0 for the variant that was assigned, and no unit drops out."""
    traces = evidence.tables.traces.select("trace_id", "status")
    exposures = evidence.tables.exposures.join(traces, on="trace_id", how="left")
    checked, broken = 0, []
    for window in evidence.measured:
        versions = evidence.splits.windows.get(window.window, frozenset())
        units = (
            exposures.filter(
                ~pl.col("forced"),
                pl.col("window").is_in(["", window.window]),
                pl.col("version").is_in(list(versions)),
                ~pl.col("lapsed").str.contains(f",{window.window},", literal=True),
            )
            .group_by("unit_id", "epoch")
            .agg((pl.col("status") != "ok").fill_null(value=True).any().alias("failed"))
        )
        failed = int(units["failed"].sum())
        checked += units.height
        if (window.units, window.failed) != (units.height, failed):
            broken.append(
                f"{window.window}: {window.failed} of {window.units} units are scored as failed, "
                f"but {failed} of {units.height} did"
            )
        if window.mismatch_log_e >= MISMATCH_LOG_E:
            broken.append(f"{window.window}: the planned shares were not served")
    return verdict("I6", "every failure scores 0 for the variant assigned", checked, broken)


def one_baseline(evidence: Evidence) -> Verdict:
    """Under one snapshot version the traffic of no window belongs to one baseline."""
    own = evidence.tables.exposures.filter(pl.col("window") == "", ~pl.col("forced"))
    broken = [
        f"version {version}: {variant} served as the baseline, the ledger says "
        f"{evidence.splits.baselines.get(version)}"
        for version, variant in own.select("version", "variant").unique().iter_rows()
        if evidence.splits.baselines.get(version) != variant
    ]
    return verdict("I7", "there is exactly one baseline at any time", own.height, broken)


def audited(evidence: Evidence) -> Verdict:
    """The ledger's chain holds, and whatever served had been decided before."""
    decided = evidence.splits.decided_at
    broken = [evidence.ledger_flaw] if evidence.ledger_flaw else []
    first = evidence.tables.exposures.group_by("version").agg(pl.col("at").min())
    for version, at in first.iter_rows():
        if version not in decided:
            broken.append(f"version {version} served and is in no ledger entry")
        elif decided[version] > at + CLOCKS_S:
            broken.append(f"version {version} served {decided[version] - at:.3f} s too early")
    return verdict(
        "I9", "the chain holds, every effect has its entry before it", len(decided), broken
    )


INVARIANTS: Sequence[Callable[[Evidence], Verdict]] = (
    no_acked_loss,
    no_duplicates,
    attributed,
    readable,
    no_harm_to_others,
    honest,
    one_baseline,
    bounded,
    audited,
)


def judge(evidence: Evidence) -> list[Verdict]:
    """The verdict of every invariant, in their order."""
    return [check(evidence) for check in INVARIANTS]


def _within(began_at: float, ended_at: float, fault: Landed) -> bool:
    return began_at <= fault.ended_at + AROUND_DISK_S and ended_at >= fault.began_at
