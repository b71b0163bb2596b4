import numpy as np
import pytest

from engine.workflow.embeddings.static import StaticEncoder


@pytest.fixture(scope="module")
def encoder():
    return StaticEncoder()


def test_vectors_are_of_unit_length(encoder):
    vectors = encoder.encode(["How do I sort a list?", "rain", "x" * 10_000])

    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_likeness_follows_the_words(encoder):
    asked, near, far = encoder.encode(
        ["will it rain in Berlin", "is rain expected in Vienna", "merge two sorted lists"]
    )

    assert asked @ near > asked @ far


def test_a_text_without_words_has_no_direction(encoder):
    assert encoder.encode([""]).tolist() == [[0.0] * 384]
