"""Runs a deployment through a schedule of faults under load, and judges what is left."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from pydantic import BaseModel, ConfigDict

from cluster.chaos.children import Model, Serving, pinger, reader
from cluster.chaos.evidence import Evidence, Landed
from cluster.chaos.family import Watch
from cluster.chaos.gather import ledger_flaw, measured_of, ship, splits_of, tables_of
from cluster.chaos.http import say
from cluster.chaos.invariants import judge
from cluster.chaos.journal import Journal, read_journal
from cluster.chaos.pinger import Habits
from cluster.chaos.plan import SETTLES_S, Planned, named
from cluster.chaos.reader import read_readings
from cluster.chaos.report import Report
from cluster.chaos.scenario import NAME, roll_out, workflow
from cluster.chaos.stage import Done, Stage
from cluster.head import default_profile
from engine.errors import ClusterError

SEATED_S = 60.0
LAST_S = 3.0
"""After the schedule, before the clients go home."""


class Asked(BaseModel):
    """What a run is to be; with the code at hand it says everything but chance in the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    seconds: float
    faults: tuple[int, ...]
    plan: tuple[Planned, ...]
    rate: float = 20.0


def run(root: Path, asked: Asked, *, port: int, tell: Callable[[str], None]) -> Report:
    """Bring up, load, break, take down, gather and judge.

    Raises:
        ClusterError: The deployment did not come up in the first place.
    """
    root.mkdir(parents=True, exist_ok=True)
    (root / "chaos.json").write_text(json.dumps(workflow().model_dump(mode="json")))
    model = Model(asked.seed)
    model.start()
    serving = Serving(root, model, port=port)
    stage = Stage(root=root, serving=serving, model=model, dice=Random(asked.seed))
    try:
        up_s = serving.up()
        tell(f"up after {up_s:.1f} s at {serving.url}")
        _share_traffic(stage)
        watch = Watch(root)
        with _load(stage, asked, watch):
            landed = _follow(stage, asked, tell)
        serving.down()
    finally:
        serving.down()
        model.kill()
    return _report(stage, asked, watch, landed, up_s)


def _share_traffic(stage: Stage) -> None:
    stage.play()
    stage.rollouts = 1
    stage.candidate = roll_out(stage.root, stage.rollouts).hash
    give_up = time.monotonic() + SEATED_S
    while say(stage.serving.url, variant=stage.candidate).status != 200:
        if time.monotonic() > give_up:
            raise ClusterError(f"{stage.candidate} is not seated after {SEATED_S:g} s")
        time.sleep(0.2)


@contextlib.contextmanager
def _load(stage: Stage, asked: Asked, watch: Watch) -> Iterator[None]:
    journal = stage.root / "journal.jsonl"
    journal.unlink(missing_ok=True)
    habits = Habits(
        url=stage.serving.url,
        workflow=NAME,
        journal=str(journal),
        rate=asked.rate,
        seed=asked.seed,
    )
    clients = pinger(habits, stage.root / "pinger.log")
    looking = reader(stage.root, stage.root / "reader.log")
    watch.start()
    try:
        yield
    finally:
        clients.end()
        looking.end()
        watch.stop()


def _follow(stage: Stage, asked: Asked, tell: Callable[[str], None]) -> list[Landed]:
    """Do what is planned; a repetition is left out once the time is over."""
    landed: list[Landed] = []
    began, free_at = time.monotonic(), 0.0
    for planned in asked.plan:
        # What came before may have taken longer than planned, and must be over all the same.
        due = max(began + planned.at_s, free_at)
        if due - began > asked.seconds and planned.action in {one.action for one in landed}:
            continue
        time.sleep(max(0.0, due - time.monotonic()))
        landed.append(_done(stage, planned.action))
        free_at = time.monotonic() + SETTLES_S
        tell(f"{due - began:6.1f} s  {planned.action}: {landed[-1].evidence or 'DID NOT LAND'}")
        if landed[-1].wrong:
            tell(f"          wrong: {landed[-1].wrong}")
    time.sleep(LAST_S)
    return landed


def _done(stage: Stage, name: str) -> Landed:
    action, began_at = named(name), time.time()
    try:
        done = action.act(stage)
    except Exception as error:  # noqa: BLE001 - the run goes on, and is red
        done = Done("", wrong=f"the action itself failed: {error!r}")
    ended_at = time.time()
    return Landed(
        fault=action.fault,
        action=name,
        began_at=began_at,
        ended_at=ended_at,
        over_at=ended_at if done.over_at is None else done.over_at,
        evidence=done.evidence,
        aimed_at=done.aimed_at,
        fills_disk=done.fills_disk,
        wrong=done.wrong,
    )


def _report(
    stage: Stage, asked: Asked, watch: Watch, landed: Sequence[Landed], up_s: float
) -> Report:
    root = stage.root
    problems = ship(root)
    tables, journal = tables_of(root), read_journal(root / "journal.jsonl")
    bursts = [read_journal(path) for path in stage.journals]
    everybody = Journal(
        pings=(*journal.pings, *(ping for one in bursts for ping in one.pings)),
        ratings=journal.ratings,
    )
    evidence = Evidence(
        journal=everybody,
        tables=tables,
        splits=splits_of(root),
        measured=measured_of(root, tables),
        readings=read_readings(root),
        problems=problems,
        ledger_flaw=ledger_flaw(root),
        watched=watch.watched,
        disk=watch.disk,
        landed=landed,
    )
    return Report.of(
        journal,
        landed,
        judge(evidence),
        seed=asked.seed,
        seconds=asked.seconds,
        faults=asked.faults,
        rate=asked.rate,
        profile=default_profile(),
        plan=asked.plan,
        up_s=up_s,
    )
