"""Laws of following the store: each fact once, and only what verdicts rest on."""

from search.books import BULKY, FactsFollower


def test_a_follower_has_what_one_that_begins_later_has(stage):
    stage.serve(1)
    follower = FactsFollower(stage.root)
    follower.follow()
    stage.serve(1)

    followed, anew = follower.follow(), FactsFollower(stage.root).follow()

    assert followed.exposures.height > 0
    assert followed.exposures.equals(anew.exposures)
    assert followed.traces.equals(anew.traces)
    assert followed.feedback.equals(anew.feedback)


def test_texts_and_spans_are_followed_only_where_they_are_wanted(stage):
    stage.serve(1)

    lean = FactsFollower(stage.root).follow().traces
    whole = FactsFollower(stage.root, whole=True).follow().traces

    assert set(whole.columns) - set(lean.columns) == set(BULKY)
    assert lean.equals(whole.drop(BULKY))
