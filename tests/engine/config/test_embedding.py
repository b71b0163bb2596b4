import pytest
from pydantic import ValidationError

from engine.config.embedding import PACKAGED, EmbeddingModel, Embeddings


def test_the_packaged_model_is_always_served():
    with pytest.raises(ValidationError, match="leave it in"):
        Embeddings(models={"mine": EmbeddingModel(folder="models/mine")})


@pytest.mark.parametrize("other", [{"folder": "models/mine"}, {"kind": "words"}])
def test_no_other_model_takes_the_name_that_indexes_are_built_with(other):
    with pytest.raises(ValidationError, match="a name of its own"):
        Embeddings(models={PACKAGED: EmbeddingModel(**other)})


def test_a_gpu_has_to_be_reserved():
    with pytest.raises(ValidationError, match="gpus"):
        Embeddings(device="cuda")

    assert Embeddings(device="cuda", gpus=0.2).gpus == 0.2


def test_word_vectors_come_from_the_packaged_model_only():
    models = {PACKAGED: EmbeddingModel(), "w": EmbeddingModel(kind="words", folder="x")}

    with pytest.raises(ValidationError, match="leave it out"):
        Embeddings(models=models)


def test_other_settings_are_another_version():
    digests = {
        EmbeddingModel(**said).digest
        for said in ({}, {"half": True}, {"max_tokens": 128}, {"version": "2"})
    }

    assert len(digests) == 4
    assert EmbeddingModel().digest == EmbeddingModel().digest
