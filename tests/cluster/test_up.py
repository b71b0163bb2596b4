import subprocess
import sys

import pytest

from cluster.commands.up import told
from cluster.head import Cluster


def cluster(profile, **more):
    return Cluster(
        address="127.0.0.1:1", url="http://127.0.0.1:8000", pid=1, profile=profile, **more
    )


@pytest.mark.parametrize(("profile", "warned"), [("plain", 1), ("fast", 0)])
def test_an_operator_hears_where_nobody_cuts_off_slow_headers(profile, warned):
    lines = list(told("docs-qa", cluster(profile)))

    assert sum("not cut off" in line for line in lines) == warned


def test_an_operator_hears_of_every_door_that_is_open():
    doors = {
        "grpc": "127.0.0.1:9000",
        "tls_url": "https://127.0.0.1:8443",
        "dashboard": "http://127.0.0.1:8265",
    }

    lines = "\n".join(told("docs-qa", cluster("fast", **doors)))

    assert all(place in lines for place in ("http://127.0.0.1:8000", *doors.values()))


def test_ray_may_start_before_its_driver_has_imported_it():
    program = "import sys, cluster.commands.up; print('ray' in sys.modules)"

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stdout.split() == ["False"]
