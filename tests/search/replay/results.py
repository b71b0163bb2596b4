"""Results of replays that nobody had to run."""

from search.replay.track import Promotion, ReplayResult


def promotion(lift, *, at=100, rank=1, rollback=False):
    return Promotion(
        at_request=at,
        candidate="v1",
        replaced="v0",
        true_lift=lift,
        true_rank=rank,
        log_e=6.0,
        is_worse=lift < 0.0,
        is_rollback=rollback,
    )


def result(*promotions, policy="trimtab", regret=0.02, reached=None, **more):
    made = [one for one in promotions if not one.is_rollback]
    usual = {
        "policy": policy,
        "seed": 0,
        "requests": 1_000,
        "promotions": promotions,
        "regret_per_request": regret,
        "mean_quality": 0.6,
        "first_true_promotion": next((p.at_request for p in made if not p.is_worse), None),
        "reached_at": reached,
        "worst_segment_harm": None,
        "cost": None,
        "breached_anchor": False,
        "final": "v0",
        "deployed": ((0, "v0"), *((one.at_request, one.candidate) for one in promotions)),
    }
    return ReplayResult(**(usual | more))
