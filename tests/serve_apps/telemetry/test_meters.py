import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_apps.telemetry import table
from serve_apps.telemetry.meters import MOST_VALUES, OTHER
from serve_apps.telemetry.process import Usage
from serve_apps.telemetry.table import MOST, TABLE, as_markdown
from tests.serve_apps.telemetry.registry import Registry
from tests.serve_apps.telemetry.requests import SPANS, row, span

WHO = {"workflow": "docs-qa", "variant": "0123456789ab"}
OF = {"workflow": "docs-qa"}
BY_REQUEST = TABLE[: TABLE.index(table.REFUSED)]
UNIQUE = {"trace_id", "user", "unit", "conversation", "window", "experiment", "trial"}


@pytest.fixture
def registry():
    return Registry()


def test_the_table_holds_at_most_forty_metrics_with_names_of_their_own():
    names = [metric.name for metric in TABLE]

    assert len(names) == len(set(names)) <= MOST


def test_names_and_units_follow_prometheus():
    for metric in TABLE:
        assert metric.name.startswith("trimtab_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.unit in {"", "steps"} or metric.unit in metric.name
        assert metric.meaning.endswith(".")


def test_no_label_tells_requests_people_or_windows_apart():
    assert {label for metric in TABLE for label in metric.labels} & UNIQUE == set()


def test_every_metric_is_in_the_table_for_people():
    assert all(f"`{metric.exported}`" in as_markdown() for metric in TABLE)


def test_a_request_with_every_step_feeds_every_metric_of_requests(registry):
    registry.meters.request(row(status="error", error="budget", cache_hit=True), SPANS)
    registry.meters.flush()

    assert [metric.name for metric in BY_REQUEST if not registry.labels(metric)] == []


def test_what_is_counted_of_a_request(registry):
    registry.meters.request(row(), SPANS)
    registry.meters.request(row(status="timeout", error="timeout", cost_usd=None), ())
    registry.meters.flush()

    value = registry.value
    assert value(table.REQUESTS, **WHO, status="ok") == 1
    assert value(table.REQUESTS, **WHO, status="timeout") == 1
    assert value(table.ERRORS, **WHO, error="timeout") == 1
    assert value(table.REQUEST_SECONDS, "_sum", **WHO) == 2.5
    assert value(table.TOKENS, **WHO, direction="input") == 200
    assert value(table.COST, **WHO) == 0.002
    assert value(table.NODE_SECONDS, "_count", **OF, node="qa_agent", kind="llm") == 2
    assert value(table.NODE_ERRORS, **OF, node="qa_agent", error="rate_limited") == 1
    assert value(table.MODEL_CALLS, **OF, model="big", status="error", attempt="first") == 1
    assert value(table.MODEL_CALLS, **OF, model="small", status="ok", attempt="more") == 1
    assert value(table.FIRST_TEXT, "_sum", **OF, model="small") == 0.1
    assert value(table.STAND_INS, **OF, action="faster_model") == 1
    assert value(table.CACHE_LOOKUPS, **OF, cache="none") == 1
    assert value(table.CACHE_LOOKUPS, **OF, cache="exact") == 1
    assert value(table.ITERATIONS, "_sum", **OF, node="qa_agent") == 3
    assert value(table.NODE_SECONDS, "_sum", **OF, node="calculator", kind="tool") == 0.05


def test_what_nobody_measured_is_counted_nowhere(registry):
    registry.meters.request(row(input_tokens=None, output_tokens=None, cost_usd=None), ())
    registry.meters.flush()

    assert registry.labels(table.TOKENS) == registry.labels(table.COST) == []


def test_a_request_itself_hands_nothing_on(registry):
    for _ in range(100):
        registry.meters.request(row(), SPANS)

    assert registry.calls == 0


def test_sums_are_handed_on_once_however_many_requests_there_were(registry):
    for _ in range(100):
        registry.meters.request(row(), ())
    registry.meters.flush()

    assert registry.value(table.REQUESTS, **WHO, status="ok") == 100
    assert registry.calls < 210


@given(st.lists(st.sampled_from(["ok", "error", "timeout", None]), max_size=30))
def test_no_flush_loses_or_repeats_a_request(happenings):
    registry = Registry()

    for status in happenings:
        if status is None:
            registry.meters.flush()
        else:
            registry.meters.request(row(status=status), ())
    registry.meters.flush()

    for status in ("ok", "error", "timeout"):
        counted = registry.value(table.REQUESTS, **WHO, status=status) or 0
        assert counted == happenings.count(status)


def test_a_label_takes_only_so_many_values(registry):
    for number in range(3 * MOST_VALUES):
        registry.meters.request(row(), [span(f"task {number}")])
        registry.meters.flush()

    nodes = {labels["node"] for labels in registry.labels(table.NODE_SECONDS)}
    assert len(nodes) == MOST_VALUES + 1
    assert (
        registry.value(table.NODE_SECONDS, "_count", **OF, node=OTHER, kind="step")
        == 2 * MOST_VALUES
    )


def test_a_gauge_names_everything_that_it_holds_now(registry):
    for number in range(2 * MOST_VALUES):
        registry.meters.gauges(table.EJECTED, {("docs-qa", f"variant {number}"): 1.0})
        registry.meters.flush()

    last = f"variant {2 * MOST_VALUES - 1}"
    assert registry.value(table.EJECTED, workflow="docs-qa", variant=last) == 1


def test_one_metrics_many_values_take_no_place_from_another(registry):
    for number in range(2 * MOST_VALUES):
        registry.meters.count(table.REFUSED, f"no such workflow {number}", "starting")
    registry.meters.request(row(), ())
    registry.meters.flush()

    assert registry.value(table.REQUESTS, **WHO, status="ok") == 1


def test_a_gauge_is_told_again_each_time_until_it_is_taken_away(registry):
    registry.meters.gauges(table.EJECTED, {("docs-qa", "a"): 1.0, ("docs-qa", "b"): 1.0})
    registry.meters.flush()
    before = registry.calls
    registry.meters.gauges(table.EJECTED, {("docs-qa", "a"): 1.0})
    registry.meters.flush()

    assert (before, registry.calls) == (2, 3)


async def test_flushing_goes_on_after_a_figure_that_could_not_be_told(registry):
    told = iter([ValueError("no such process"), None, None])
    flushed = asyncio.Event()

    def before():
        failure = next(told, None)
        if failure is not None:
            raise failure
        flushed.set()

    registry.meters.request(row(), SPANS)
    flushing = asyncio.create_task(registry.meters.keep_flushing(before, every_s=0.01))
    await flushed.wait()
    await asyncio.sleep(0.05)
    flushing.cancel()

    assert registry.value(table.REQUESTS, **WHO, status="ok") == 1


def test_a_process_tells_what_it_uses(registry):
    usage = Usage("gateway")

    usage.tell(registry.meters)
    registry.meters.flush()

    assert registry.value(table.MEMORY, process="gateway") > 1e6
    assert registry.value(table.FILES, process="gateway") > 0
    assert registry.value(table.CPU, process="gateway") >= 0
