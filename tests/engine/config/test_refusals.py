"""Files that must be refused, each with the one message that it must be refused with."""

import pytest

from engine.config.experiment import load_experiment, load_workflow
from engine.errors import ConfigError
from tests.engine.config.examples import EXPERIMENT, WORKFLOW, broken, write

TOP_K = "  top_k: 4\n"
NAME = "text like 'docs-qa' that matches `^[a-z][a-z0-9-]{0,62}$`"

WORKFLOWS = [
    (TOP_K, "  topk: 4\n", "9:3: rag.topk: unknown key; did you mean `rag.top_k`?"),
    (
        TOP_K,
        "  top_k: four\n",
        "9:10: rag.top_k: got the text 'four'; write a whole number from 1 to 50",
    ),
    (TOP_K, "  top_k: 4.0\n", "9:10: rag.top_k: got 4.0; write a whole number from 1 to 50"),
    (TOP_K, "  top_k: true\n", "9:10: rag.top_k: got true; write a whole number from 1 to 50"),
    (TOP_K, "  top_k: 51\n", "9:10: rag.top_k: got 51; write a whole number from 1 to 50"),
    (TOP_K, "  top_k:\n", "9:3: rag.top_k: got nothing; write a whole number from 1 to 50"),
    (TOP_K, "  top_k: .nan\n", "9:10: rag.top_k: got .nan; write a finite number"),
    (
        TOP_K,
        "  top_k: 010\n",
        "9:10: rag.top_k: 010 reads differently between versions of YAML; write it plainly",
    ),
    (TOP_K, TOP_K * 2, "10:3: rag.top_k: written twice, first on line 9; delete one"),
    (TOP_K, "  top_k: !x 4\n", "9:10: rag.top_k: the tag `!x` is not read; write a plain value"),
    (
        TOP_K,
        "  <<: {top_k: 4}\n",
        "9:3: merge keys (`<<`) are not read; write the settings out",
    ),
    (TOP_K, "  top_k: *four\n", "9:10: not readable as YAML: found undefined alias 'four'"),
    (
        TOP_K,
        "\ttop_k: 4\n",
        "9:1: not readable as YAML: found character tab that cannot start any token, "
        "while scanning for the next token",
    ),
    (
        TOP_K,
        "  rerank: {enabled: true, dept: 20}\n",
        "9:27: rag.rerank.dept: unknown key; did you mean `rag.rerank.depth`?",
    ),
    (
        TOP_K,
        "  corpus: python\n",
        "9:11: rag.corpus: got the text 'python'; write text like 'folder:docs' that matches "
        "`^(python-reference|folder:.+)$`",
    ),
    (
        "rag:\n  top_k: 4\n",
        "rag: 4\n",
        "8:6: rag: got 4; write a mapping with keys such as "
        "`corpus`, `embedding`, `chunker`, `chunk_chars`, `mode`, `fusion` and 3 more",
    ),
    ("rag:\n  top_k: 4\n", "top_k: 4\n", "8:1: top_k: unknown key; did you mean `rag.top_k`?"),
    ("workflow: docs-qa\n", "", f"1:1: workflow: missing; add {NAME}"),
    (
        "workflow: docs-qa\n",
        "workflow: Docs QA\n",
        f"1:11: workflow: got the text 'Docs QA'; write {NAME}",
    ),
    (
        "prompt: plain",
        "prompt: plan",
        "4:11: llm.prompt: got 'plan', which `prompts` does not hold; did you mean `plain`?",
    ),
    (
        "{default: true}",
        "{default: yes}",
        "13:23: nodes.qa_agent.default: got the text 'yes'; write true or false",
    ),
    (
        "{default: true}",
        "{default: true, enabled: false}",
        "13:38: nodes.qa_agent.enabled: the default agent can't be disabled; "
        "enable it or make another the default",
    ),
    (
        "qa_with_tool_agent: {}",
        "qa_with_tool_agent: {default: true}",
        "13:3: nodes: got `qa_agent`, `qa_with_tool_agent` as the default; "
        "write `default: true` for exactly one agent",
    ),
    (
        "  qa_with_tool_agent: {}",
        "  tool_agent: {}",
        "14:3: nodes.tool_agent: unknown key; did you mean `nodes.qa_with_tool_agent`?",
    ),
    ("[sum]", "[sum, 3]", "11:24: router.tool_keywords[1]: got 3; write text"),
    (
        "[sum]",
        "sum",
        "11:18: router.tool_keywords: got the text 'sum'; write a list, each item text",
    ),
    ("  plain: Answer.", "  1: Answer.", "6:3: the key 1 is no text; write it in quotes"),
    (WORKFLOW, "", "1:1: the file is empty; write at least the required settings"),
    (WORKFLOW, "# later\n- a\n", "2:1: not a mapping; write `setting: value` lines"),
    (
        WORKFLOW,
        "a: [1\nb: 2\n",
        "2:2: not readable as YAML: expected ',' or ']', but got ':', "
        "while parsing a flow sequence",
    ),
    (
        WORKFLOW,
        "workflow: a\nprompts: &p {plain: *p}\n",
        "2:14: an alias contains itself; write the values out",
    ),
    (
        "[sum]",
        "[sum, 'a\x01']",
        "11:26: a character that no text file holds; delete it or write it as an escape in quotes",
    ),
]

