import json

import pytest
from pydantic import ValidationError

from engine.config.experiment import Experiment, load_experiment
from engine.config.schema import json_schemas
from tests.engine.config.examples import EXPERIMENT, broken, write


def test_a_right_experiment_brings_its_workflow_and_its_space(tmp_path):
    path = write(tmp_path)

    loaded = load_experiment(path)

    assert loaded.path == path
    assert loaded.workflow.workflow == "docs-qa"
    assert loaded.space.parameters["rag.top_k"].takes(12)
    assert loaded.space.exclusive == (
        ("nodes.qa_agent.default", "nodes.qa_with_tool_agent.default"),
    )
    assert loaded.space.forbids({"llm.prompt": "terse", "rag.rerank.enabled": True})


def test_an_experiment_survives_the_ledger(tmp_path):
    experiment = load_experiment(write(tmp_path)).experiment

    body = json.loads(json.dumps(experiment.model_dump(mode="json")))

    assert Experiment.model_validate(body) == experiment


def test_careful_defaults_apply_where_the_file_says_nothing(tmp_path):
    text = broken(EXPERIMENT, "mode: auto\n", "")

    experiment = load_experiment(write(tmp_path, experiment=text)).experiment

    assert experiment.mode == "suggest"
    assert experiment.max_promotions == 1


def test_an_experiment_never_changes(tmp_path):
    experiment = load_experiment(write(tmp_path)).experiment

    with pytest.raises(ValidationError, match="frozen"):
        experiment.windows.share = 0.5


def test_the_environment_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere")

    assert load_experiment(write(tmp_path)).workflow.llm.base_url == "embedded"


def test_the_schemas_name_every_key_with_its_meaning():
    schemas = json_schemas()

    assert set(schemas) == {"workflow", "experiment"}
    assert set(schemas["experiment"]["required"]) == {
        *("experiment", "workflow", "maturation_s", "min_cycle_s", "space"),
    }
    depth = schemas["workflow"]["$defs"]["Rerank"]["properties"]["depth"]
    assert depth["description"].startswith("Chunks fetched before reranking")
    assert not schemas["experiment"]["additionalProperties"]
