import math

import pytest
from pydantic import ValidationError

from engine.experiment.verdict import Evidence, Verdict

BARE = {"action": "stop", "cause": "harm", "reason": "worse"}


def test_a_verdict_without_a_reason_is_none():
    with pytest.raises(ValidationError, match="reason"):
        Verdict.model_validate(BARE | {"reason": ""})
    with pytest.raises(ValidationError, match="reason"):
        Verdict.model_validate({"action": "stop", "cause": "harm"})


@pytest.mark.parametrize(
    "change",
    [
        {"action": "maybe"},
        {"cause": "mood"},
        {"figures": {"lift": math.nan}},
        {"figures": {"lift": math.inf}},
        {"figures": {"lift": "much"}},
        {"mood": "good"},
    ],
)
def test_only_known_words_and_measured_figures_make_a_verdict(change):
    with pytest.raises(ValidationError):
        Verdict.model_validate(BARE | change)


def test_an_unmeasured_figure_is_none_and_survives_the_ledger():
    evidence = Evidence(upto=7, now=12.5, digest="ab")
    verdict = Verdict.model_validate(
        BARE | {"figures": {"lift": None, "log_e": 0.1 + 0.2}, "evidence": evidence}
    )

    again = Verdict.model_validate_json(verdict.model_dump_json())

    assert again == verdict
    assert again.figures == {"lift": None, "log_e": 0.1 + 0.2}


def test_a_verdict_never_changes():
    verdict = Verdict.model_validate(BARE)

    with pytest.raises(ValidationError, match="frozen"):
        verdict.action = "promote"
