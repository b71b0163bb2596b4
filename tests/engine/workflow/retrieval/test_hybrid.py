import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.retrieval import Fusion, Retrieval
from engine.workflow.retrieval.dense import Dense, write_graph
from engine.workflow.retrieval.hybrid import Listed, Query, fused, searched
from engine.workflow.retrieval.ranked import best
from tests.engine.workflow.retrieval.stores import letters, store_of

TEXTS = [
    "Iron rusts in water.",
    "Copper turns green.",
    "Apples grow on trees.",
    "The zip function takes 3 iterables.",
    "iron  rusts in WATER.",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return store_of(tmp_path_factory.mktemp("cache") / "store", TEXTS)


def asked(text):
    return Query(text, letters([text])[0])


def rows(store, text, **settings):
    return [hit.row for hit in searched(store, [asked(text)], Retrieval(**settings))]


@given(st.lists(st.integers(-3, 3).map(float), max_size=60), st.integers(0, 70))
def test_the_best_are_those_that_sorting_all_would_give(scores, k):
    scores = np.asarray(scores, dtype=np.float32)

    found = best(scores, k)

    assert [hit.row for hit in found] == list(np.argsort(-scores, kind="stable")[:k])


@pytest.mark.parametrize("mode", ["dense", "sparse", "hybrid"])
def test_a_passage_finds_itself_first(store, mode):
    assert rows(store, "Copper turns green.", mode=mode)[0] == 1


def test_words_alone_find_only_what_shares_a_word(store):
    assert rows(store, "zip", mode="sparse") == [3]
    assert rows(store, "unheard-of", mode="sparse") == []


def test_the_same_words_are_found_once(store):
    kept = rows(store, "Iron rusts", mode="sparse")
    every = rows(store, "Iron rusts", mode="sparse", fusion=Fusion(deduplicate=False))

    assert (kept, every) == ([0], [0, 4])


def test_both_ways_find_what_either_finds(store):
    assert set(rows(store, "zip", mode="hybrid")) >= {3}
    assert len(rows(store, "zip", mode="hybrid")) == 4


def test_several_questions_make_one_list(store):
    queries = [Query("iron", None), Query("copper", None)]

    found = searched(store, queries, Retrieval(mode="sparse"))

    assert {hit.row for hit in found} == {0, 1}


LISTS = st.lists(
    st.permutations(range(8)).flatmap(lambda p: st.integers(0, 8).map(lambda n: p[:n]))
)


@given(LISTS)
def test_fusion_sums_reciprocal_ranks_and_breaks_ties_by_row(lists):
    found = fused([Listed(rows, 1.0) for rows in lists], Fusion(k=60))

    for row, score in found:
        assert score == pytest.approx(sum(1 / (61 + one.index(row)) for one in lists if row in one))
    assert list(found) == sorted(found, key=lambda hit: (-hit.score, hit.row))
    assert {hit.row for hit in found} == {row for one in lists for row in one}


@given(LISTS)
def test_a_list_without_weight_adds_nothing(lists):
    weighed = [Listed(rows, 1.0) for rows in lists]

    assert fused([*weighed, Listed([99], 0.0)], Fusion()) == fused(weighed, Fusion())


def test_a_graph_of_neighbours_finds_what_comparing_with_each_finds(tmp_path):
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((50, 64))
    vectors = centres[rng.integers(0, 50, 5_000)] + 0.7 * rng.standard_normal((5_000, 64))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    write_graph(tmp_path / "graph", vectors)
    exact, quick = Dense(vectors), Dense(vectors, tmp_path / "graph")

    asked = vectors[rng.integers(0, 5_000, 100)]
    shared = [
        len({hit.row for hit in exact.search(v, 10)} & {hit.row for hit in quick.search(v, 10)})
        for v in asked
    ]

    assert np.mean(shared) / 10 >= 0.99
    assert quick.search(asked[0], 10)[0].score == pytest.approx(1.0, abs=1e-5)


def test_a_large_index_is_written_with_its_graph(tmp_path):
    store = store_of(tmp_path / "store", TEXTS, graph_from=3)

    assert (tmp_path / "store" / "graph.usearch").exists()
    assert rows(store, "Copper turns green.", mode="hybrid")[0] == 1


def test_texts_without_a_single_term_are_found_by_no_word(tmp_path):
    store = store_of(tmp_path / "store", ["And it is.", "The of."])

    assert store.sparse.search("it is zip", 5) == []
