import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.books.task import Standing
from engine.config.observability import Masking, Observability
from serve_apps.gateway.seen import Seen
from serve_apps.telemetry import table
from tests.serve_apps.telemetry.registry import Registry
from tests.serve_apps.telemetry.requests import SPANS

MASKED = Observability(masking=Masking(stored=True))
CARD = "4111 1111 1111 1111"


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def seen(tmp_path, registry):
    seen = Seen(tmp_path, MASKED, registry.instrument)
    yield seen
    seen.close()


def test_tasks_are_told_as_they_stand_and_as_they_ended(seen, registry):
    seen.tasks(Standing(waiting=3, running=2, oldest_s=7.5), {"done": 4, "expired": 1})
    seen.tasks(Standing(waiting=0, running=1, oldest_s=0.0), {"done": 1})
    seen.close()

    value = registry.value
    assert [value(table.TASKS, state=state) for state in ("waiting", "running")] == [0, 1]
    assert value(table.TASK_WAIT) == 0
    assert [value(table.TASKS_ENDED, outcome=one) for one in ("done", "expired")] == [5, 1]


def test_nothing_is_masked_that_an_operator_did_not_ask_for(tmp_path):
    seen = Seen(tmp_path, Observability(), Registry().instrument)

    assert (seen.kept(CARD), seen.masking) == (CARD, None)
    seen.close()


def test_masking_leaves_a_spans_figures_and_words_of_ours_as_they_are(seen):
    assert seen.kept(list(SPANS)) == list(SPANS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=8), st.lists(st.sampled_from(["why?", CARD, 7, None]))))
def test_a_document_stays_one_without_what_is_sensitive_in_it(seen, said):
    kept = json.loads(seen.masking(json.dumps(said).encode()))

    assert kept.keys() == said.keys()
    assert CARD not in json.dumps(kept)