ENABLED = "  nodes.qa_agent.enabled: {type: bool}\n  llm.prompt: {type: choice, choices: [p"
EXPERIMENTS = [
    ("maturation_s: 8\n", "", "1:1: maturation_s: missing; add a number, at least 0"),
    ("min_cycle_s: 0\n", "", "1:1: min_cycle_s: missing; add a number, at least 0"),
    (
        "mode: auto",
        "mode: automatic",
        "3:7: mode: got the text 'automatic'; write one of 'report', 'suggest', 'experiment', "
        "'auto' (did you mean 'auto'?)",
    ),
    ("alpha: 0.05", "alpha: 1e400", "4:8: alpha: got 1e400; write a finite number"),
    (
        "share: 0.12",
        "share: 0.2",
        "11:10: windows.share: 3 windows of 0.2 take 0.6 of the traffic; "
        "write at most 0.133 or raise the cap",
    ),
    (
        "max_units: 1200",
        "max_units: 100",
        "14:14: windows.max_units: got 100; write at least min_units, which is 200",
    ),
    (
        "0.5, 0.9]",
        "0.9, 0.5]",
        "16:27: ramp.steps[2]: got 0.5 after 0.9; a ramp only widens, write a larger share",
    ),
    (
        "steps: [0.25",
        "steps: [0.1",
        "16:16: ramp.steps[0]: got 0.1 after 0.12; a ramp only widens, write a larger share",
    ),
    (
        "holdback: 0.1",
        "holdback: 0.2",
        "16:27: ramp.steps[2]: got 0.9; the last step is all but the holdback, write 0.8",
    ),
    (
        "exploration_cap: 0.4",
        "exploration_cap: 0.95",
        "12:20: windows.exploration_cap: got 0.95; the holdback leaves 0.9, write at most that",
    ),
    (
        "  exploration_cap: 0.4\n",
        "  exploration_cap: 0.4\n  boost_cap: 0.3\n",
        "13:14: windows.boost_cap: got 0.3; write at least exploration_cap, 0.4",
    ),
    (
        "  exploration_cap: 0.4\n",
        "  exploration_cap: 0.4\n  boost_cap: 0.95\n",
        "13:14: windows.boost_cap: got 0.95; the holdback leaves 0.9, write at most that",
    ),
    (
        "workflow: workflow.yaml",
        "workflow: workflw.yaml",
        "2:11: workflow: got 'workflw.yaml', which is no file; did you mean `workflow.yaml`?",
    ),
    (
        "  concurrent: 3\n  share: 0.12",
        "  concurrent: 4\n  share: 0.1",
        "10:15: windows.concurrent: needs 6 slots and workflow.yaml has 5; "
        "write at most 3, or `deploy.slots: 6` there",
    ),
    (
        "  lease_s: 10\n",
        "  lease: 10\n",
        "15:3: windows.lease: unknown key; did you mean `windows.lease_s`?",
    ),
    (
        "  lease_s: 10\n",
        "  zzyzx: 10\n",
        "15:3: windows.zzyzx: unknown key; known here: `concurrent`, `share`, `exploration_cap`, "
        "`boost_cap`, `allocation`, `allocate_s`, `min_units`, `max_units`, `looks`, `lease_s`, "
        "`max_trials`",
    ),
    (
        "{type: int, low: 1,",
        "{typ: int, low: 1,",
        "21:3: space.rag.top_k.type: missing; add one of 'bool', 'choice', 'float', 'int'",
    ),
    (
        "{type: int, low: 1,",
        "{type: itn, low: 1,",
        "21:21: space.rag.top_k.type: got the text 'itn'; write one of 'bool', 'choice', 'float', "
        "'int' (did you mean 'int'?)",
    ),
    (
        "high: 12}",
        "high: 12, hihg: 3}",
        "21:44: space.rag.top_k.hihg: unknown key; did you mean `space.rag.top_k.high`?",
    ),
    (
        "high: 12}",
        "high: 60}",
        "21:40: space.rag.top_k.high: got 60; write a whole number from 1 to 50",
    ),
    (
        "high: 12}",
        "high: 1}",
        "21:40: space.rag.top_k.high: got 1; write a number above low, which is 1",
    ),
    (
        "high: 1.0}",
        "high: 1.0, step: 0.3}",
        "20:50: space.llm.temperature.high: got 1; write low plus a multiple of step",
    ),
    (
        "high: 1.0}",
        "high: 1.0, log: true}",
        "20:39: space.llm.temperature.low: got 0; with `log: true` write a number above 0",
    ),
    (
        "  llm.temperature:",
        "  llm.temprature:",
        "20:3: space.llm.temprature: no parameter of the workflow; did you mean `llm.temperature`?",
    ),
    (
        "rag.top_k: {type: int,",
        "rag.top_k: {type: float,",
        "21:21: space.rag.top_k.type: got 'float', but the setting is a whole number; "
        "write `int` or `choice`",
    ),
    (
        "rag.top_k: {type: int, low: 1, high: 12}",
        "router.tool_keywords: {type: bool}",
        "21:3: space.router.tool_keywords: a list can't be searched; set it in the workflow",
    ),
    (
        "[200, 300, 500]",
        "[200, 50, 500]",
        "22:50: space.rag.chunk_chars.choices[1]: got 50; write a whole number from 100 to 4000",
    ),
    (
        "[200, 300, 500]",
        "[200, 300, 200]",
        "22:55: space.rag.chunk_chars.choices[2]: got 200 twice; delete one",
    ),
    (
        "[200, 300, 500]",
        "[200]",
        "22:44: space.rag.chunk_chars.choices: got a list of 1; write a list of at least 2, "
        "each item true or false, a number or text",
    ),
    (
        "{type: bool}",
        "{type: bool, risk: medium}",
        "23:42: space.rag.rerank.enabled.risk: got the text 'medium'; write one of 'low', 'high'",
    ),
    (
        "when: {rag.rerank.enabled:",
        "when: {rag.rerank.enable:",
        "24:59: space.rag.rerank.depth.when.rag.rerank.enable: no parameter of the space; "
        "did you mean `rag.rerank.enabled`?",
    ),
    (
        "when: {rag.rerank.enabled: true}",
        "when: {rag.rerank.enabled: 1}",
        "24:79: space.rag.rerank.depth.when.rag.rerank.enabled: got 1, which "
        "`rag.rerank.enabled` never takes; write a value of its range",
    ),
    (
        "{type: bool}",
        "{type: bool, when: {rag.rerank.depth: 20}}",
        "23:43: space.rag.rerank.enabled.when.rag.rerank.depth: `rag.rerank.enabled` would wait "
        "for itself; break the circle\n"
        "24:59: space.rag.rerank.depth.when.rag.rerank.enabled: `rag.rerank.depth` would wait "
        "for itself; break the circle",
    ),
    (
        "{type: bool}",
        "{type: bool, when: {}}",
        "23:42: space.rag.rerank.enabled.when: an empty condition; name a parameter and its value, "
        "or delete `when`",
    ),
    (
        "llm.prompt: {type: choice, choices: [p",
        ENABLED.strip(),
        "25:34: space.nodes.qa_agent.enabled.type: impossible beside "
        "`nodes.qa_agent.default: true`; add "
        "`{nodes.qa_agent.enabled: false, nodes.qa_agent.default: true}` to `forbidden`",
    ),
    (
        "  - [nodes.qa_agent.default,",
        "  - [nodes.qa_agent.defalt,",
        "27:6: exclusive[0][0]: got 'nodes.qa_agent.defalt'; no parameter of the workflow; "
        "did you mean `nodes.qa_agent.default`?",
    ),
    (
        "  - [nodes.qa_agent.default,",
        "  - [rag.rerank.enabled,",
        "27:6: exclusive[0][0]: `rag.rerank.enabled` is in `space` as well; delete it in one place",
    ),
    (
        "  - [nodes.qa_agent.default,",
        "  - [llm.max_tokens,",
        "27:5: exclusive[0]: the workflow has 0 of them true; set exactly one there\n"
        "27:6: exclusive[0][0]: got `llm.max_tokens`, which is not true or false; "
        "name switches only",
    ),
    (
        "  - [nodes.qa_agent.default, nodes.qa_with_tool_agent.default]",
        "  - [nodes.qa_agent.default]",
        "27:5: exclusive[0]: a group of fewer than two excludes nothing; "
        "name at least two switches",
    ),
    (
        "  - {llm.prompt: terse,",
        "  - {llm.promt: terse,",
        "29:6: forbidden[0].llm.promt: no parameter of the workflow; did you mean `llm.prompt`?",
    ),
    (
        "  - {llm.prompt: terse,",
        "  - {llm.prompt: ters,",
        "29:18: forbidden[0].llm.prompt: got the text 'ters', which `llm.prompt` never takes here; "
        "write a value of its range",
    ),
    (
        "  - {llm.prompt: terse,",
        "  - {llm.top_p: much,",
        "29:17: forbidden[0].llm.top_p: got the text 'much', but the setting is a number; "
        "write a value it could have",
    ),
    (
        "  - {llm.prompt: terse, rag.rerank.enabled: true}",
        "  - {}",
        "29:5: forbidden[0]: an empty combination forbids everything; name at least one setting",
    ),
]


