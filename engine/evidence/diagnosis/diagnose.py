"""Reads traces into figures by node, and figures into recommendations."""

from dataclasses import dataclass

import polars as pl

from engine.errors import ConfigError
from engine.evidence.diagnosis.advice import Limits, Recommendation, recommended
from engine.evidence.diagnosis.figures import NodeFigures, WorkflowFigures, figures_of
from engine.evidence.facts import Facts

USUAL = Limits()


@dataclass(frozen=True)
class Diagnosis:
    """Where time, tokens and money went, and what to turn about it."""

    workflows: tuple[WorkflowFigures, ...]
    """By name."""
    nodes: tuple[NodeFigures, ...]
    """By workflow, then by the time spent waiting for them."""
    recommendations: tuple[Recommendation, ...]
    """What is furthest beyond its limit first."""


def users_traces(facts: Facts, *, after: float, upto: float) -> pl.DataFrame:
    """The traces of `after < at <= upto`, without what testers asked for by forcing a variant."""
    seen = (pl.col("at") > after) & (pl.col("at") <= upto)
    forced = facts.exposures.filter("forced").select("trace_id")
    return facts.traces.filter(seen).join(forced, on="trace_id", how="anti")


def diagnose(traces: pl.DataFrame, limits: Limits = USUAL) -> Diagnosis:
    """The figures and recommendations of each workflow with a trace.

    Raises:
        ConfigError: A limit is not above 0.
    """
    for name, limit in vars(limits).items():
        if not limit > 0:
            raise ConfigError(f"diagnose: {name} is {limit!r}; it must be above 0")
    workflows: list[WorkflowFigures] = []
    nodes: list[NodeFigures] = []
    found: list[Recommendation] = []
    for (_,), own in sorted(traces.group_by("workflow"), key=lambda group: str(group[0])):
        whole, parts = figures_of(own)
        workflows.append(whole)
        nodes += parts
        found += recommended(whole, parts, limits)
    found.sort(key=lambda one: -one.severity)
    return Diagnosis(tuple(workflows), tuple(nodes), tuple(found))
