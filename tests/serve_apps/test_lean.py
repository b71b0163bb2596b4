import subprocess
import sys


def told_of(program):
    """What a process of its own says, since a module can be imported only once."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_serve_does_without_pandas_and_others_have_it():
    program = """
import sys
import serve_apps.lean
import ray.serve
from ray.serve._private import utils
print("pandas" in sys.modules, utils.pd is None)
import pandas
print(pandas.DataFrame({"a": [1]}).shape[0])
"""

    assert told_of(program) == ["False", "True", "1"]


def test_gateways_and_slots_have_nothing_that_answers_before_it_is_needed():
    program = """
import sys
import serve_apps.gateway.app, serve_apps.slot
print(*(one in sys.modules for one in ("openai", "polars", "scipy", "tokenizers")))
"""

    assert told_of(program) == ["False"] * 4
