"""The metrics as Ray collects them from each process of the cluster."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ray import util
from ray.serve import metrics

from serve_apps.telemetry.table import Metric


def ray_instrument(metric: Metric) -> "RayInstrument":
    """Where a metric's values go in a process of the cluster.

    In a replica Ray adds its own labels `application`, `deployment` and `replica`.
    """
    return RayInstrument(metric)


class RayInstrument:
    """One metric of Ray's."""

    def __init__(self, metric: Metric) -> None:
        name, told = metric.name, metric.meaning
        # Ray declares the labels as a tuple of one.
        labels: Any = metric.labels
        self._record: Callable[..., None]
        match metric.kind:
            case "counter":
                self._record = metrics.Counter(name, told, labels).inc
            case "gauge":
                self._record = metrics.Gauge(name, told, labels).set
            case "histogram":
                made = metrics.Histogram(name, told, metric.boundaries, labels)
                # Serve's own `observe` looks up the request's route first, at thrice the cost.
                self._record = functools.partial(util.metrics.Histogram.observe, made)

    def record(self, values: Sequence[float], labels: dict[str, str]) -> None:
        """Add to the counter, set the gauge, or observe."""
        for value in values:
            self._record(value, tags=labels)
