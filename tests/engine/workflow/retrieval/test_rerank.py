import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.retrieval import Reranking
from engine.errors import ConfigError
from engine.workflow.retrieval.hybrid import Query
from engine.workflow.retrieval.ranked import Ranked
from engine.workflow.retrieval.rerank import rerank_of
from tests.engine.workflow.retrieval.stores import letters, store_of

TEXTS = ["zzz zebra", "zzz zebras", "zzz banana", "iron rusts"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return store_of(tmp_path_factory.mktemp("cache") / "store", TEXTS)


def order(store, k=4, text="zzz zebra", **settings):
    vector = letters([text])[0]
    scores = store.dense.vectors @ vector
    found = [Ranked(int(n), float(scores[n])) for n in np.argsort(-scores, kind="stable")]
    hits = rerank_of(Reranking(**settings))(Query(text, vector), found, store, k)
    return [int(hit.chunk.topic) for hit in hits]


def test_without_reranking_the_order_stays(store):
    assert order(store)[0] == 0


def test_shared_words_come_first(store):
    assert order(store, text="iron", method="lexical")[0] == 3


def test_relevance_alone_keeps_the_order(store):
    assert order(store, method="mmr", relevance=1.0) == order(store)


def test_newness_moves_a_twin_behind_what_is_different(store):
    near = order(store, method="mmr", relevance=1.0)
    new = order(store, method="mmr", relevance=0.3)

    assert near[:2] == [0, 1]
    assert new[0] == 0
    assert new.index(1) > new.index(2)


@given(k=st.integers(1, 10), relevance=st.floats(0.0, 1.0))
def test_no_passage_comes_twice(store, k, relevance):
    found = order(store, k=k, method="mmr", relevance=relevance)

    assert len(found) == len(set(found)) == min(k, 4)


def test_a_cross_encoder_orders_by_what_it_reads(store, tmp_path):
    folder = tiny_model(tmp_path / "model")

    found = order(store, k=3, method="cross-encoder", model=str(folder))

    assert len(found) == len(set(found)) == 3


def test_variants_share_a_model_until_its_folder_changes(tmp_path):
    folder = tiny_model(tmp_path / "model")
    settings = Reranking(method="cross-encoder", model=str(folder))

    one, other = rerank_of(settings), rerank_of(settings)
    later = (folder / "config.json").stat().st_mtime_ns + 10**9
    os.utime(folder / "config.json", ns=(later, later))
    changed = rerank_of(settings)

    assert one._scores is other._scores
    assert changed._scores is not one._scores


def test_many_threads_may_use_one_model(store, tmp_path):
    settings = {"method": "cross-encoder", "model": str(tiny_model(tmp_path / "model"))}
    usual = order(store, **settings)

    with ThreadPoolExecutor(8) as pool:
        orders = list(pool.map(lambda _: order(store, **settings), range(40)))

    assert all(each == usual for each in orders)


@pytest.mark.parametrize("kind", ["unnamed", "missing", "torn"])
def test_a_missing_cross_encoder_is_refused_when_loaded(tmp_path, kind):
    folder = tmp_path / kind
    if kind == "torn":
        folder.mkdir()
        (folder / "config.json").write_text("{}")

    with pytest.raises(ConfigError, match=r"retrieval\.rerank\.model"):
        rerank_of(
            Reranking(method="cross-encoder", model=None if kind == "unnamed" else str(folder))
        )


def tiny_model(folder):
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    from engine.workflow.context.tokens import wordpieces

    shape = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=1
    )
    BertForSequenceClassification(shape).save_pretrained(folder)
    marks = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]"}
    PreTrainedTokenizerFast(tokenizer_object=wordpieces(), **marks).save_pretrained(folder)
    return folder
