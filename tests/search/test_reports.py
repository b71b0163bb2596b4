"""Laws of the report: it says what the books say, shows what is missing, and fetches nothing."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from engine.errors import NotFoundError
from engine.experiment.entries import RolledBack
from search.assessed import assess_trial
from search.books import Decisions, FactsFollower
from search.reports.charts import charts_of
from search.reports.contents import Contents, gather
from search.reports.page import page_of
from search.reports.series import evidence_series, share_series
from search.reports.write import templates, write_report
from tests.search.played import EXPERIMENT, played
from tests.search.stage import WORKFLOW, Stage

CHARTS = ("evidence", "shares", "quality", "latency")
HOLDOUT = {"holdout": {"baseline": 0.5, "promoted": 0.625, "low": 0.031, "high": 0.204}}
HOSTILE = '<script>alert("x")</script>|`_*'


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words += data


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def contents(root: Path) -> Contents:
    return gather(root, EXPERIMENT, HOLDOUT)


@pytest.fixture(scope="module")
def written(root: Path):
    return write_report(root, EXPERIMENT, root / "out", HOLDOUT)


@pytest.fixture
def empty(tmp_path: Path):
    stage = Stage(tmp_path / "empty")
    yield stage.root
    stage.close()


def test_the_page_holds_every_chart_and_needs_no_script_and_no_network(written):
    text = written.html.read_text()
    page = Page(text)

    assert page.tags.count("svg") == len(CHARTS)
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(page.tags)
    named = [
        value or "" for name, value in page.attributes if name in {"src", "href", "xlink:href"}
    ]
    assert all(value.startswith("#") for value in named)
    assert not re.search(r"@import|url\((?!#)", text)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_every_chart_is_well_formed_and_its_ids_are_its_own(written):
    for name in CHARTS:
        svg = (written.html.parent / f"{name}.svg").read_text()
        ids = {e.get("id") for e in ET.fromstring(svg).iter() if e.get("id")}
        assert all(id_.startswith(f"{name}-") for id_ in ids)


def test_the_markdown_names_charts_that_lie_beside_it(written):
    text = written.markdown.read_text()

    named = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)

    assert named == [f"{name}.svg" for name in CHARTS]
    assert all((written.markdown.parent / name).is_file() for name in named)


def test_both_forms_say_who_won_what_changed_and_what_was_held_out(written, contents):
    promotion = contents.promotion
    for text in (Page(written.html.read_text()).words, written.markdown.read_text()):
        assert f"{promotion.after} was promoted over {promotion.before}" in text
        assert "llm.temperature" in text
        assert "50.0 % before, 62.5 % after" in text
        assert "between +3.1 points and +20.4 points" in text
        assert "No daily cycle was observed" in text
        assert "expected false promotions at most" in text


def test_every_window_comes_with_its_verdict_and_reason(written, contents):
    words = Page(written.html.read_text()).words

    for one in contents.tried:
        assert one.window.id in words
        if one.window.verdict is not None:
            assert one.window.verdict.reason in words


def test_the_evidence_of_a_window_ends_where_its_verdict_stood(contents):
    for one in contents.trials:
        recorded = one.window.verdict.figures.get("log_e")
        if one.window.kind == "trial" and recorded is not None:
            assert one.points[-1].log_e == pytest.approx(recorded)
            assert one.points[-1].candidate_units == one.figures["candidate_units"]


def test_evidence_only_grows_older_and_its_units_only_more(contents):
    for one in contents.trials:
        assert [p.at for p in one.points] == sorted(p.at for p in one.points)
        units = [p.candidate_units for p in one.points]
        assert units == sorted(units)


def test_a_series_point_is_what_a_look_at_that_time_found(root, contents):
    follower = FactsFollower(root)
    facts = follower.follow()
    one = contents.tried[0]
    workflow, experiment = contents.workflow, contents.experiment

    (point,) = evidence_series(
        workflow, experiment, one.window, facts, until=one.points[12].at, points=1
    )
    looked = assess_trial(workflow, experiment, one.window, facts, upto=follower.upto, now=point.at)

    assert point == one.points[12]
    assert looked.figures["log_e"] == point.log_e


def test_the_shares_of_every_span_add_up_to_all_traffic(contents):
    spans: dict[tuple[float, float], float] = {}
    for span in contents.shares:
        spans[span.begin, span.end] = spans.get((span.begin, span.end), 0.0) + span.share

    ends = [end for _, end in spans]
    assert all(total == pytest.approx(1.0) for total in spans.values())
    assert [begin for begin, _ in spans][1:] == ends[:-1]
    assert ends[-1] == contents.until


def test_two_splits_of_the_same_moment_are_drawn_as_the_later_one(contents):
    times = dict.fromkeys(range(1, contents.head.seq + 1), 5.0)

    spans = share_series(contents.workflow, times, after=2, until=9.0)

    assert {(span.begin, span.end) for span in spans} == {(5.0, 9.0)}
    workflow = contents.workflow
    assert {span.variant for span in spans} == {workflow.baseline, workflow.previous}


def test_the_level_spent_is_that_of_the_windows_that_began_a_test(contents):
    levels = [
        one.window.alpha
        for one in contents.tried
        if one.window.kind == "trial" and not one.window.continues
    ]

    assert contents.alpha_spent == pytest.approx(sum(levels))
    assert 0.0 < contents.alpha_spent < contents.experiment.alpha


def test_the_lift_to_expect_of_a_winner_is_less_than_the_lift_it_showed(contents):
    shown = contents.promotion.nomination["lift"]

    assert 0.0 < contents.promotion.expected_lift < shown


def test_the_slowest_requests_are_compared_with_an_interval_for_every_look(contents):
    tails = [one.tail for one in contents.tried if one.tail is not None]

    assert tails
    assert all(one.low < one.estimate < one.high for one in tails)
    assert all(one.low < 1.0 < one.high for one in tails)


def test_each_segment_is_compared_on_its_own(tmp_path):
    stage = Stage(tmp_path / "kinds")
    stage.segments = {"easy": 0.3, "hard": -0.3}
    stage.serve(2)
    assert isinstance(stage.life("t1", **{"rag.top_k": 9})._begin(), str)
    stage.serve(12)
    stage.wait(5)
    stage.serve(1)

    contents = gather(stage.root, EXPERIMENT, {})
    page = page_of(contents)
    paths = write_report(stage.root, EXPERIMENT, tmp_path / "out")
    stage.close()

    (one,) = contents.trials
    assert set(one.by_segment) == {"easy", "hard"}
    assert one.by_segment["easy"].baseline_mean > 0.7 > 0.3 > one.by_segment["hard"].baseline_mean
    assert [row["segment"] for row in page["segments"]] == ["easy", "hard"]
    assert "By segment" in Page(paths.html.read_text()).words
    assert "## By segment" in paths.markdown.read_text()


def test_without_segments_none_is_compared(contents):
    assert page_of(contents)["segments"] == []


def test_what_is_missing_is_said(empty, tmp_path):
    paths = write_report(empty, EXPERIMENT, tmp_path / "out")

    words = Page(paths.html.read_text()).words
    assert "Nothing was proved better" in words
    assert "Held-out questions were not asked" in words
    assert "No chart of quality: no window has ratings on both sides" in words
    assert "No chart of evidence" in words
    assert "None was opened" in words
    assert not (tmp_path / "out" / "evidence.svg").exists()


def test_a_window_without_outcomes_is_unmeasured_and_never_zero(tmp_path):
    stage = Stage(tmp_path / "new")
    stage.serve(1)
    assert isinstance(stage.life("t1")._begin(), str)

    page = page_of(gather(stage.root, EXPERIMENT, {}))
    stage.close()

    (window,) = page["windows"]
    assert window["lift"] == "not measured"
    assert window["verdict"] == "open"
    assert page["guardrails"][0]["latency"] == "not measured"
    assert page["guardrails"][0]["tail"] == "not measured"


def test_an_unknown_experiment_is_not_found(empty, tmp_path):
    with pytest.raises(NotFoundError, match="docs-qa"):
        write_report(empty, "other", tmp_path)


def test_hostile_settings_are_text_and_nothing_else(contents):
    raw = page_of(contents)
    hostile = {"changes": [("llm.prompt", HOSTILE, HOSTILE)], "headline": HOSTILE}
    html, markdown = rendered(raw | hostile)

    page = Page(html)
    assert "script" not in page.tags
    assert page.words.count('<script>alert("x")</script>') == 3
    assert "<script>" not in markdown
    row = next(line for line in markdown.splitlines() if "llm.prompt" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 4


def rendered(page):
    html = templates(autoescape=True).get_template("report.html.j2")
    markdown = templates(autoescape=False).get_template("report.md.j2")
    return html.render(page, svgs={}), markdown.render(page, svgs={})


def test_a_hostile_name_in_a_chart_is_text(contents):
    one = contents.tried[0]
    window = one.window.model_copy(update={"candidate": HOSTILE})
    named = (replace(one, window=window), *contents.tried[1:])

    charts = charts_of(replace(contents, tried=named))

    drawn = ET.fromstring(charts["quality"])
    assert "script" not in {e.tag.rpartition("}")[2] for e in drawn.iter()}
    assert any(HOSTILE in (e.text or "") for e in drawn.iter())


def test_a_promotion_that_was_taken_back_is_not_celebrated(tmp_path):
    root = played(tmp_path)
    decisions = Decisions(root)
    workflow = decisions.state().workflow(WORKFLOW.workflow)
    back = RolledBack(
        workflow=workflow.name,
        before=workflow.baseline,
        after=workflow.previous,
        reason="complaints",
    )
    decisions.append(lambda _: back, actor="operator", clock=lambda: 1.8e9)
    decisions.close()

    page = page_of(gather(root, EXPERIMENT, {}))

    assert "was promoted and taken back: complaints" in page["headline"]