def expected(path, lines):
    return "\n".join(f"{path}:{line}" for line in lines.split("\n"))


@pytest.mark.parametrize(("old", "new", "message"), WORKFLOWS)
def test_a_broken_workflow_is_refused_where_it_is_broken(tmp_path, old, new, message):
    path = tmp_path / "workflow.yaml"
    path.write_text(broken(WORKFLOW, old, new))

    with pytest.raises(ConfigError) as refused:
        load_workflow(path)

    assert str(refused.value) == expected(path, message)


@pytest.mark.parametrize(("old", "new", "message"), EXPERIMENTS)
def test_a_broken_experiment_is_refused_where_it_is_broken(tmp_path, old, new, message):
    path = write(tmp_path, experiment=broken(EXPERIMENT, old, new))

    with pytest.raises(ConfigError) as refused:
        load_experiment(path)

    assert str(refused.value) == expected(path, message)


def test_every_problem_of_a_file_is_listed_by_position(tmp_path):
    path = tmp_path / "workflow.yaml"
    path.write_text("nodez: {}\nworkflow: 1\nllm: {top_p: 0, temprature: 1}\n")

    with pytest.raises(ConfigError) as refused:
        load_workflow(path)

    assert str(refused.value) == expected(
        path,
        "1:1: nodez: unknown key; did you mean `nodes`?\n"
        f"2:11: workflow: got 1; write {NAME}\n"
        "3:14: llm.top_p: got 0; write a number, above 0 and at most 1\n"
        "3:17: llm.temprature: unknown key; did you mean `llm.temperature`?",
    )


