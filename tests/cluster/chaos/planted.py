"""Bugs planted in a sound run, one for each way in which a promise can be broken."""

from dataclasses import replace

import polars as pl

from cluster.chaos.evidence import DiskUse, Measured, Reading
from tests.cluster.chaos.sound import BASELINE, CANDIDATE, VERSION, WINDOW, watched


def tables(run, **changes):
    return replace(run, tables=replace(run.tables, **changes))


def tries(evidence, change):
    """Every exchange of the journal, changed."""
    pings = tuple(
        ping.model_copy(update={"tries": tuple(change(one) for one in ping.tries)})
        for ping in evidence.journal.pings
    )
    return replace(evidence, journal=evidence.journal.model_copy(update={"pings": pings}))


def ratings(evidence, change):
    changed = tuple(change(one) for one in evidence.journal.ratings)
    return replace(evidence, journal=evidence.journal.model_copy(update={"ratings": changed}))


def exposures(evidence, column, value, when):
    chosen = pl.when(when).then(pl.lit(value)).otherwise(column).alias(column)
    return tables(evidence, exposures=evidence.tables.exposures.with_columns(chosen))


def is_(trace_id):
    return pl.col("trace_id") == trace_id


def a_trace_is_lost(evidence):
    return tables(evidence, traces=evidence.tables.traces.filter(~is_("t9")))


def an_exposure_is_lost(evidence):
    return tables(evidence, exposures=evidence.tables.exposures.filter(~is_("t9")))


def an_exposure_is_lost_on_a_full_disk(evidence):
    return tables(evidence, exposures=evidence.tables.exposures.filter(~is_("t305")))


def feedback_is_lost(evidence):
    kept = evidence.tables.feedback.filter(pl.col("key") != "k3")
    return tables(evidence, feedback=kept)


def feedback_is_overwritten(evidence):
    score = pl.when(pl.col("key") == "k3").then(0.0).otherwise("score").alias("score")
    return tables(evidence, feedback=evidence.tables.feedback.with_columns(score))


def a_trace_is_stored_twice(evidence):
    doubled = pl.concat([evidence.tables.traces, evidence.tables.traces.filter(is_("t9"))])
    return tables(evidence, traces=doubled)


def feedback_is_stored_twice(evidence):
    doubled = pl.concat([evidence.tables.feedback, evidence.tables.feedback.head(1)])
    return tables(evidence, feedback=doubled)


def a_repetition_is_stored_as_new(evidence):
    return ratings(
        evidence, lambda one: one.model_copy(update={"said": "stored"}) if one.again else one
    )


def a_conflict_is_accepted(evidence):
    return ratings(
        evidence,
        lambda one: one.model_copy(update={"status": 200, "said": "stored"}) if one.other else one,
    )


def the_client_is_told_another_variant(evidence):
    return tries(
        evidence,
        lambda one: one.model_copy(update={"variant": CANDIDATE}) if one.trace_id == "t9" else one,
    )


def a_trace_names_another_variant(evidence):
    named = pl.when(is_("t9")).then(pl.lit(CANDIDATE)).otherwise("variant").alias("variant")
    return tables(evidence, traces=evidence.tables.traces.with_columns(named))


def an_answer_goes_to_another_client(evidence):
    return tries(
        evidence,
        lambda one: one.model_copy(update={"echoed": False}) if one.trace_id == "t9" else one,
    )


def a_variant_serves_undecided(evidence):
    return exposures(evidence, "version", 1, is_("t8"))


def a_unit_changes_its_variant(evidence):
    return exposures(evidence, "unit_id", "ut8", is_("t9"))


def a_file_is_torn(evidence):
    torn = Reading(at=5.5, position=5, rows={}, error="parquet/trace/1.parquet: torn")
    return replace(evidence, readings=[*evidence.readings, torn])


def rows_vanish(evidence):
    fewer = Reading(at=20.0, position=20, rows={"trace": 1, "exposure": 1})
    return replace(evidence, readings=[*evidence.readings, fewer])


def the_store_is_damaged_in_the_end(evidence):
    return replace(evidence, problems=["parquet/trace/1.parquet: altered"])


def another_variant_fails_as_well(evidence):
    def change(one):
        harmed = 12.0 <= one.began_at <= 20.0 and one.variant == BASELINE
        return one.model_copy(update={"status": 502}) if harmed else one

    return tries(evidence, change)


def another_variant_waits_as_well(evidence):
    def change(one):
        harmed = 12.0 <= one.began_at <= 20.0 and one.variant == BASELINE
        return one.model_copy(update={"ended_at": one.began_at + 3.0}) if harmed else one

    return tries(evidence, change)


def a_failure_is_not_scored(evidence):
    one = evidence.measured[0]
    return replace(evidence, measured=[replace(one, failed=one.failed - 1)])


def a_unit_drops_out(evidence):
    one = evidence.measured[0]
    return replace(evidence, measured=[replace(one, units=one.units - 1)])


def shares_are_not_served(evidence):
    one = evidence.measured[0]
    return replace(evidence, measured=[Measured(WINDOW, one.units, one.failed, 12.0)])


def there_are_two_baselines(evidence):
    return exposures(evidence, "variant", CANDIDATE, is_("t9"))


def memory_grows(evidence):
    growing = [watched(at, rss_mib=250.0 + 6.0 * at) for at in range(60)]
    return replace(evidence, watched=growing)


def files_stay_open(evidence):
    return replace(evidence, watched=[watched(at, fds=60 + 6 * at) for at in range(60)])


def one_process_is_huge(evidence):
    return replace(evidence, watched=[*evidence.watched, watched(61, rss_mib=5_000.0)])


def the_disk_fills(evidence):
    return replace(evidence, disk=[DiskUse(at=9.0, mib=4_000.0)])


def the_chain_is_broken(evidence):
    return replace(evidence, ledger_flaw="ledger: entry 2: its hash is another one")


def an_effect_comes_before_its_entry(evidence):
    decided = {**evidence.splits.decided_at, VERSION: 1.0}
    return replace(evidence, splits=replace(evidence.splits, decided_at=decided))


def a_version_is_in_no_entry(evidence):
    decided = {1: -9.0, 2: -8.0}
    return replace(evidence, splits=replace(evidence.splits, decided_at=decided))
