import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.routing import ModelChoice, Profile
from engine.workflow.reply import Usage
from engine.workflow.routing.complexity import complexity
from engine.workflow.routing.model_choice import Need, choose
from engine.workflow.run import Run
from engine.workflow.spans import Timeline


def profile(tier, **changes):
    usual = {
        "tier": tier,
        "context_tokens": 8_000,
        "input_usd": {"cheap": 0.1, "usual": 1.0, "strong": 10.0}[tier],
        "output_usd": {"cheap": 0.4, "usual": 4.0, "strong": 40.0}[tier],
        "first_text_s": 0.5,
        "tokens_per_s": {"cheap": 200.0, "usual": 100.0, "strong": 50.0}[tier],
        "quality": {"cheap": 0.5, "usual": 0.7, "strong": 0.9}[tier],
    }
    return Profile(**usual | changes)


THREE = ModelChoice(
    models={"small": profile("cheap"), "middle": profile("usual"), "large": profile("strong")}
)
PLAIN = "What is a mutex?"
HARD = (
    "Compare these two designs step by step, then plan a refactoring and finally prove that it "
    "keeps the order. Why is the first one slower? What about 3 readers, 10 writers and 500 keys? "
    "```def read(): ...```"
)


def need(text=PLAIN, *, tokens=100, left_s=60.0, left_usd=1.0, degraded=False):
    return Need(text, tokens, left_s, left_usd, degraded)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (PLAIN, "small"),
        ("Why does my loop raise?\n```\nfor x in y: pass\n```", "middle"),
        (HARD, "large"),
    ],
)
def test_the_harder_the_task_the_stronger_the_model(text, model):
    assert choose(need(text), THREE).model == model


def test_a_choice_says_why():
    reason = choose(need(HARD), THREE).reason

    assert reason.startswith("wanted strong; complexity ")
    assert "code 1" in reason


def test_a_request_that_saves_what_is_left_gets_the_cheap_model():
    choice = choose(need(HARD, degraded=True), THREE)

    assert choice.model == "small"
    assert "saving what is left" in choice.reason


def test_money_that_is_left_is_a_limit():
    choice = choose(need(HARD, left_usd=0.005), THREE)

    assert choice.model == "middle"
    assert "large passed over" in choice.reason


def test_time_that_is_left_is_a_limit():
    assert choose(need(HARD, left_s=4.0), THREE).model == "small"


def test_a_latency_target_is_a_limit():
    quick = THREE.model_copy(update={"latency_target_s": 6.0})

    assert choose(need(HARD), quick).model == "middle"


def test_a_model_that_cannot_read_the_prompt_is_passed_over():
    models = {"short": profile("cheap", context_tokens=1_000), "long": profile("usual")}

    assert choose(need(tokens=2_000), ModelChoice(models=models)).model == "long"


def test_where_no_model_keeps_all_limits_the_least_dear_reader_is_chosen():
    choice = choose(need(left_usd=0.0), THREE)

    assert choice.model == "small"
    assert "the least dear" in choice.reason


def test_where_no_model_reads_it_all_the_one_that_reads_most_is_chosen():
    models = {"small": profile("cheap"), "long": profile("usual", context_tokens=16_000)}

    choice = choose(need(tokens=1_000_000), ModelChoice(models=models))

    assert choice.model == "long"
    assert "reads most" in choice.reason


def test_within_a_tier_quality_decides():
    models = {"a": profile("cheap", quality=0.4), "b": profile("cheap", quality=0.6)}

    assert choose(need(), ModelChoice(models=models)).model == "b"


def test_what_is_needed_is_read_from_the_run():
    run = Run("r", time.monotonic() + 5.0, Timeline([]))
    run.charge(Usage(10, 10, 0.45))

    read = Need.of(run, PLAIN, 100)

    assert read.left_usd == pytest.approx(0.05)
    assert 4.0 < read.left_s <= 5.0
    assert read.degraded


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x" * 401, "length 1"),
        ("x" * 2_001, "length 2"),
        ("Who? When? Where?", "questions 2"),
        ("call `f` now", "code 1"),
        ("1 and 2 and 3.5", "numbers 1"),
        ("1. go\n2. come\n3. rest", "steps 2"),
        ("analyse the trade-offs", "demands 2"),
    ],
)
def test_each_point_has_its_reason(text, reason):
    assert reason in complexity(text).reasons


@given(st.text(max_size=300))
def test_points_are_the_sum_of_their_reasons(text):
    found = complexity(text)

    assert found.points == sum(int(reason.split()[1]) for reason in found.reasons)
    assert 0 <= found.points <= 10


@given(
    st.sampled_from([PLAIN, HARD]),
    st.integers(0, 20_000),
    st.floats(0.001, 100.0),
    st.floats(0.0, 1.0),
    st.booleans(),
)
def test_a_model_beyond_its_limits_is_chosen_only_where_none_keeps_them(
    text, tokens, left_s, left_usd, degraded
):
    choice = choose(Need(text, tokens, left_s, left_usd, degraded), THREE)

    if "the least dear" not in choice.reason and "reads most" not in choice.reason:
        assert choice.cost_usd <= left_usd
        assert choice.latency_s <= left_s
        assert tokens + THREE.answer_tokens <= THREE.models[choice.model].context_tokens


def test_a_strong_tier_below_the_usual_one_is_refused():
    with pytest.raises(ValueError, match="below `usual_from`"):
        ModelChoice(models=THREE.models, usual_from=4, strong_from=3)
