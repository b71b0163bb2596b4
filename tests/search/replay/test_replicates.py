"""Laws of replicates: every question is answered in its order, by whichever process."""

import pytest

from search.replay.engine import Asked
from search.replay.replicates import Field, replicated
from tests.search.replay.tables import experiment, table


def asked(*seeds):
    return [Asked(policy="article", baseline="v0", requests=3_000, seed=seed) for seed in seeds]


@pytest.fixture(scope="module")
def field():
    return Field(table(0.5, 0.6, 0.7, units=500), experiment())


def test_processes_answer_what_one_answers_in_its_order(field):
    told = []

    alone = replicated(field, asked(3, 1, 2), jobs=1, progress=lambda count: None)
    spread = replicated(field, asked(3, 1, 2), jobs=2, progress=told.append)

    assert spread == alone
    assert [one.seed for one in spread] == [3, 1, 2]
    assert told == [1, 2, 3]
