"""Declared metrics: what they score, what they leave alone, and that they are blind."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import TypeAdapter

from engine.config.metric import Metric
from engine.errors import ConfigError, UnmeasuredError, UpstreamError
from engine.evaluate.evaluator import evaluator_of
from engine.evaluate.reference import shared_words

TRACE = {
    "trace_id": "t1",
    "variant": "abc",
    "question": "What does  DEL do?",
    "answer": "It deletes a name.",
}


def metric(**said):
    return TypeAdapter(Metric).validate_python(said)


def scored(trace=None, *, folder=None, **said):
    return evaluator_of(metric(**said), folder)(TRACE | (trace or {}))


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ({"contains": "DELETES"}, True),
        ({"contains": "keeps"}, False),
        ({"any_of": ["keeps", "a  name"]}, True),
        ({"all_of": ["deletes", "keeps"]}, False),
        ({"regex": r"^it\b"}, True),
        ({"max_chars": 5}, False),
        ({"valid_json": True}, False),
        ({"contains": "deletes", "max_chars": 5}, False),
    ],
)
def test_a_rule_checks_the_text_alone(rule, passes):
    assert scored(type="rule", **rule) == float(passes)


def test_a_rule_may_want_json():
    assert scored({"answer": '{"a": 1}'}, type="rule", valid_json=True) == 1.0


@pytest.fixture
def known(tmp_path):
    lines = [{"question": "what does del do?", "facts": [["removes", "deletes"], "namespace"]}]
    (tmp_path / "known.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    return tmp_path


def test_a_reference_counts_the_facts_that_an_answer_holds(known):
    assert scored(type="reference", file="known.jsonl", folder=known) == 0.5


def test_a_reference_may_count_shared_words(known):
    found = scored(type="reference", file="known.jsonl", match="f1", folder=known)

    assert found == pytest.approx(shared_words("It deletes a name.", "deletes") / 2.0)
    assert shared_words("one two", "two three") == pytest.approx(0.5)
    assert shared_words("one", "two") == 0.0


def test_a_reference_says_nothing_of_other_questions(known):
    assert scored({"question": "Why?"}, type="reference", file="known.jsonl", folder=known) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no json", "known.jsonl:1: not JSON"),
        ('{"question": "a"}', "`question` and a list of `facts`"),
        ('{"question": "a", "facts": [3]}', "got the fact 3"),
        ('{"question": "a", "facts": [[]]}', r"got the fact \[\]"),
    ],
)
def test_a_reference_that_cannot_be_read_is_refused_with_its_line(tmp_path, text, why):
    (tmp_path / "known.jsonl").write_text(text)

    with pytest.raises(ConfigError, match=why):
        scored(type="reference", file="known.jsonl", folder=tmp_path)


def test_a_missing_reference_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="can't be read"):
        scored(type="reference", file="gone.jsonl", folder=tmp_path)


def polite(question, answer, trace):
    assert trace.keys() == {"trace_id", "question", "answer"}
    return 0.25


def generous(question, answer, trace):
    return 7


def test_an_own_function_is_blind_to_the_variant():
    assert scored(type="python", function=f"{__name__}:polite") == 0.25


def test_an_own_score_outside_its_range_is_no_score():
    with pytest.raises(UnmeasuredError, match=r"gave 7; a score lies in \[0, 1\]"):
        scored(type="python", function=f"{__name__}:generous")


@pytest.mark.parametrize(
    ("name", "why"),
    [("no_such_module:f", "can't be imported"), ("json:gone", "can't be imported")],
)
def test_a_function_that_is_not_there_is_refused(name, why):
    with pytest.raises(ConfigError, match=why):
        scored(type="python", function=name)


def test_what_is_no_function_is_refused():
    with pytest.raises(ConfigError, match="is no function"):
        scored(type="python", function="sys:path")


@pytest.fixture
def judge(monkeypatch):
    """An OpenAI-compatible endpoint that says what a test wants and keeps what it was asked."""
    asked, says = [], ["4"]

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            message = {"role": "assistant", "content": says[0]}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "judge-1"}
            body = json.dumps(reply | {"choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    yield f"http://127.0.0.1:{server.server_port}/v1", asked, says
    server.shutdown()
    server.server_close()
    thread.join()


def judged(url, trace=None):
    prompt = "Rate from 0 to 5. Question: {question} Answer: {answer}"
    return scored(trace, type="judge", model="judge-1", base_url=url, prompt=prompt)


def test_a_judge_reads_the_question_and_the_answer_and_no_more(judge):
    url, asked, _ = judge

    assert judged(url, {"answer": "see {question}"}) == pytest.approx(0.8)
    (request,) = asked
    assert request["model"] == "judge-1"
    text = request["messages"][0]["content"]
    assert text.endswith("Question: What does  DEL do? Answer: see {question}")
    assert "abc" not in json.dumps(asked)


@pytest.mark.parametrize("said", ["no idea", "6 of 5", ""])
def test_a_judge_without_a_number_of_its_scale_gives_no_score(judge, said):
    url, _, says = judge
    says[0] = said

    with pytest.raises(UpstreamError, match="a number from 0 to 5 is wanted first"):
        judged(url)
