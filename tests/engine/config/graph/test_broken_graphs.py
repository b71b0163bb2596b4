"""What is wrong with a graph is said when it is loaded, at its line, with what to write."""

import pytest

from engine.config.source import load
from engine.config.workflow import Workflow
from engine.errors import ConfigError

WORKFLOW = """\
workflow: orders
durable: true
prompts: {plain: Answer.}
graph:
  input: {question: text, numbers: "list[integer]", order: object, count: integer}
  nodes:
    classify: {type: intent, text: input.question, keywords: {refund: [money]}}
    find: {type: retrieve, query: input.question}
    answer: {type: model, system: plain, say: "{{ find.text }}", fields: {score: number}}
    agent: {type: agent, say: "{{ input.question }}", pattern: react}
    pay: {type: tool, tool: pay, arguments: {order: input.order}}
    check: {type: call, call: "checks:risk", arguments: {order: input.order}, returns: integer}
    ask: {type: person, ask: "Pay {{ input.count }}?"}
    either: {type: first, of: [answer.text, agent.text]}
    all:
      type: map
      over: input.numbers
      each:
        input: {item: integer}
        nodes:
          twice: {type: text, text: "{{ input.item }}{{ input.item }}"}
        output: twice.text
    again:
      type: loop
      most: 3
      until: more.text == "end"
      given: {word: input.question}
      carry: {word: more.text}
      body:
        input: {word: text}
        nodes:
          more: {type: text, text: "{{ input.word }}!"}
        output: more.text
    sub:
      type: graph
      given: {name: input.question}
      body:
        input: {name: text}
        nodes: {hi: {type: text, text: "hi {{ input.name }}"}}
        output: hi.text
  output: either.value
"""
G = "graph.nodes"

