import json
import re
from pathlib import Path

import pytest
import ray
from ruamel.yaml import YAML

from cluster.commands.monitoring import metrics_address
from cluster.monitoring.alerts import rules
from cluster.monitoring.dashboards import RAYS_OWN, dashboards
from cluster.monitoring.files import USUAL, files, write
from cluster.monitoring.limits import Limits
from serve_apps.telemetry.table import TABLE

KEPT = Path(__file__).parents[3] / "configs/monitoring"
OF_HISTOGRAM = re.compile("_(bucket|count)$")
EXPORTED = {metric.exported: metric for metric in TABLE}
CALLED_FOR = {
    "TrimtabRequestsFail",
    "TrimtabRequestsSlow",
    "TrimtabNoTraffic",
    "TrimtabSampleRatioMismatch",
    "TrimtabVariantEjected",
    "TrimtabSpoolBacklog",
    "TrimtabTracesLost",
    "TrimtabQueueLong",
    "TrimtabTasksWait",
    "TrimtabBudgetSpent",
    "TrimtabControlAway",
}


def queries():
    """Every query of every dashboard, with where it stands."""
    for name, board in dashboards().items():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield f"{name}: {panel['title']}", target["expr"]


def alerts():
    for group in rules(Limits())["groups"]:
        yield from group["rules"]


def metrics_in(expr):
    return {OF_HISTOGRAM.sub("", name) for name in re.findall(r"\bray_\w+", expr)}


def labels_in(expr):
    grouped = re.findall(r"by \(([^)]*)\)", expr)
    matched = re.findall(r"(\w+)(?:=~|!=|=)\"", expr)
    return {label.strip() for group in grouped for label in group.split(",")} | set(matched)


ASKED = [*queries(), *((rule["alert"], rule["expr"]) for rule in alerts())]


@pytest.mark.parametrize("name", files(Limits()))
def test_what_is_kept_is_what_would_be_written(name):
    assert (KEPT / name).read_text(encoding="utf-8") == files(Limits())[name]


def test_nothing_else_is_kept():
    kept = {str(path.relative_to(KEPT)) for path in KEPT.rglob("*") if path.is_file()}

    assert kept == files(Limits()).keys()


@pytest.mark.parametrize(("where", "expr"), ASKED)
def test_every_metric_that_is_asked_for_exists(where, expr):
    assert metrics_in(expr) <= EXPORTED.keys() | set(RAYS_OWN)
    assert metrics_in(expr)


@pytest.mark.parametrize(("where", "expr"), ASKED)
def test_every_label_that_is_asked_for_is_one_of_the_metric(where, expr):
    labels = {
        label for name in metrics_in(expr) & EXPORTED.keys() for label in EXPORTED[name].labels
    }

    assert labels_in(expr) <= labels | {"le"}


@pytest.mark.parametrize(("where", "expr"), ASKED)
def test_a_query_is_whole(where, expr):
    for opening, closing in ("()", "{}", "[]"):
        assert expr.count(opening) == expr.count(closing)
    assert expr.count('"') % 2 == 0
    assert "None" not in expr


@pytest.mark.parametrize(("where", "expr"), ASKED)
def test_only_histograms_have_buckets_and_only_counters_have_rates(where, expr):
    for name in re.findall(r"(?:rate|increase)\((ray_\w+)", expr):
        kind = EXPORTED[OF_HISTOGRAM.sub("", name)].kind
        assert kind == ("histogram" if OF_HISTOGRAM.search(name) else "counter")


def test_every_metric_of_the_table_is_shown_somewhere():
    shown = {name for _, expr in queries() for name in metrics_in(expr)}

    assert EXPORTED.keys() - shown == set()


def test_panels_have_numbers_and_places_of_their_own():
    for board in dashboards().values():
        panels = board["panels"]
        places = [tuple(panel["gridPos"].values()) for panel in panels]

        assert len({panel["id"] for panel in panels}) == len(panels)
        assert len(set(places)) == len(places)
        assert all(place[0] + place[2] <= 24 for place in places)


def test_every_alert_says_when_how_bad_and_what_it_is():
    for rule in alerts():
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]


def test_a_summary_names_only_labels_that_the_alert_has():
    for rule in alerts():
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))

        assert named <= labels_in(rule["expr"])


def test_everything_that_somebody_must_know_has_an_alert():
    names = [rule["alert"] for rule in alerts()]

    assert set(names) >= CALLED_FOR
    assert len(names) == len(set(names))


def test_the_operators_limits_stand_in_the_alerts():
    told = json.dumps(rules(Limits(error_share=0.125, p99_s=7.5, usd_per_hour=3.25)))

    assert all(f"> {limit}" in told for limit in (0.125, 7.5, 3.25))


def test_what_ray_measures_itself_is_named_as_ray_names_it():
    reporter = Path(ray.__file__).parent / "dashboard/modules/reporter/reporter_agent.py"
    text = reporter.read_text(encoding="utf-8")

    assert all(f'"{name.removeprefix("ray_")}"' in text for name in RAYS_OWN)


def test_files_are_read_back_as_they_were_meant(tmp_path):
    written = write(tmp_path, Limits(), ["127.0.0.1:1234"])

    assert {path.relative_to(tmp_path).as_posix() for path in written} == files(Limits()).keys()
    reader = YAML(typ="safe")
    assert reader.load(tmp_path / "alerts.yaml") == rules(Limits())
    scraped = reader.load(tmp_path / "prometheus.yaml")["scrape_configs"][0]
    targets = json.loads((tmp_path / scraped["file_sd_configs"][0]["files"][0]).read_text())
    assert targets[0]["targets"] == ["127.0.0.1:1234"]


def test_without_a_cluster_the_target_is_where_ray_usually_is(tmp_path):
    assert metrics_address(tmp_path) == USUAL
