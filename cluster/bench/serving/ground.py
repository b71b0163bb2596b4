"""What the parts of the benchmark share: one deployment, an upstream, and the bare hops."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from ray import serve

from cluster.bench.bare import NAME, ONE, PREFIX, bare_app
from cluster.bench.serving.rounds import Target
from cluster.bench.serving.splitting import splitting
from cluster.bench.upstream import upstream
from cluster.demo.files import FOLDER
from cluster.head import Cluster, Profile, free_ports, processes_of
from cluster.session import control, deployed, install
from engine.config.experiment import load_workflow
from engine.config.workflow import Workflow
from serve_apps.deploy import wait_until_seated

WORKFLOW = FOLDER.parent / "bench" / "one-step.yaml"


@dataclass(frozen=True)
class Setting:
    """How and where the benchmark runs."""

    root: Path
    """The benchmark's own folder."""
    peers: Path
    """The environment with the other gateways."""
    profile: Profile
    port: int
    seconds: float
    """The length of one round."""
    times: int
    """The number of rounds."""
    quick: bool

    @property
    def workspace(self) -> Path:
        """What is deployed, made anew by every run."""
        return self.root / "serving"


@dataclass(frozen=True)
class Ground:
    """A deployment of one-step in both placements, each with a tenth on a second variant."""

    setting: Setting
    cluster: Cluster
    upstream_port: int
    upstream_pid: int
    slot: Workflow
    inline: Workflow

    @property
    def root(self) -> Path:
        """The deployment's workspace."""
        return self.setting.workspace

    @property
    def base_url(self) -> str:
        """The upstream's."""
        return f"http://127.0.0.1:{self.upstream_port}/v1"

    def upstream(self) -> list[psutil.Process]:
        """The upstream's process."""
        return [psutil.Process(self.upstream_pid)]

    def ours(self) -> list[psutil.Process]:
        """Every process of the deployment, and the upstream."""
        return [*processes_of(self.cluster), *self.upstream()]

    def of(self, workflow: Workflow) -> Target:
        """A chat completion through this workflow."""
        url = f"{self.cluster.url}/v1/chat/completions"
        return Target(workflow.deploy.placement, url, workflow.workflow, self.ours)

    def bare(self) -> Target:
        """The same body through two bare hops."""
        return Target("bare", f"{self.cluster.url}{PREFIX}", self.slot.workflow, self.ours)

    def hop(self) -> Target:
        """The same body through one bare hop: what nothing behind Serve's proxy can outrun."""
        return Target("hop", f"{self.cluster.url}{PREFIX}{ONE}", self.slot.workflow, self.ours)

    def direct(self) -> Target:
        """The same question to the upstream itself."""
        url = f"{self.base_url}/chat/completions"
        return Target("upstream", url, self.slot.workflow, self.upstream)


@contextlib.contextmanager
def ground(setting: Setting) -> Iterator[Ground]:
    """The deployment, for as long as the block lasts."""
    port = free_ports(1)[0]
    slot = _asking(load_workflow(WORKFLOW), port)
    inline = _inline(slot)
    root = setting.workspace
    shutil.rmtree(root, ignore_errors=True)
    with upstream(port) as process, contextlib.ExitStack() as stack:
        cluster = stack.enter_context(
            deployed(root, slot, profile=setting.profile, port=setting.port)
        )
        install(root, inline)
        for workflow in (slot, inline):
            seq = stack.enter_context(splitting(root, workflow)).open()
            wait_until_seated(control(), workflow.workflow, seq)
        serve.run(bare_app(slot.deploy.gateways), name=NAME, route_prefix=PREFIX)
        yield Ground(setting, cluster, port, process.pid, slot, inline)


def _asking(workflow: Workflow, port: int) -> Workflow:
    instant = workflow.llm.model_copy(update={"base_url": f"http://127.0.0.1:{port}/v1"})
    return workflow.model_copy(update={"llm": instant})


def _inline(workflow: Workflow) -> Workflow:
    deploy = workflow.deploy.model_copy(update={"placement": "inline"})
    return workflow.model_copy(update={"workflow": f"{workflow.workflow}-inline", "deploy": deploy})
