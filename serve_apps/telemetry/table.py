"""Every metric of the serving side: its name, its labels, its unit, what it tells.

Ray puts `ray_` before each name. A label's values are few: workflows, seats, nodes, tools and
models as configured, closed sets of words; never the id of a request, a person or a window.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Unit = Literal["", "seconds", "bytes", "usd", "steps", "percent"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
STEPS = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 15.0, 20.0, 30.0)


@dataclass(frozen=True, eq=False)
class Metric:
    """One line of the table; each is only equal to itself, so that it is quick to look up."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    unit: Unit
    meaning: str

    @property
    def exported(self) -> str:
        """The name that Prometheus reads."""
        return f"ray_{self.name}"

    @property
    def boundaries(self) -> list[float]:
        """A histogram's borders."""
        return list(STEPS if self.unit == "steps" else SECONDS)


def _counter(name: str, labels: str, meaning: str, unit: Unit = "") -> Metric:
    return Metric(f"trimtab_{name}_total", "counter", tuple(labels.split()), unit, meaning)


def _gauge(name: str, labels: str, meaning: str, unit: Unit = "") -> Metric:
    return Metric(f"trimtab_{name}", "gauge", tuple(labels.split()), unit, meaning)


def _histogram(name: str, labels: str, meaning: str, unit: Unit = "seconds") -> Metric:
    return Metric(f"trimtab_{name}", "histogram", tuple(labels.split()), unit, meaning)


# What a gateway knows of each request.
REQUESTS = _counter(
    "requests", "workflow variant status", "Requests that were assigned: ok, error or timeout."
)
ERRORS = _counter("errors", "workflow variant error", "Failed requests by class of error.")
REQUEST_SECONDS = _histogram("request_seconds", "workflow variant", "What a request took.")
OVERHEAD_SECONDS = _histogram("overhead_seconds", "workflow", "What the platform added to it.")
TOKENS = _counter("tokens", "workflow variant direction", "Tokens of models, input and output.")
COST = _counter("cost_usd", "workflow variant", "What models were paid.", "usd")
CACHED = _counter("cached_answers", "workflow variant", "Requests that a cache served a part of.")
SEGMENTS = _counter("segments", "workflow segment", "Requests by their kind.")

# What its spans tell.
NODE_SECONDS = _histogram(
    "node_seconds", "workflow node kind", "What one step took; of kind `tool` by its name."
)
NODE_ERRORS = _counter("node_errors", "workflow node error", "Steps that failed, by class.")
MODEL_CALLS = _counter(
    "model_calls",
    "workflow model status attempt",
    "Attempts at a model: the first, or one more after it failed.",
)
FIRST_TEXT = _histogram("first_text_seconds", "workflow model", "Until a model's first text.")
STAND_INS = _counter(
    "stand_ins", "workflow action", "Answers by what stood in for the usual model."
)
CACHE_LOOKUPS = _counter(
    "cache_lookups", "workflow cache", "Look-ups by what held the answer; `none` is a miss."
)
ITERATIONS = _histogram("iterations", "workflow node", "Steps that an agent took.", "steps")

# What a gateway knows of itself.
REFUSED = _counter(
    "refused",
    "workflow reason",
    "Requests refused before anything was paid: rate_limited, queue_full, storage_full, starting.",
)
FEEDBACK = _counter("feedback", "outcome", "Feedback: stored, duplicate, conflict or refused.")
LOST_TRACES = _counter("lost_traces", "", "Traces that could not be made durable.")
OTLP_DROPPED = _counter("otlp_dropped", "", "Requests whose spans were not sent to the collector.")
UNDER_WAY = _gauge("requests_under_way", "", "Requests that a gateway holds now.")
QUEUE = _gauge("queued_requests", "", "Requests and tasks that wait for a place.")
SPOOL_BACKLOG = _gauge("spool_backlog_rows", "", "Facts that are not in the store yet.")
SNAPSHOT_AGE = _gauge(
    "control_away_seconds", "", "Since the control actor was last heard of.", "seconds"
)
EJECTIONS = _counter("ejections", "workflow variant", "Variants taken out of traffic for failing.")
EJECTED = _gauge("ejected", "workflow variant", "1 while a variant is out of traffic.")
BREAKERS = _gauge("open_breakers", "workflow", "Models and tools that are not called for now.")

# What a gateway knows of the workspace's tasks: of those that are open, each tells the same.
TASKS = _gauge("tasks", "state", "Tasks that are waiting or running, whoever took them in.")
TASK_WAIT = _gauge(
    "task_wait_seconds", "", "Since the oldest waiting task was submitted.", "seconds"
)
TASKS_ENDED = _counter(
    "tasks_ended", "outcome", "Tasks by their end: done, failed, cancelled or expired."
)

# What the ledger decided, told by the control actor.
SHARE = _gauge("share", "workflow variant role", "The part of traffic that a variant owns.")
EVIDENCE = _gauge("evidence_log_e", "workflow variant", "Log e-value that it is better.")
HARM = _gauge("harm_log_e", "workflow variant", "Log e-value that it is worse.")
MISMATCH = _gauge("srm_log_e", "workflow variant", "Log e-value of a sample-ratio mismatch.")
LIFT = _gauge("lift", "workflow variant", "Its estimated difference to the baseline.")
WINDOWS = _gauge("open_windows", "workflow kind", "Windows that claim traffic.")
VERDICTS = _counter("verdicts", "workflow action cause", "Decisions since the control actor began.")
UNSEATED = _gauge("unseated_variants", "workflow", "Variants that could not be built.")

# What each process uses; Ray has it by node and by kind of worker only.
CPU = _gauge("process_cpu_percent", "process", "Of one core.", "percent")
MEMORY = _gauge("process_memory_bytes", "process", "Resident memory.", "bytes")
FILES = _gauge("process_open_files", "process", "Open descriptors.")

TABLE: tuple[Metric, ...] = tuple(
    one for one in list(globals().values()) if isinstance(one, Metric)
)
MOST = 40


def as_markdown() -> str:
    """The table for people."""
    head = "| metric | kind | labels | meaning |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{one.exported}` | {one.kind} | {', '.join(one.labels)} | {one.meaning} |\n"
        for one in TABLE
    )
