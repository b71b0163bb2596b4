"""What a cluster tells to Prometheus, read where Prometheus reads it."""

import time
import urllib.request

import pytest
import ray
from prometheus_client.parser import text_string_to_metric_families

from cluster.commands.monitoring import metrics_address
from cluster.head import free_ports, launch_head, stop_head
from engine.config.protection import Clients
from serve_apps.telemetry import table
from serve_apps.telemetry.table import TABLE

pytestmark = [pytest.mark.serve, pytest.mark.long]
TOLD_S = 120.0


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    if ray.is_initialized():
        ray.shutdown()
    root = tmp_path_factory.mktemp("outside")
    (port,) = free_ports(1)
    head = launch_head(root, profile="plain", port=port, dashboard=False, clients=Clients()).ready()
    try:
        ray.init(head.address, log_to_driver=False, configure_logging=False)
        yield root
    finally:
        ray.shutdown()
        stop_head(root)


@ray.remote(num_cpus=0)
class Teller:
    """A process that tells of every metric once, and keeps telling its gauges."""

    def __init__(self, table):
        from serve_apps.telemetry.instruments import ray_instrument
        from serve_apps.telemetry.meters import Meters

        self.meters = Meters(ray_instrument)
        self.table = {metric.name: metric for metric in table}
        for metric in table:
            labels = [f"a {label}" for label in metric.labels]
            match metric.kind:
                case "counter":
                    self.meters.count(metric, *labels, by=3)
                case "gauge":
                    self.meters.gauge(metric, 3.0, *labels)
                case "histogram":
                    self.meters.observe(metric, 3.0, *labels)

    def take_away(self, metric):
        self.meters.gauges(self.table[metric], {})

    def flush(self):
        self.meters.flush()


def scraped(root):
    with urllib.request.urlopen(f"http://{metrics_address(root)}/metrics", timeout=5.0) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {sample.name: sample for family in families for sample in family.samples}


@pytest.fixture(scope="module")
def teller(root):
    return Teller.remote(TABLE)


def test_prometheus_finds_every_metric_of_the_table_under_its_name(root, teller):
    wanted = {
        metric.exported + ("_count" if metric.kind == "histogram" else ""): metric
        for metric in TABLE
    }
    found = {}

    give_up = time.monotonic() + TOLD_S
    while found.keys() < wanted.keys() and time.monotonic() < give_up:
        ray.get(teller.flush.remote())
        time.sleep(0.5)
        told = scraped(root)
        found = {name: told[name] for name in wanted if name in told}

    assert wanted.keys() - found.keys() == set()
    for name, metric in wanted.items():
        assert found[name].value == (1 if metric.kind == "histogram" else 3)
        for label in metric.labels:
            assert found[name].labels[label] == f"a {label}"


def test_a_gauge_that_is_told_no_more_goes_away(root, teller):
    ray.get(teller.take_away.remote(table.EJECTED.name))

    give_up = time.monotonic() + TOLD_S
    while table.EJECTED.exported in (told := scraped(root)) and time.monotonic() < give_up:
        ray.get(teller.flush.remote())
        time.sleep(0.5)

    assert table.EJECTED.exported not in told
    assert table.SHARE.exported in told
