"""Known surfaces: what is drawn follows their truth, and settings stay lawful."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bench.search.surfaces import SURFACES
from engine.stats.tally import LEVELS
from search.replay.surface import mutated, name_of, random_settings

surfaces = pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)


def lawful(surface, settings):
    expected = {path for path in surface.space.ordered() if surface.space.searches(path, settings)}
    values = all(surface.space.parameters[path].takes(value) for path, value in settings.items())
    return settings.keys() == expected and values


@surfaces
@given(seed=st.integers(0, 2**32 - 1))
def test_random_settings_and_mutations_are_lawful(surface, seed):
    rng = np.random.default_rng(seed)
    settings = random_settings(surface.space, rng)

    assert lawful(surface, settings)
    assert lawful(surface, mutated(surface.space, settings, rng, knobs=2))
    assert mutated(surface.space, settings, rng) != settings


@surfaces
def test_every_baseline_starts_at_three_fifths(surface):
    assert lawful(surface, surface.baseline)
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
