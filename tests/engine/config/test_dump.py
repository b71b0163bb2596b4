from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.dump import to_yaml
from engine.config.source import parse
from engine.config.workflow import Workflow
from tests.engine.config.strategies import workflows


@settings(deadline=None, max_examples=50)
@given(workflows(), st.text(max_size=40))
def test_a_written_workflow_reads_back_as_itself(workflow, header):
    text = to_yaml(workflow, header=header)

    assert parse(text, "f").into(Workflow) == workflow


def test_the_header_stands_above_the_settings_as_comments():
    text = to_yaml(Workflow(workflow="a"), header="promoted\nby: entry 7")

    assert text.startswith("# promoted\n# by: entry 7\nworkflow: a\n")
