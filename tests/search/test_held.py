"""Laws of the holdout: it shows what promotions are worth, and no experiment uses its units."""

import pytest

from engine.experiment.entries import Installed, Promoted
from engine.experiment.split import HELD_OUT
from engine.experiment.variant import variant_of
from search.held import against_holdout
from tests.search.played import PARAMS, hash_of
from tests.search.stage import WORKFLOW, Settled


@pytest.fixture
def held(stage):
    """A workflow of which a tenth of the units keep what was installed."""
    config = WORKFLOW.model_copy(update={"holdout": 0.1}).model_dump(mode="json")
    baseline = variant_of(WORKFLOW)
    stage.append(Installed(workflow="docs", baseline=baseline, workflow_config=config))
    return stage


def compared(stage):
    facts = Settled(stage).follow()
    return against_holdout(stage.workflow, facts, now=stage.now - 0.5, maturation_s=4.0)


def test_a_promotion_is_worth_its_lift_over_what_was_installed(held):
    before, after = held.baseline, hash_of(held, "good")
    held.quality = {before: 0.4, after: 0.8}
    held.life("good", **PARAMS["good"])._begin()
    promoted = Promoted(workflow="docs", before=before, after=after, reason="a person knows")
    held.append(promoted)
    held.serve(20)

    figures = compared(held)

    assert figures["lift"] == pytest.approx(0.4, abs=4 * figures["se"])
    assert figures["candidate_units"] / figures["baseline_units"] == pytest.approx(9, rel=0.25)


def test_no_trial_counts_units_that_are_held_out(held):
    held.life("good", **PARAMS["good"])._begin()
    held.serve(4)

    exposures = Settled(held).follow().exposures

    assert exposures.filter(window=HELD_OUT)["variant"].unique().to_list() == [held.baseline]
    assert HELD_OUT not in {one.id for one in held.workflow.windows.values()}


def test_before_anything_matured_nothing_is_claimed(held):
    figures = compared(held)

    assert figures["lift"] is None
    assert figures["candidate_units"] == 0


def test_without_a_holdout_there_is_nothing_to_compare(stage):
    assert compared(stage) is None
