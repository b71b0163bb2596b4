import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.caching.rows import Rows


def unit(generator, count, dimension=384):
    vectors = generator.standard_normal((count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def tilted(generator, vector, cosine):
    """A unit vector at this cosine to another."""
    other = unit(generator, 1, len(vector))[0]
    other -= (other @ vector) * vector
    other /= np.linalg.norm(other)
    return (cosine * vector + np.sqrt(1 - cosine**2) * other).astype(np.float32)


@pytest.fixture
def generator():
    return np.random.default_rng(1)


def filled(vectors, *, capacity=None, scope=7, end=100.0):
    rows = Rows(capacity or len(vectors), vectors.shape[1], 0.95)
    for vector in vectors:
        rows.add(vector, scope, end, 0.0)
    return rows


def test_what_is_near_is_found_as_an_exact_search_finds_it(generator):
    vectors = unit(generator, 2_000)
    rows = filled(vectors)
    cosines = generator.uniform(0.93, 1.0, 300)
    asked = [tilted(generator, vectors[n], cosine) for n, cosine in enumerate(cosines)]

    found = [{near.row for near in rows.near(query, 7, 0.0)} for query in asked]

    exact = [set(np.flatnonzero(vectors @ query >= 0.95)) for query in asked]
    alike = sum(mine == theirs for mine, theirs in zip(found, exact, strict=True))
    assert alike >= 297


def test_the_nearest_comes_first(generator):
    vector = unit(generator, 1)[0]
    rows = filled(np.stack([tilted(generator, vector, c) for c in (0.96, 0.99, 0.97)]))

    found = rows.near(vector, 7, 0.0)

    assert [near.row for near in found] == [1, 2, 0]
    assert found[0].cosine == pytest.approx(0.99, abs=1e-3)


def test_another_scope_and_what_expired_are_not_found(generator):
    vectors = unit(generator, 1)
    rows = filled(vectors, end=10.0)

    assert rows.near(vectors[0], 8, 0.0) == []
    assert rows.near(vectors[0], 7, 10.0) == []


def test_a_full_table_first_frees_what_expired(generator):
    vectors = unit(generator, 3)
    rows = Rows(2, 384, 0.95)
    rows.add(vectors[0], 7, 100.0, 0.0)
    rows.add(vectors[1], 7, 5.0, 0.0)

    rows.add(vectors[2], 7, 100.0, 6.0)

    assert [bool(rows.near(vector, 7, 6.0)) for vector in vectors] == [True, False, True]


def test_a_full_table_then_frees_what_was_used_longest_ago(generator):
    vectors = unit(generator, 3)
    rows = filled(vectors[:2])
    rows.touch(0)

    rows.add(vectors[2], 7, 100.0, 0.0)

    assert [bool(rows.near(vector, 7, 0.0)) for vector in vectors] == [True, False, True]


def test_a_thousand_near_vectors_do_not_hide_the_one_that_is_meant(generator):
    vector = unit(generator, 1)[0]
    vectors = np.stack([tilted(generator, vector, 0.98) for _ in range(1_000)])
    rows = filled(np.concatenate([vectors, vector[None]]))

    assert rows.near(vector, 7, 0.0)[0].row == 1_000


@given(st.lists(st.sampled_from(["add", "remove", "look"]), max_size=60))
def test_a_table_never_outgrows_its_capacity(steps):
    generator = np.random.default_rng(2)
    rows = Rows(8, 16, 0.95)
    held = {}
    for now, step in enumerate(steps):
        vector = unit(generator, 1, 16)[0]
        if step == "add":
            held[rows.add(vector, 1, now + 20.0, float(now))] = vector
        elif step == "remove" and held:
            live = [row for row, kept in held.items() if rows.near(kept, 1, float(now))]
            rows.remove(live[:1])

        assert 0 <= len(rows) <= 8
