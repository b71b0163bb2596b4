"""A calibrated metric rests on another declared one, and says so where it does not."""

import pytest

from engine.config.experiment import load_experiment
from engine.errors import ConfigError
from tests.engine.config.examples import EXPERIMENT, WORKFLOW, broken, write

METRICS = """\
metrics:
  polite: {type: rule, contains: please}
  fair: {type: calibrated, by: polite, audited: 0.2}
space:
"""
DECLARED = broken(EXPERIMENT, "space:\n", METRICS)
RECORDING = broken(WORKFLOW, "llm:\n", "record_text: true\nllm:\n")


def refusal(folder, experiment, workflow=RECORDING):
    with pytest.raises(ConfigError) as refused:
        load_experiment(write(folder, workflow, experiment))
    return str(refused.value)


def test_a_calibrated_metric_may_decide(tmp_path):
    text = broken(DECLARED, "metric: quality", "metric: fair")

    experiment = load_experiment(write(tmp_path, RECORDING, text)).experiment

    assert experiment.metric(experiment.objective.metric).by == "polite"


def test_a_tenth_is_audited_where_nothing_is_said(tmp_path):
    text = broken(DECLARED, ", audited: 0.2", "")

    assert (
        load_experiment(write(tmp_path, RECORDING, text)).experiment.metric("fair").audited == 0.1
    )


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("polit", "got 'polit', which is no evaluator among `metrics`; did you mean `polite`?"),
        ("fair", "got 'fair', which is no evaluator among `metrics`; known: `polite`"),
        ("quality", "got 'quality', which is no evaluator among `metrics`; known: `polite`"),
    ],
)
def test_by_names_a_declared_evaluator(tmp_path, by, said):
    message = refusal(tmp_path, broken(DECLARED, "by: polite", f"by: {by}"))

    assert f"metrics.fair.by: {said}" in message


def test_without_any_evaluator_one_has_to_be_declared(tmp_path):
    text = broken(DECLARED, "  polite: {type: rule, contains: please}\n", "")

    assert "declare a judge, rule, reference or python metric" in refusal(tmp_path, text)


@pytest.mark.parametrize("share", ["0", "1", "1.5"])
def test_nobody_and_everybody_is_no_audit(tmp_path, share):
    message = refusal(tmp_path, broken(DECLARED, "audited: 0.2", f"audited: {share}"))

    assert "metrics.fair" in message
    assert "audited" in message


def test_what_people_label_has_to_be_kept(tmp_path):
    assert "record_text: true" in refusal(tmp_path, DECLARED, WORKFLOW)
