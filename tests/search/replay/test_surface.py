"""Known surfaces: what is drawn follows their truth, and settings stay lawful."""

import numpy as np
import pytest

from cluster.bench.search.surfaces import SURFACES
from engine.stats.tally import LEVELS
from search.draws import Draws
from search.replay.surface import name_of

surfaces = pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)


@surfaces
def test_every_baseline_starts_at_three_fifths(surface):
    assert Draws(surface.space).params_of(surface.baseline) == surface.baseline
    assert surface.quality(surface.baseline) == pytest.approx(0.6)


@surfaces
def test_there_is_something_to_find_within_the_margin(surface):
    assert 0.66 < surface.best(1.2, draws=4_000) < 0.69


def test_the_mixed_surfaces_peak_is_too_slow():
    surface = SURFACES["mixed"]

    assert surface.best(10.0) > surface.best(1.2) + 0.04


@surfaces
def test_draws_follow_the_truth(surface):
    name = name_of(surface.baseline)

    candidate, baseline = surface.receive(
        [(name, 0.25), (name, 0.75)], 40_000, np.random.default_rng(1)
    )

    assert candidate.units == pytest.approx(10_000, rel=0.05)
    assert baseline.levels[LEVELS - 1] / baseline.units == pytest.approx(0.6, abs=0.02)
    assert baseline.latency.mean == pytest.approx(np.log(surface.truth(name).latency_s), abs=0.03)
    assert baseline.latency.variance == pytest.approx(0.64, rel=0.1)
