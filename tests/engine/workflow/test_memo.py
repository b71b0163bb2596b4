import numpy as np

from engine.workflow.memo import QueryMemo


class Ones:
    """Encodes flatly and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    async def __call__(self, texts):
        self.asked += texts
        return np.ones((len(texts), 4), dtype=np.float32)


async def test_a_question_is_encoded_once_while_it_is_remembered():
    encoder = Ones()
    memo = QueryMemo(encoder, size=2)

    hits = [(await memo.vector(question)).hit for question in ("a", "a", "b", "c", "a")]

    assert hits == [False, True, False, False, False]
    assert encoder.asked == ["a", "b", "c", "a"]


async def test_what_was_learnt_counts_as_the_newest():
    encoder = Ones()
    memo = QueryMemo(encoder, size=2)
    await memo.vector("a")
    await memo.vector("b")

    memo.learn(["a", "c"], np.zeros((2, 4), dtype=np.float32))

    assert (await memo.vector("a")).vector.sum() == 0.0
    assert not (await memo.vector("b")).hit
