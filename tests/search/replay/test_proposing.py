"""Who is tried next: everyone once against each baseline."""

from search.replay.proposing import Anew, Place, Row, Shuffled


def row(candidate, baseline="v0"):
    return Row(candidate, baseline, rate=None, lift=None, se=None, log_ratio=None, ratio_se=None)


def place(rows, baseline="v0", pending=()):
    return Place(rows=rows, baseline=baseline, pending=pending, latency_left=1.2)


def test_every_variant_is_tried_once_against_a_baseline():
    proposer, rows = Shuffled(["v0", "v1", "v2", "v3"], seed=0), []

    for _ in range(3):
        rows.append(row(proposer.propose(place(rows))))

    assert sorted(one.candidate for one in rows) == ["v1", "v2", "v3"]
    assert proposer.propose(place(rows)) is None


def test_a_new_baseline_makes_the_former_candidates_new():
    proposer = Shuffled(["v0", "v1"], seed=0)

    assert proposer.propose(place([row("v1")], "v1")) == "v0"


def test_nobody_is_tried_twice_at_once():
    assert Shuffled(["v0", "v1"], seed=0).propose(place([], pending=["v1"])) is None
    assert Anew(["v0", "v1"], seed=0).propose(place([], pending=["v1"])) is None


def test_a_rule_that_forgets_tries_again():
    assert Anew(["v0", "v1"], seed=0).propose(place([row("v1")])) == "v1"
