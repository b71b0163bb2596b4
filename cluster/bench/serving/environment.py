"""The environment that other gateways are installed in, apart from Trimtab's own."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from engine.errors import ClusterError

REQUIREMENTS = "peers.txt"
VERSION = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"


def environment(folder: Path) -> Path:
    """The environment's folder of programs; made first where there is none.

    Raises:
        ClusterError: It could not be made.
    """
    programs = folder.resolve() / "bin"
    if not (programs / "python").exists():
        _run([sys.executable, "-m", "venv", str(folder)])
        wanted = str(files("cluster.bench") / REQUIREMENTS)
        _run([str(programs / "pip"), "install", "--quiet", "--requirement", wanted])
    return programs


def version(programs: Path, package: str) -> str:
    """The release that is installed there.

    Raises:
        ClusterError: None is.
    """
    return _run([str(programs / "python"), "-c", VERSION, package]).strip()


def _run(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        why = done.stderr.strip().splitlines() or ["no message"]
        raise ClusterError(f"{command[0]} {command[1]} failed: {why[-1]}")
    return done.stdout
