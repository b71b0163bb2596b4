"""The facts that serving writes, as columns."""

from typing import TYPE_CHECKING, Literal

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["exposure", "trace", "feedback"]

EXPOSURE = pa.schema(
    [
        ("trace_id", pa.string()),
        ("at", pa.float64()),
        ("workflow", pa.string()),
        ("unit_id", pa.string()),
        ("conversation_id", pa.string()),
        ("epoch", pa.string()),
        ("version", pa.int64()),
        ("bucket", pa.int32()),
        ("variant", pa.string()),
        ("served", pa.string()),
        ("window", pa.string()),
        ("lapsed", pa.string()),
        ("forced", pa.bool_()),
        ("segment", pa.string()),
        ("writer", pa.string()),
    ]
)
"""A unit met a variant: `variant` was assigned, `served` answered.

`segment` is the kind of request by its words alone, so no variant can change it.

`window` owns the bucket, empty for the baseline's own; `lapsed` holds expired windows, comma on
both sides of each.
"""

TRACE = pa.schema(
    [
        ("trace_id", pa.string()),
        ("at", pa.float64()),
        ("workflow", pa.string()),
        ("variant", pa.string()),
        ("duration_s", pa.float64()),
        ("overhead_s", pa.float64()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("segment", pa.string()),
        ("model", pa.string()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("cost_usd", pa.float64()),
        ("cache_hit", pa.bool_()),
        ("spans", pa.string()),
        ("writer", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
    ]
)
"""What a request did; `status` is ok, error or timeout, `spans` a JSON list of node spans.

`question` and `answer` are null unless the workflow says `record_text`.
"""

FEEDBACK = pa.schema(
    [
        ("key", pa.string()),
        ("at", pa.float64()),
        ("trace_id", pa.string()),
        ("metric", pa.string()),
        ("score", pa.float64()),
    ]
)
"""A late value about one trace, in [0, 1], under its idempotency key."""

SCHEMAS: dict[Kind, pa.Schema] = {"exposure": EXPOSURE, "trace": TRACE, "feedback": FEEDBACK}


def empty(kind: Kind) -> "pl.DataFrame":
    """An empty table of this kind, with the reader's `batch` column."""
    # Whoever only writes facts needs none of its 14 MB.
    import polars as pl

    table = SCHEMAS[kind].append(pa.field("batch", pa.int64())).empty_table()
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
