import json

import pytest

from engine.workflow.corpus import python_reference
from serve_apps.tasks.footprint import (
    LONGEST_BYTES,
    SHORTEST_BYTES,
    conversations,
    footprint_finished,
    footprint_queued,
)

QUESTIONS = ["What does `with` call first?", "When is `__del__` called?", "Why is 0.1 not 0.1?"]


def some(most, seed=1):
    return list(
        conversations(QUESTIONS, python_reference(), most=most, paraphrased=0.05, seed=seed)
    )


def test_conversations_are_as_long_as_people_make_them():
    sizes = [len(one.asked) for one in some(200)]

    assert min(sizes) >= SHORTEST_BYTES
    assert sorted(sizes)[100] < LONGEST_BYTES / 2
    assert max(sizes) < 2 * LONGEST_BYTES


def test_the_same_seed_makes_the_same_conversations():
    assert some(3) == some(3)
    assert some(3) != some(3, seed=2)


def test_a_conversation_is_a_request_as_clients_send_them():
    said = json.loads(some(1)[0].asked)

    assert said["messages"][-1]["role"] == "user"
    assert {one["role"] for one in said["messages"]} == {"user", "assistant"}


@pytest.mark.parametrize("footprint", [footprint_queued, footprint_finished])
def test_the_more_is_kept_the_less_each_conversation_takes(footprint, tmp_path):
    few, many = tmp_path / "few", tmp_path / "many"
    few.mkdir()
    many.mkdir()

    saved = [footprint(few, some(20)).saved, footprint(many, some(300)).saved]

    assert saved[0] < 0.75 < saved[1]
