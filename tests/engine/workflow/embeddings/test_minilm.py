import numpy as np
import pytest

from engine.workflow.embedding import MiniLm
from engine.workflow.embeddings.minilm import Encoder

TEXTS = ["How do I sort a list in Python?", "a", "A process and a thread. " * 10]


@pytest.fixture(scope="module")
def full():
    return MiniLm().encode(TEXTS)


def test_one_pass_gives_the_vectors_of_the_usual_encoder(full):
    np.testing.assert_allclose(Encoder().encode(TEXTS), full, atol=1e-5)


def test_half_the_bits_keep_the_direction(full):
    cosines = np.sum(Encoder(half=True).encode(TEXTS) * full, axis=1)

    assert cosines.min() > 0.999


def test_what_comes_after_the_first_tokens_is_not_read():
    encoder = Encoder(most_tokens=8)

    one, other = encoder.encode(
        ["one two three four five six seven", "one two three four five six x"]
    )

    np.testing.assert_allclose(one, other, atol=1e-5)
