"""Scenarios of many candidates: B2, B3 and B9."""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np

from cluster.bench.rows import Row
from cluster.bench.search.compare import experiment
from cluster.bench.statistics.marks import median, rate
from cluster.bench.statistics.paths import BoolArray, Odds, counts, evidence, factors
from cluster.bench.statistics.single import BASE, THIN
from engine.config.experiment import Experiment
from engine.config.paths import Setting
from engine.stats.alpha import Spent, next_alpha, returned
from engine.stats.arrays import FloatArray
from engine.stats.moments import Moments
from engine.stats.tally import LEVELS
from search.replay.loop import Loop
from search.replay.outcomes import Arrived, Truth
from search.replay.proposing import Shuffled
from search.replay.track import Track

BATCH = 500
ALIKE = 0.05
"""Spread of the logarithm of a latency: so small that no guardrail on it delays anything."""
TRIALS, CAMPAIGNS = 32, 100
MANY = 150
"""Trials of a long search between two promotions."""
GIVEN_UP = -1.0
"""Evidence at which a trial of that search ends."""
LONGEST = 340_000
"""Units of the pair in a null path: 20 000 of the candidate's."""


class Arms:
    """A baseline and candidates of known quality; scores are good or bad."""

    def __init__(self, qualities: Sequence[float]) -> None:
        self._truths = {
            f"v{number}": Truth(quality=quality, latency_s=1.0)
            for number, quality in enumerate(qualities)
        }

    @property
    def variants(self) -> Sequence[str]:
        """The baseline first."""
        return tuple(self._truths)

    def settings(self, variant: str) -> Mapping[str, Setting]:
        """Arms have no settings."""
        return {}

    def truth(self, variant: str) -> Truth:
        """As it was declared."""
        return self._truths[variant]

    def receive(
        self, shares: Sequence[tuple[str, float]], count: int, rng: np.random.Generator
    ) -> list[Arrived]:
        """Draw what a batch of independent units would sum up to."""
        split = rng.multinomial(count, [share for _, share in shares])
        return [
            self._drawn(self._truths[variant].quality, int(units), rng)
            for (variant, _), units in zip(shares, split, strict=True)
        ]

    @staticmethod
    def _drawn(quality: float, units: int, rng: np.random.Generator) -> Arrived:
        levels = np.zeros(LEVELS + 1, dtype=np.int64)
        good = int(rng.binomial(units, quality))
        levels[0], levels[LEVELS - 1] = units - good, good
        mean = rng.normal(0.0, ALIKE / np.sqrt(max(units, 1)))
        latency = Moments(n=units, mean=float(mean), m2=ALIKE**2 * max(units - 1, 0))
        return Arrived(levels=levels, failed=0, latency=latency)


def campaign(runs: int, seed: int) -> list[Row]:
    """B2: 8 and 32 candidates, all equal to the baseline, 300 000 requests."""
    return [
        rate(
            "B2",
            f"any promotion among {count} equals",
            np.array(
                [
                    bool(_nominations([BASE] * (count + 1), 300_000, seed + run))
                    for run in range(runs)
                ]
            ),
            0.05,
        )
        for count in (8, 32)
    ]


def endless(runs: int, seed: int) -> list[Row]:
    """B3: 100 experiments of 32 trials, all of equals, one after another for ever."""
    highest = _highest(200 * runs, seed)
    rng = np.random.default_rng(seed)
    per_experiment, any_at_all = [], []
    for _ in range(runs):
        per_experiment.append(
            sum(_promotions(rng, highest, TRIALS, resets=True) for _ in range(CAMPAIGNS))
            / CAMPAIGNS
        )
        any_at_all.append(_promotions(rng, highest, TRIALS * CAMPAIGNS, resets=False) > 0)
    naive = _naive_windows(seed)
    each = np.array(per_experiment)
    row = rate("B3", "mode fdr: any promotion in 3200 trials", np.array(any_at_all), 0.05)
    mean = Row(
        id="B3",
        what="mode experiment: promotions an experiment",
        value=float(each.mean()),
        low=float(np.quantile(each, 0.025)),
        high=float(np.quantile(each, 0.975)),
        unit="",
        goal="<= 0.05",
    )
    passed = float(each.mean()) <= 0.05
    ended = _ended(200 * runs, seed)
    long = np.array([_promotes_while_levels_return(rng, ended) for _ in range(10 * runs)])
    return [
        mean.model_copy(update={"passed": passed}),
        row,
        rate("B3", f"any promotion in {MANY} trials whose levels return", long, 0.05),
        rate("B3", "article's rule at n = 1000: promotions a window", naive, None),
    ]