BROKEN = [
    # unknown steps and inputs
    (
        "{{ find.text }}",
        "{{ fnd.text }}",
        f"9:47: {G}.answer.say: got `fnd.text`, but there is no step `fnd`; did you mean `find`?",
    ),
    (
        "{{ find.text }}",
        "{{ find.txt }}",
        f"9:47: {G}.answer.say: got `find.txt`, but step `find` gives no `txt`; "
        "did you mean `find.text`?",
    ),
    (
        "query: input.question",
        "query: input.quest",
        f"8:35: {G}.find.query: got `input.quest`, but the input holds no `quest`; "
        "did you mean `input.question`?",
    ),
    (
        "of: [answer.text, agent.text]",
        "of: [answer.text, agnt.text]",
        f"14:45: {G}.either.of[1]: got `agnt.text`, but there is no step `agnt`; "
        "did you mean `agent`?",
    ),
    (
        "output: either.value",
        "output: eithr.value",
        "41:11: graph.output: got `eithr.value`, but there is no step `eithr`; "
        "did you mean `either`?",
    ),
    (
        "output: either.value",
        "output: either",
        "41:11: graph.output: got `either`, which is a whole step; name one of `either.value`",
    ),
    (
        "output: either.value",
        "output: either.text",
        "41:11: graph.output: got `either.text`, but step `either` gives no `text`; "
        "did you mean `either.value`?",
    ),
    (
        "query: input.question}",
        "query: input.question, after: [classfy]}",
        f"8:59: {G}.find.after[0]: got 'classfy', which is no step; did you mean `classify`?",
    ),
    (
        "query: input.question}",
        'query: input.question, when: "classify.intnt == 1"}',
        f"8:57: {G}.find.when: got `classify.intnt`, but step `classify` gives no `intnt`; "
        "did you mean `classify.intent`?",
    ),
    # kinds
    (
        "query: input.question",
        "query: input.count",
        f"8:35: {G}.find.query: got `input.count`, which is integer; name text",
    ),
    (
        "over: input.numbers",
        "over: input.question",
        f"17:13: {G}.all.over: got `input.question`, which is text; name a list",
    ),
    (
        "over: input.numbers",
        "over: input",
        f"17:13: {G}.all.over: got `input`, which is a whole step; name one of "
        "`input.question`, `input.numbers`, `input.order`, `input.count`",
    ),
    (
        "text: input.question",
        "text: input.numbers",
        f"7:36: {G}.classify.text: got `input.numbers`, which is list[integer]; name text",
    ),
    (
        "text: input.question",
        "text: input.count.digits",
        f"7:36: {G}.classify.text: got `input.count.digits`, but `input.count` is integer",
    ),
    (
        "of: [answer.text, agent.text]",
        "of: [answer.text, check.result]",
        f"14:31: {G}.either.of: got integer and text; name values of one kind",
    ),
    (
        "given: {word: input.question}",
        "given: {word: input.count}",
        f"27:21: {G}.again.given.word: got `input.count`, which is integer; name text",
    ),
    (
        "input: {question: text,",
        "input: {question: string,",
        "5:21: graph.input.question: got the text 'string'; write text like 'text' that matches "
        r"`^(text|integer|number|boolean|object|any|list\[(text|integer|number|boolean|object|any)"
        r"\])$`",
    ),
    # templates and conditions
    (
        "{{ find.text }}",
        "{{ find.text",
        f"9:47: {G}.answer.say: got '{{{{ find.text', which is no template: "
        "unexpected end of input, expected end of variable block",
    ),
    (
        'until: more.text == "end"',
        "until: more.text ==",
        f"26:14: {G}.again.until: got 'more.text ==', which is no condition: unexpected `)`",
    ),
    (
        'until: more.text == "end"',
        "until: mor.text",
        f"26:14: {G}.again.until: got `mor.text`, but there is no step `mor`; did you mean `more`?",
    ),
    (
        "query: input.question}",
        'query: input.question, when: "{% if %}"}',
        f"8:57: {G}.find.when: got '{{% if %}}', which is no condition: unexpected `%`",
    ),
    # cycles and bounds
    (
        "query: input.question}",
        "query: answer.text}",
        f"8:5: {G}.find: `find` → `answer` → `find` wait for each other; "
        "use a step of type `loop`, which has a bound",
    ),
    (
        "arguments: {order: input.order}}\n",
        "arguments: {order: pay.text}}\n",
        f"11:5: {G}.pay: `pay` → `pay` wait for each other; "
        "use a step of type `loop`, which has a bound",
    ),
    ("      most: 3\n", "", f"23:5: {G}.again.most: missing; add a whole number from 1 to 1000"),
    (
        "most: 3",
        "most: 100000",
        f"25:13: {G}.again.most: got 100000; write a whole number from 1 to 1000",
    ),
    (
        "over: input.numbers",
        "over: input.numbers\n      at_once: 0",
        f"18:16: {G}.all.at_once: got 0; write a whole number from 1 to 256",
    ),
    # sub-graphs
    (
        "given: {word: input.question}",
        "given: {}",
        f"30:17: {G}.again.body.input.word: the sub-graph needs `word`, which nothing gives; "
        "add it to `given`",
    ),
    (
        "given: {name: input.question}",
        "given: {name: input.question, nam: input.question}",
        f"36:37: {G}.sub.given.nam: the sub-graph has no input `nam`; did you mean `name`?",
    ),
    (
        "carry: {word: more.text}",
        "carry: {wrd: more.text}",
        f"28:15: {G}.again.carry.wrd: the sub-graph has no input `wrd`; did you mean `word`?",
    ),
    (
        "carry: {word: more.text}",
        "carry: {word: more.txt}",
        f"28:21: {G}.again.carry.word: got `more.txt`, but step `more` gives no `txt`; "
        "did you mean `more.text`?",
    ),
    (
        "{{ input.item }}{{ input.item }}",
        "{{ find.text }}",
        f"21:37: {G}.all.each.nodes.twice.text: got `find.text`, but there is no step `find`; "
        "known: `input`, `twice`",
    ),
    (
        "input: {item: integer}",
        "input: {item: integer, unit: text}",
        f"19:32: {G}.all.each.input.unit: the sub-graph needs `unit`, which nothing gives; "
        "add it to `given`",
    ),
    (
        "output: hi.text",
        "output: ho.text",
        f"40:17: {G}.sub.body.output: got `ho.text`, but there is no step `ho`; "
        "known: `hi`, `input`",
    ),
    # settings of steps
    (
        "type: retrieve",
        "type: retreive",
        f"8:18: {G}.find.type: got the text 'retreive'; write one of 'agent', 'call', 'first', "
        "'graph', 'intent', 'loop', 'map', 'model', 'person', 'retrieve', 'text', 'tool', "
        "'transcribe' "
        "(did you mean 'retrieve'?)",
    ),
    (
        "type: retrieve, ",
        "",
        f"8:5: {G}.find.type: missing; add one of 'agent', 'call', 'first', 'graph', 'intent', "
        "'loop', 'map', 'model', 'person', 'retrieve', 'text', 'tool', 'transcribe'",
    ),
    (
        "query: input.question}",
        "query: input.question, topk: 3}",
        f"8:51: {G}.find.topk: unknown key; did you mean `{G}.find.top_k`?",
    ),
    (
        "system: plain",
        "system: plan",
        f"9:35: {G}.answer.system: got 'plan', which `prompts` does not hold; "
        "did you mean `plain`?",
    ),
    (
        "pattern: react",
        "pattern: recat",
        f"10:64: {G}.agent.pattern: got the text 'recat'; write one of 'single', 'calling', "
        "'react', 'team', 'draft_review', 'shortcut' (did you mean 'react'?)",
    ),
    (
        "returns: integer",
        "returns: integer, effect: write, retries: 2",
        f"12:121: {G}.check.retries: got 2; a step that changes something isn't tried again; "
        "write 0 or `effect: read`",
    ),
    (
        'call: "checks:risk"',
        'call: "checks.risk"',
        f"12:31: {G}.check.call: got the text 'checks.risk'; write text like 'my_package.checks:"
        r"risk' that matches `^[\w.]+:\w+$`",
    ),
    (
        "tool: pay,",
        "tool: pay, constants: {order: 3},",
        f"11:46: {G}.pay.constants.order: given twice: here and under `arguments`; keep one",
    ),
    (
        "tool: pay,",
        "tool: pay, on_error: fallback,",
        f"11:44: {G}.pay.on_error: got 'fallback' without `instead`; add the text to fall to",
    ),
    (
        "returns: integer",
        "returns: integer, on_error: fallback, instead: x",
        f"12:107: {G}.check.on_error: got 'fallback', but a step of type `call` gives no text "
        "that another could stand for; write skip or terminate",
    ),
    (
        "of: [answer.text, agent.text]",
        "of: [answer.text]",
        f"14:31: {G}.either.of: got a list of 1; write a list of at least 2, "
        r"each item text like 'answer.text' that matches `^[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)*$`",
    ),
    (
        'ask: "Pay {{ input.count }}?"}',
        'ask: "Pay?", options: []}',
        f"13:47: {G}.ask.options: got none; name approve, reject or answer",
    ),
    (
        "durable: true\n",
        "",
        f"12:5: {G}.ask: a person may take days; write `durable: true` at the top of the file",
    ),
    (
        "    classify:",
        "    Classify:",
        f"7:5: {G}.Classify: got the name 'Classify'; write one that matches "
        "`^[a-z][a-z0-9_]{0,62}$`",
    ),
    (
        "    classify:",
        "    input:",
        f"7:5: {G}.input: no step may be called `input`; give it another name",
    ),
]


