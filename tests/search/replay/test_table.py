"""Laws of a table of outcomes: what it says is kept, and what it can't mean is refused by place."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from search.replay.table import read_frame, read_outcomes

HEAD = "variant,unit_id,score"
PLAIN = f"{HEAD}\na,u1,1\na,u2,0\nb,u1,0.5\nb,u2,\n"


def read(folder, text):
    path = folder / "outcomes.csv"
    path.write_text(text, encoding="utf-8")
    return read_outcomes(path)


def refused(folder, text):
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return str(caught.value).removeprefix(f"{folder / 'outcomes.csv'}: ")


def test_variants_and_units_are_numbered_as_they_come(tmp_path):
    outcomes = read(tmp_path, PLAIN)

    assert outcomes.variants == ("a", "b")
    assert outcomes.variant.tolist() == [0, 0, 1, 1]
    assert outcomes.unit.tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(outcomes.score, [1.0, 0.0, 0.5, np.nan])


def test_what_the_table_does_not_hold_is_unmeasured_and_not_zero(tmp_path):
    outcomes = read(tmp_path, PLAIN)

    assert (outcomes.latency_s, outcomes.cost, outcomes.failed, outcomes.segment) == (None,) * 4
    assert outcomes.segments == ()


def test_every_optional_column_is_read(tmp_path):
    text = (
        f"{HEAD},latency_s,cost_usd,segment,error,ts,note\n"
        "a,u1,1,0.5,0.01,web,false,2026-01-01,x\n"
        "b,u1,,,,,TRUE,2026-01-02,y\n"
        "b,u2,0.25,2,0.03,mail,,2026-01-02,z\n"
    )

    outcomes = read(tmp_path, text)

    np.testing.assert_array_equal(outcomes.latency_s, [0.5, np.nan, 2.0])
    np.testing.assert_array_equal(outcomes.cost, [0.01, np.nan, 0.03])
    assert outcomes.failed.tolist() == [False, True, False]
    assert outcomes.segments == ("web", "mail")
    assert outcomes.segment.tolist() == [0, -1, 1]


def test_without_money_the_tokens_are_the_cost(tmp_path):
    outcomes = read(
        tmp_path, f"{HEAD},input_tokens,output_tokens\na,u,1,100,20\nb,u,0,50,\nb,v,0,1,2"
    )

    np.testing.assert_array_equal(outcomes.cost, [120.0, np.nan, 3.0])


def test_parquet_says_the_same_as_csv(tmp_path):
    text = (
        f"{HEAD},latency_s,segment,error\n a ,u1,1,0.5,web,true\nb,u1,,1.5,,\nb,u3,0.4,2,mail,0\n"
    )
    from_csv = read(tmp_path, text)
    frame = pl.DataFrame(
        {
            "variant": ["a", "b", "b"],
            "unit_id": ["u1", "u1", "u3"],
            "score": [1.0, float("nan"), 0.4],
            "latency_s": [0.5, 1.5, 2.0],
            "segment": ["web", None, "mail"],
            "error": [True, None, False],
        }
    )
    frame.write_parquet(tmp_path / "outcomes.parquet")

    from_parquet = read_outcomes(tmp_path / "outcomes.parquet")

    for name in ("variant", "unit", "score", "latency_s", "segment", "failed"):
        np.testing.assert_array_equal(getattr(from_parquet, name), getattr(from_csv, name))
    assert from_parquet.variants == from_csv.variants
    assert from_parquet.segments == from_csv.segments


def test_numbered_variants_and_units_are_names_like_others(tmp_path):
    frame = pl.DataFrame({"variant": [7, 3], "unit_id": [1, 1], "score": [1, 0]})
    frame.write_parquet(tmp_path / "outcomes.parquet")

    assert read_outcomes(tmp_path / "outcomes.parquet").variants == ("7", "3")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "varient,unit_id,score\na,u,1\n",
            "no column `variant`; did you mean `varient`?",
        ),
        (f"{HEAD}\n", "holds no row under its head"),
        (f"{HEAD}\na,u,1\n", "column `variant` holds 1 variant; a replay compares at least 2"),
        (
            f"{HEAD}\na,u,1\nb,u,1.2\n",
            "row 2, column `score`: got '1.2'; write a number from 0 to 1, or nothing where "
            "unrated",
        ),
        (
            f"{HEAD}\na,u,good\nb,u,1\n",
            "row 1, column `score`: got 'good'; write a number from 0 to 1, or nothing where "
            "unrated",
        ),
        (
            f"{HEAD}\na,u,1\n,u,1\nb,u,1\n",
            "row 2, column `variant`: got nothing; write a name",
        ),
        (f"{HEAD}\na,u,1\nb,,1\n", "row 2, column `unit_id`: got nothing; write a name"),
        (
            f"{HEAD}\na,u,1\nb,u,1\na,u,0\n",
            "row 3: unit u of variant a is in row 1 already; a unit has one outcome under each "
            "variant",
        ),
        (
            f"{HEAD}\na,u,1\nb,u,\nb,v,\n",
            "variant 'b' has no `score` in any row; fill some in",
        ),
        (
            f"{HEAD},latency_s\na,u,1,0.2\nb,u,1,0\n",
            "row 2, column `latency_s`: got '0'; write seconds above 0, or nothing where "
            "unmeasured",
        ),
        (
            f"{HEAD},latency_s\na,u,1,0.2\nb,u,1,\n",
            "variant 'b' has no `latency_s` in any row; fill some in, or delete the column",
        ),
        (
            f"{HEAD},latency_ms\na,u,1,200\nb,u,1,300\n",
            "column `latency_ms` looks like `latency_s`, which is not there; rename it, or delete "
            "it to go without",
        ),
        (
            f"{HEAD},cost_usd\na,u,1,0.1\nb,u,1,-1\n",
            "row 2, column `cost_usd`: got '-1'; write a number from 0 up, or nothing where "
            "unmeasured",
        ),
        (
            f"{HEAD},input_tokens\na,u,1,9\nb,u,1,9\n",
            "column `input_tokens` is there without `output_tokens`; add it",
        ),
        (
            f"{HEAD},error\na,u,1,timeout\nb,u,1,\n",
            "row 1, column `error`: got 'timeout'; write true or false",
        ),
    ],
)
def test_a_table_that_can_not_be_meant_is_refused_with_its_place(tmp_path, text, said):
    assert refused(tmp_path, text) == said


def test_a_failed_unit_needs_no_score(tmp_path):
    outcomes = read(tmp_path, f"{HEAD},error\na,u,1,false\nb,u,,true\n")

    assert outcomes.failed.tolist() == [False, True]


def test_a_file_that_is_not_there_is_refused_with_the_nearest(tmp_path):
    (tmp_path / "outcomes.csv").write_text(PLAIN, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"no such file; did you mean `outcomes\.csv`"):
        read_outcomes(tmp_path / "outcome.csv")


def test_a_file_that_is_no_table_is_refused(tmp_path):
    path = tmp_path / "outcomes.parquet"
    path.write_text("not parquet at all", encoding="utf-8")

    with pytest.raises(ConfigError, match="can't be read as CSV or Parquet"):
        read_outcomes(path)


def test_a_column_of_lists_is_refused(tmp_path):
    frame = pl.DataFrame({"variant": ["a", "b"], "unit_id": ["u", "u"], "score": [[1.0], [0.0]]})
    frame.write_parquet(tmp_path / "outcomes.parquet")

    with pytest.raises(ConfigError, match=r"column `score` holds List\(Float64\); write one value"):
        read_outcomes(tmp_path / "outcomes.parquet")


def test_only_the_columns_that_count_are_read(tmp_path):
    path = tmp_path / "outcomes.csv"
    path.write_text(f"{HEAD},answer\na,u,1,long text\n", encoding="utf-8")

    assert read_frame(path, ("variant", "score"), ()).columns == ["variant", "score"]


names = st.text("abcxyz", min_size=1, max_size=3)


@settings(max_examples=30)
@given(st.dictionaries(st.tuples(names, names), st.floats(0.0, 1.0), min_size=1, max_size=30))
def test_every_outcome_is_found_again_under_its_names(tmp_path_factory, given_outcomes):
    variants = {variant for variant, _ in given_outcomes} | {"p", "q"}
    rows = dict(given_outcomes) | {(variant, "own"): 0.5 for variant in variants}
    frame = pl.DataFrame(
        [(variant, unit, score) for (variant, unit), score in rows.items()],
        schema=["variant", "unit_id", "score"],
        orient="row",
    )
    path = tmp_path_factory.mktemp("tables") / "outcomes.parquet"
    frame.write_parquet(path)

    outcomes = read_outcomes(path)

    units = list(dict.fromkeys(unit for _, unit in rows))
    found = {
        (outcomes.variants[variant], units[unit]): score
        for variant, unit, score in zip(
            outcomes.variant, outcomes.unit, outcomes.score, strict=True
        )
    }
    assert found == rows