def of_eight(runs: int, seed: int) -> list[Row]:
    """B9: one of eight candidates is better, 40 % exploration: live requests to its nomination."""
    rows = []
    for lift, most, stretch in ((0.04, 17_000, 15_000), (0.02, 55_000, 50_000)):
        qualities = [BASE] * 8 + [BASE + lift]
        first = [_nominations(qualities, 400_000, seed + run)[:1] for run in range(runs)]
        at = np.array([one[0][0] if one else np.nan for one in first])
        best = np.array([bool(one) and one[0][1] == "v8" for one in first])
        what = f"+{100 * lift:.0f} points among 8"
        rows += [
            median("B9", what, at, most, "live requests"),
            median("B9", f"{what}, stretch", at, stretch, "live requests"),
            rate("B9", f"the best is nominated, {what}", best, None, least=0.95),
        ]
    return rows


def _nominations(qualities: Sequence[float], requests: int, seed: int) -> list[tuple[int, str]]:
    """Who was nominated and when; it ends with the first."""
    arms = Arms(qualities)
    track = Track(arms, "v0", best=max(qualities), latency_ratio=1.2)
    loop = Loop(arms, _rules(len(qualities) - 1), Shuffled(arms.variants, seed), track, seed)
    while track.requests < requests and not loop.nominated:
        loop.receive(BATCH)
    return loop.nominated


def _rules(trials: int) -> Experiment:
    """Eight windows of 5 %, never more than 40 % together, and as many trials as there are."""
    windows = {
        "concurrent": 8,
        "exploration_cap": 0.4,
        "boost_cap": 0.4,
        "max_units": 100_000,
        "max_trials": trials,
    }
    usual = experiment()
    return usual.model_copy(update={"windows": usual.windows.model_copy(update=windows)})


def _highest(paths: int, seed: int) -> FloatArray:
    """The highest evidence that trials of equals ever reached."""
    rng = np.random.default_rng(seed)
    steps, growth = factors(Odds(pi=THIN)), np.zeros((paths, 4))
    highest = np.zeros(paths)
    for _ in range(LONGEST // 340):
        growth += counts(rng, paths, 340, THIN, (BASE, BASE)) @ steps
        highest = np.maximum(highest, evidence(growth))
    return highest


def _ended(paths: int, seed: int) -> FloatArray:
    """The highest evidence of trials of equals that were given up, and that at their end."""
    rng = np.random.default_rng(seed)
    steps, growth = factors(Odds(pi=THIN)), np.zeros((paths, 4))
    found, going = np.zeros((paths, 2)), np.arange(paths)
    for _ in range(LONGEST // 340):
        growth[going] += counts(rng, going.size, 340, THIN, (BASE, BASE)) @ steps
        found[going, 1] = evidence(growth[going])
        found[going, 0] = found[going].max(axis=1)
        going = going[found[going, 1] > GIVEN_UP]
    return found


def _promotes_while_levels_return(rng: np.random.Generator, ended: FloatArray) -> bool:
    """Whether any of many trials promotes when each gives back what it has not lost."""
    spent: list[Spent] = []
    for highest, end in rng.choice(ended, size=MANY):
        alpha = next_alpha(spent, alpha=0.05)
        if highest >= log(1.0 / alpha):
            return True
        spent.append(Spent(alpha, 0, returned(alpha, float(end))))
    return False


def _promotions(rng: np.random.Generator, highest: FloatArray, trials: int, *, resets: bool) -> int:
    """Promotions among trials whose levels come from the alpha budget, one after another."""
    spent: list[Spent] = []
    promoted = 0
    for reached in rng.choice(highest, size=trials):
        # What is left of the budget falls below what a float can tell from nothing.
        if len(spent) >= 400:
            break
        alpha = next_alpha(spent, alpha=0.05, promotions=0 if resets else promoted)
        spent.append(Spent(alpha, 0 if resets else promoted))
        if reached >= log(1.0 / alpha):
            promoted += 1
            if resets:
                spent = []
    return promoted


def _naive_windows(seed: int) -> BoolArray:
    rates = np.random.default_rng(seed).binomial(1_000, BASE, size=(3_200, 2)) / 1_000.0
    hits: BoolArray = rates[:, 0] - rates[:, 1] >= 0.02 - 1e-9
    return hits
