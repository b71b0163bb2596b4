"""Laws of routing: a conversation keeps its variant, and nobody's word but ours is trusted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.books.secret import sign
from engine.errors import ConfigError, NotFoundError
from engine.experiment.split import BUCKETS, ROTATION_S, Lane, Split, assign, epoch_of
from serve_apps.gateway.traffic import Conversation, Traffic
from serve_apps.snapshot import Snapshot, WorkflowSnapshot

calm = settings(deadline=None)

SECRET = b"s" * 32
OTHER_SECRET = b"o" * 32
NOON = 1_700_049_600.0
TTL_S = 1_800.0
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def split_of(version, *shares, baseline="base", layout=None):
    lanes, start = [], 0
    for number, share in enumerate(shares, start=1):
        lane = Lane(
            window=f"w{number}", variant=f"v{number}", start=start, width=share, share=share
        )
        lanes.append(lane)
        start += share
    return Split(
        workflow="docs",
        version=version,
        layout=version if layout is None else layout,
        baseline=baseline,
        lanes=tuple(lanes),
    )


FIRST = split_of(3, 300_000, 300_000)
SECOND = split_of(4, 300_000)
THIRD = split_of(5, baseline="v1")
SEATED = {"base": "slot-0", "v1": "slot-1", "v2": "slot-2"}


def traffic_of(*splits, routes=None, leases=None, ttl_s=TTL_S):
    traffic = Traffic(SECRET)
    publish(traffic, *splits, routes=routes, leases=leases, ttl_s=ttl_s)
    return traffic


def publish(traffic, *splits, routes=None, leases=None, ttl_s=TTL_S):
    workflow = WorkflowSnapshot(
        splits={split.version: split for split in splits},
        version=splits[-1].version,
        routes=SEATED if routes is None else routes,
        leases=leases or {},
        conversation_ttl_s=ttl_s,
        timeout_s=30.0,
        idempotent=True,
    )
    traffic.snapshot = Snapshot(revision=traffic.revision + 1, workflows={"docs": workflow})


def unit_of(variant, split, at=NOON):
    """An id whose owner meets this variant under the split."""
    names = (f"u{number}" for number in range(1_000))
    return next(
        name for name in names if assign(name, split, epoch_of(split, at)).variant == variant
    )


@calm
@given(ids)
def test_the_same_foreign_id_meets_the_same_variant_on_every_gateway(said):
    one, another = traffic_of(FIRST), traffic_of(FIRST)

    first, again = one.route("docs", said, "a", NOON), another.route("docs", said, "b", NOON + 60)

    assert first.conversation.unit_id == said
    assert (first.variant, first.bucket, first.slot) == (again.variant, again.bucket, again.slot)


@calm
@given(ids, st.sampled_from([SECOND, THIRD]), st.floats(0, TTL_S - 1))
def test_a_conversation_keeps_its_variant_across_snapshots(said, newest, later_s):
    traffic = traffic_of(FIRST)
    began = traffic.route("docs", said, "a", NOON)

    publish(traffic, FIRST, newest)
    ours = began.conversation.signed(SECRET)
    goes_on = traffic.route("docs", ours, "b", NOON + later_s)

    assert (goes_on.variant, goes_on.served, goes_on.slot) == (
        began.variant,
        began.served,
        began.slot,
    )
    assert (goes_on.bucket, goes_on.window) == (began.bucket, began.window)
    assert goes_on.conversation.version == 3


def test_a_conversation_keeps_its_epoch_over_midnight():
    midnight = (NOON // ROTATION_S + 1) * ROTATION_S
    traffic = traffic_of(FIRST)
    began = traffic.route("docs", "", "fresh", midnight - 1.0)

    goes_on = traffic.route("docs", began.conversation.signed(SECRET), "x", midnight + 1.0)
    afresh = traffic.route("docs", "fresh", "x", midnight + 1.0)

    assert goes_on.conversation.epoch == began.conversation.epoch
    assert goes_on.bucket == began.bucket
    assert afresh.conversation.epoch != began.conversation.epoch


@calm
@given(st.integers(0, 6))
def test_a_signed_id_reads_back_as_the_conversation_that_it_names(turns):
    traffic = traffic_of(FIRST)
    route = traffic.route("docs", "a~b.c~1", "x", NOON)

    for turn in range(turns):
        route = traffic.route("docs", route.conversation.signed(SECRET), "x", NOON + turn)

    assert route.conversation == Conversation("a~b.c~1", 3, epoch_of(FIRST, NOON), NOON)


@pytest.mark.parametrize(("after_s", "version"), [(TTL_S - 0.5, 3), (TTL_S, 4)])
def test_a_conversation_expires(after_s, version):
    traffic = traffic_of(FIRST)
    ours = traffic.route("docs", "", "fresh", NOON).conversation.signed(SECRET)
    publish(traffic, FIRST, SECOND)

    route = traffic.route("docs", ours, "x", NOON + after_s)

    assert route.conversation.version == version
    assert route.conversation.unit_id == "fresh"
    assert route.conversation.began_at == (NOON if version == 3 else NOON + after_s)


def test_a_conversation_under_a_forgotten_split_begins_anew_under_the_present_one():
    ours = traffic_of(FIRST).route("docs", "", "fresh", NOON).conversation.signed(SECRET)

    route = traffic_of(SECOND).route("docs", ours, "x", NOON + 1)

    assert (route.conversation.unit_id, route.conversation.version) == ("fresh", 4)


def test_requests_without_an_id_are_conversations_of_their_own():
    route = traffic_of(FIRST).route("docs", "", "fresh", NOON)

    assert route.conversation == Conversation("fresh", 3, epoch_of(FIRST, NOON), NOON)


def test_new_conversations_follow_the_present_split():
    traffic = traffic_of(FIRST, SECOND)
    second_only = {traffic.route("docs", f"u{n}", "x", NOON).variant for n in range(200)}

    assert second_only == {"base", "v1"}


@calm
@given(ids, ids)
def test_a_forged_conversation_id_is_the_clients_own_id(said, unit):
    forged = Conversation(unit, 3, epoch_of(FIRST, NOON), NOON).signed(OTHER_SECRET)
    traffic = traffic_of(FIRST, SECOND)

    for untrusted in (forged, f"{said}~3~3.0~{NOON}.0123456789abcdef", f"{said}."):
        route = traffic.route("docs", untrusted, "x", NOON)

        assert route.conversation.unit_id == untrusted
        assert route.conversation.version == 4


def test_a_changed_letter_breaks_the_seal():
    traffic = traffic_of(FIRST, SECOND)
    ours = Conversation("unit", 3, epoch_of(FIRST, NOON), NOON).signed(SECRET)
    later = ours.replace("~3~", "~4~")

    assert traffic.route("docs", ours, "x", NOON).conversation.unit_id == "unit"
    assert traffic.route("docs", later, "x", NOON).conversation.unit_id == later


@pytest.mark.parametrize("text", ["0123456789abcdef", "a~b~c", "a~x~3.0~1.0", "a~3~3.0~late"])
def test_something_else_that_we_signed_is_no_conversation(text):
    with pytest.raises(ConfigError, match="not one of ours"):
        traffic_of(FIRST).route("docs", sign(SECRET, text), "x", NOON)


def test_a_lapsed_lease_gives_the_units_of_its_window_to_the_baseline():
    unit = unit_of("v1", FIRST)
    traffic = traffic_of(FIRST, leases={"w1": NOON + 10, "w2": NOON + 99})

    live = traffic.route("docs", unit, "x", NOON + 9.9)
    lapsed = traffic.route("docs", unit, "x", NOON + 10)

    assert (live.variant, live.lapsed) == ("v1", "")
    assert (lapsed.variant, lapsed.served, lapsed.slot) == ("base", "base", "slot-0")
    assert (lapsed.window, lapsed.lapsed) == ("w1", ",w1,")


def test_every_unit_is_told_which_windows_have_lapsed():
    traffic = traffic_of(FIRST, leases={"w1": NOON, "w2": NOON})

    route = traffic.route("docs", unit_of("base", FIRST), "x", NOON)

    assert (route.variant, route.window, route.lapsed) == ("base", "", ",w1,w2,")


def test_a_lapsed_lease_overrides_a_conversation_that_began_before():
    unit = unit_of("v1", FIRST)
    ours = traffic_of(FIRST).route("docs", unit, "x", NOON).conversation.signed(SECRET)

    route = traffic_of(FIRST, SECOND, leases={"w1": NOON}).route("docs", ours, "x", NOON + 1)

    assert (route.variant, route.conversation.version, route.lapsed) == ("base", 3, ",w1,")


def test_a_variant_without_a_seat_is_served_by_the_present_baseline_but_still_assigned():
    unit = unit_of("v2", FIRST)
    ours = traffic_of(FIRST).route("docs", unit, "x", NOON).conversation.signed(SECRET)
    seats = {"v1": "slot-1"}

    route = traffic_of(FIRST, THIRD, routes=seats).route("docs", ours, "x", NOON + 1)

    assert (route.variant, route.window) == ("v2", "w2")
    assert (route.served, route.slot) == ("v1", "slot-1")


def test_a_forced_variant_is_served_and_marked():
    route = traffic_of(FIRST).route("docs", unit_of("base", FIRST), "x", NOON, forced="v2")

    assert (route.variant, route.served, route.slot, route.forced) == ("v2", "v2", "slot-2", True)
    assert route.window == ""


def test_an_assignment_is_not_marked_as_forced():
    assert not traffic_of(FIRST).route("docs", "unit", "x", NOON).forced


def test_forcing_a_variant_without_a_seat_is_refused():
    with pytest.raises(NotFoundError, match="'v9' is not seated; seated: base, v1, v2"):
        traffic_of(FIRST).route("docs", "unit", "x", NOON, forced="v9")


def test_a_workflow_that_is_not_served_is_not_found():
    with pytest.raises(NotFoundError, match="'mail' is not served here; served: docs"):
        traffic_of(FIRST).route("mail", "", "x", NOON)


def test_before_the_first_snapshot_nothing_is_served():
    traffic = Traffic(SECRET)

    assert traffic.revision == -1
    with pytest.raises(NotFoundError, match="none yet"):
        traffic.route("docs", "", "x", NOON)


def test_the_newest_snapshot_is_in_force():
    traffic = traffic_of(FIRST)
    publish(traffic, FIRST, SECOND)

    assert traffic.revision == 1
    assert traffic.workflow("docs").split == SECOND


def test_units_meet_variants_in_the_shares_of_the_split():
    traffic = traffic_of(FIRST)

    met = [traffic.route("docs", "", f"u{number}", NOON).variant for number in range(5_000)]

    for variant, share in {"base": 400_000, "v1": 300_000, "v2": 300_000}.items():
        assert met.count(variant) / 5_000 == pytest.approx(share / BUCKETS, abs=0.025)


BRANCH = split_of(7, 500_000, baseline="own").model_copy(update={"workflow": "docs.how-to"})


def branched():
    """A workflow of which the requests of one segment have a branch."""
    traffic = traffic_of(FIRST)
    branch = WorkflowSnapshot(
        splits={7: BRANCH},
        version=7,
        routes={"own": "slot-3", "v1": "slot-4"},
        leases={},
        conversation_ttl_s=TTL_S,
        timeout_s=30.0,
        idempotent=True,
    )
    workflows = {**traffic.snapshot.workflows, "docs.how-to": branch}
    traffic.snapshot = traffic.snapshot.model_copy(update={"workflows": workflows})
    return traffic


@pytest.mark.parametrize(
    ("segment", "workflow"), [("how-to", "docs.how-to"), ("definition", "docs"), ("", "docs")]
)
def test_a_request_follows_the_branch_of_its_segment(segment, workflow):
    found = branched().route("docs", "", "x", NOON, segment=segment)

    assert found.workflow == workflow
    assert found.served in {"own", "v1"} if workflow != "docs" else found.served in SEATED


@pytest.mark.parametrize(("first", "then"), [("how-to", "other"), ("other", "how-to")])
def test_a_conversation_stays_in_the_branch_that_it_began_in(first, then):
    traffic = branched()
    begun = traffic.route("docs", "", "x", NOON, segment=first)

    later = traffic.route("docs", begun.conversation.signed(SECRET), "y", NOON + 60.0, segment=then)

    assert (later.workflow, later.variant) == (begun.workflow, begun.variant)
    assert later.conversation == begun.conversation


def test_a_conversation_that_expired_begins_anew_in_its_segments_branch():
    traffic = branched()
    begun = traffic.route("docs", "", "x", NOON, segment="other")

    later = traffic.route(
        "docs", begun.conversation.signed(SECRET), "y", NOON + 2 * TTL_S, segment="how-to"
    )

    assert later.workflow == "docs"
    assert later.conversation.began_at == NOON + 2 * TTL_S


def test_a_forced_variant_is_found_in_whichever_branch_seats_it():
    assert branched().route("docs", "", "x", NOON, forced="own").workflow == "docs.how-to"
    assert branched().route("docs", "", "x", NOON, segment="how-to", forced="v2").workflow == "docs"


def test_a_workflow_whose_name_begins_alike_is_no_branch():
    traffic = branched()
    workflows = {**traffic.snapshot.workflows, "docs-how": traffic.snapshot.workflows["docs"]}
    traffic.snapshot = traffic.snapshot.model_copy(update={"workflows": workflows})

    assert traffic.route("docs", "", "x", NOON, segment="how").workflow == "docs"
