"""A registry of Prometheus's own client in the place of a cluster."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serve_apps.telemetry.meters import Meters


class Registry:
    def __init__(self):
        self.registry = CollectorRegistry()
        self.meters = Meters(self.instrument)
        self.calls = 0

    def instrument(self, metric):
        return Instrument(self, metric)

    def value(self, metric, suffix="", **labels):
        return self.registry.get_sample_value(metric.name + suffix, labels)

    def labels(self, metric):
        """The labels of every series of a metric."""
        plain = metric.name.removesuffix("_total")
        return [
            {name: value for name, value in sample.labels.items() if name != "le"}
            for family in self.registry.collect()
            if family.name == plain
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]


class Instrument:
    def __init__(self, registry, metric):
        self.owner, self.metric = registry, metric
        known = (metric.name, metric.meaning, metric.labels)
        match metric.kind:
            case "counter":
                self.made = Counter(*known, registry=registry.registry)
            case "gauge":
                self.made = Gauge(*known, registry=registry.registry)
            case "histogram":
                self.made = Histogram(*known, buckets=metric.boundaries, registry=registry.registry)

    def record(self, values, labels):
        made = self.made.labels(**labels) if labels else self.made
        act = {"counter": "inc", "gauge": "set", "histogram": "observe"}[self.metric.kind]
        for value in values:
            self.owner.calls += 1
            getattr(made, act)(value)