def problems(path):
    with pytest.raises(ConfigError) as refused:
        load(path, Workflow)
    return str(refused.value).replace(f"{path}:", "")


@pytest.mark.parametrize(("old", "new", "message"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_graph_is_refused_where_it_is_broken(tmp_path, old, new, message):
    assert WORKFLOW.count(old) >= 1, old
    path = tmp_path / "workflow.yaml"
    path.write_text(WORKFLOW.replace(old, new, 1))

    assert problems(path) == message


def test_the_graph_itself_is_fine(tmp_path):
    path = tmp_path / "workflow.yaml"
    path.write_text(WORKFLOW)

    assert load(path, Workflow).graph.gives() == "text"


def test_every_problem_is_named_at_once(tmp_path):
    path = tmp_path / "workflow.yaml"
    broken = WORKFLOW.replace("query: input.question", "query: input.count")
    path.write_text(broken.replace("over: input.numbers", "over: input.question"))

    assert len(problems(path).splitlines()) == 2


def test_graphs_within_graphs_have_a_bottom(tmp_path):
    graph = {"input": {}, "nodes": {"x": {"type": "text", "text": "x"}}, "output": "x.text"}
    for _ in range(8):
        inner = {"type": "graph", "body": graph}
        graph = {"input": {}, "nodes": {"x": inner}, "output": "x.value"}

    with pytest.raises(ValueError, match="graphs within graphs, 9 deep; at most 8"):
        Workflow.model_validate({"workflow": "deep", "graph": graph})
