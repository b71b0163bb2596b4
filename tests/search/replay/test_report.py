"""Laws of a written comparison: people get a page with its chart, machines every promotion."""

import json

from search.replay.engine import Asked, replay_once
from search.replay.report import write_replay
from search.replay.summary import summarised
from tests.search.replay.tables import experiment, table


def test_a_comparison_is_written_for_people_and_for_machines(tmp_path):
    outcomes = table(0.5, 0.6, 0.7, units=500)
    results = [
        replay_once(
            outcomes,
            experiment(),
            Asked(policy="article", baseline="v0", requests=3_000, seed=seed),
        )
        for seed in (1, 2)
    ]
    summaries = summarised(results)
    told = {
        "aa": False,
        "outcomes": "outcomes.csv",
        "variants": 3,
        "baseline": "v0",
        "replicates": 2,
        "requests": 3_000,
    }

    paths = write_replay(tmp_path, told, summaries, results, {"v0": 0.5, "v1": 0.6, "v2": 0.7})

    page = paths.markdown.read_text(encoding="utf-8")
    assert "3 variants of `outcomes.csv`, 2 replays of 3,000 requests each" in page
    assert "| article | " in page
    assert f"({paths.chart.name})" in page
    assert paths.chart.read_text(encoding="utf-8").startswith("<svg")
    data = json.loads(paths.data.read_text(encoding="utf-8"))
    assert [one["seed"] for one in data["replays"]] == [1, 2]
    assert data["baseline"] == "v0"