def test_a_broken_workflow_behind_an_experiment_is_refused_in_its_own_file(tmp_path):
    path = write(tmp_path, workflow=broken(WORKFLOW, TOP_K, "  topk: 4\n"))

    with pytest.raises(ConfigError) as refused:
        load_experiment(path)

    assert str(refused.value).startswith(f"{tmp_path / 'workflow.yaml'}:9:3: rag.topk: ")


def test_a_choice_outside_the_workflow_is_refused_with_the_nearest_one(tmp_path):
    text = broken(EXPERIMENT, "choices: [plain, terse]", "choices: [plain, terse, tense]")
    path = write(tmp_path, experiment=text)

    with pytest.raises(ConfigError) as refused:
        load_experiment(path)

    assert str(refused.value) == expected(
        path,
        "25:54: space.llm.prompt.choices[2]: got 'tense', which `prompts` does not hold; "
        "did you mean `terse`?",
    )


def test_an_agent_that_the_workflow_disables_can_not_be_in_an_exclusive_group(tmp_path):
    disabled = broken(WORKFLOW, "qa_with_tool_agent: {}", "qa_with_tool_agent: {enabled: false}")
    path = write(tmp_path, workflow=disabled)

    with pytest.raises(ConfigError) as refused:
        load_experiment(path)

    assert str(refused.value) == expected(
        path,
        "27:30: exclusive[0][1]: `nodes.qa_with_tool_agent.default` can't be true: "
        "nodes.qa_with_tool_agent.enabled: the default agent can't be disabled; "
        "enable it or make another the default",
    )


def test_what_is_impossible_may_be_searched_once_it_is_forbidden(tmp_path):
    text = broken(EXPERIMENT, "  llm.prompt: {type: choice, choices: [p", ENABLED)
    combination = "  - {nodes.qa_agent.enabled: false, nodes.qa_agent.default: true}\n"
    path = write(tmp_path, experiment=text + combination)

    space = load_experiment(path).space

    assert space.forbids({"nodes.qa_agent.enabled": False, "nodes.qa_agent.default": True})
