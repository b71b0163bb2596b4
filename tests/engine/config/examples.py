"""A right workflow file and a right experiment file, to be broken one line at a time."""

WORKFLOW = """\
workflow: docs-qa
llm:
  temperature: 0.2
  prompt: plain
prompts:
  plain: Answer.
  terse: Be short.
rag:
  top_k: 4
router:
  tool_keywords: [sum]
nodes:
  qa_agent: {default: true}
  qa_with_tool_agent: {}
"""

EXPERIMENT = """\
experiment: docs-qa
workflow: workflow.yaml
mode: auto
alpha: 0.05
objective: {metric: quality, mde: 0.02}
maturation_s: 8
min_cycle_s: 0
guardrails: {latency_ratio: 1.2, error_margin: 0.02}
windows:
  concurrent: 3
  share: 0.12
  exploration_cap: 0.4
  min_units: 200
  max_units: 1200
  lease_s: 10
ramp: {steps: [0.25, 0.5, 0.9], min_units: 150}
holdback: 0.1
sampler: {name: tpe, startup_trials: 6}
space:
  llm.temperature: {type: float, low: 0.0, high: 1.0}
  rag.top_k: {type: int, low: 1, high: 12}
  rag.chunk_chars: {type: choice, choices: [200, 300, 500]}
  rag.rerank.enabled: {type: bool}
  rag.rerank.depth: {type: int, low: 10, high: 40, when: {rag.rerank.enabled: true}}
  llm.prompt: {type: choice, choices: [plain, terse]}
exclusive:
  - [nodes.qa_agent.default, nodes.qa_with_tool_agent.default]
forbidden:
  - {llm.prompt: terse, rag.rerank.enabled: true}
"""


def broken(text, old, new):
    """The text with one piece exchanged; the piece must be there exactly once."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def write(folder, workflow=WORKFLOW, experiment=EXPERIMENT):
    (folder / "workflow.yaml").write_text(workflow)
    (folder / "experiment.yaml").write_text(experiment)
    return folder / "experiment.yaml"
