"""Puts HTTPS, and gRPC over TLS, before the plain listeners of a deployment.

Serve's own HTTPS is only there without HAProxy, and its gRPC is plain in either mode. So a HAProxy
of our own ends TLS in both, and speaks plainly to loopback.
"""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from engine.config.tls import Tls
from engine.errors import ClusterError, ConfigError
from serve_apps.protection.standin import haproxy_binary

START_S = 10.0
STOP_S = 10.0
RECORD = "front.json"
LOADED = "Loading success"
"""What HAProxy says once it has taken up its files."""

CONFIGURATION = """\
# Written by `trimtab up`; the next one writes it anew.
global
    # As many connections as there are file descriptors for, two each.
    fd-hard-limit {descriptors}
    nbthread 2
    hard-stop-after 60s
    ssl-default-bind-options ssl-min-ver TLSv{minimum} no-tls-tickets
    ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20
    tune.ssl.default-dh-param 2048

defaults
    mode http
    option http-keep-alive
    # A head that comes byte by byte is cut off, and the beginning of a body with it.
    option http-buffer-request
    timeout http-request {head_ms}ms
    timeout http-keep-alive {idle_ms}ms
    timeout client {idle_ms}ms
    timeout client-fin {idle_ms}ms
    timeout connect 5s
    timeout server {answer_ms}ms
    timeout tunnel {answer_ms}ms
    timeout queue {head_ms}ms

frontend tls
    maxconn {connections}
    bind {host}:{port} ssl crt {folder}/server.pem alpn h2,http/1.1{client}
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-For %[src]
    http-response set-header Strict-Transport-Security max-age=31536000
{route}    default_backend plain

backend plain
    server serve 127.0.0.1:{http_port}
"""
GRPC = """
backend grpc
    server serve 127.0.0.1:{port} proto h2
"""
TO_GRPC = "    use_backend grpc if { req.hdr(content-type) -m beg application/grpc }\n"


class Front(BaseModel):
    """A front that was started, as recorded in its folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    url: str
    folder: str

    @property
    def is_alive(self) -> bool:
        """Whether the process that was started is still there."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            # A master begins itself anew at times, and has no command line for a moment.
            told = process.cmdline()
            return not told or any(part.startswith(self.folder) for part in told)
        return False


def start_front(folder: Path, tls: Tls, *, http_port: int, grpc_port: int | None = None) -> Front:
    """Listen on the settings' address for the plain listeners on loopback.

    Its files are written to `folder`, which its command line names; it takes the place of one that
    was started there before.

    Raises:
        ConfigError: The certificate or the key can't be used.
        ClusterError: There is no HAProxy, the port is taken, or it did not come up in time.
    """
    binary = haproxy_binary()
    check_certificate(tls)
    # One of a head that was killed still listens.
    stop_front(folder)
    if _is_taken(tls):
        raise ClusterError(f"port {tls.port} of {tls.host} is taken; choose another for TLS")
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # HAProxy looks for a key beside its certificate. Links, so that a renewed file is found.
    _link(folder / "server.pem", tls.cert)
    _link(folder / "server.pem.key", tls.key)
    written = folder / "front.cfg"
    written.write_text(configuration(folder, tls, http_port=http_port, grpc_port=grpc_port))
    _check(binary, written)
    log = (folder / "front.log").open("wb")
    with log:
        process = subprocess.Popen(
            [binary, "-W", "-db", "-f", str(written)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    front = Front(pid=process.pid, url=_url(tls), folder=str(folder))
    (folder / RECORD).write_text(front.model_dump_json(indent=2))
    _wait_for(tls, process, folder)
    return front


def load_front(folder: Path) -> Front | None:
    """The front that was started in this folder, alive or not."""
    try:
        return Front.model_validate_json((folder / RECORD).read_text())
    except FileNotFoundError:
        return None


def renew_front(folder: Path) -> None:
    """Read the certificate and the key again; connections that are open are not cut.

    Raises:
        ConfigError: The new files can't be used; the old ones stay in force.
        ClusterError: None is up, or it did not take them up in time.
    """
    front = load_front(folder)
    if front is None or not front.is_alive:
        raise ClusterError(f"{folder}: no TLS front is up; `trimtab up --tls-cert …` starts one")
    _check_pair(str(folder / "server.pem"), str(folder / "server.pem.key"))
    log = folder / "front.log"
    before = log.read_text().count(LOADED)
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        # A master that has just begun does not hear it yet; to be told twice does no harm.
        os.kill(front.pid, signal.SIGUSR2)
        for _ in range(20):
            if log.read_text().count(LOADED) > before:
                return
            time.sleep(0.02)
    raise ClusterError(f"the TLS front did not take up its files; see {log}")


def stop_front(folder: Path) -> bool:
    """End the front of this folder, by process id; False when none was up."""
    front = load_front(folder)
    if front is None:
        return False
    (folder / RECORD).unlink()
    if not front.is_alive:
        return False
    master = psutil.Process(front.pid)
    family = [master, *master.children(recursive=True)]
    with contextlib.suppress(psutil.NoSuchProcess):
        master.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_S)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return True


def configuration(folder: Path, tls: Tls, *, http_port: int, grpc_port: int | None) -> str:
    """What HAProxy is told."""
    text = CONFIGURATION.format(
        connections=tls.connections,
        descriptors=2 * tls.connections + 256,
        minimum=tls.minimum,
        head_ms=round(tls.head_timeout_s * 1_000),
        idle_ms=round(tls.idle_timeout_s * 1_000),
        answer_ms=round(tls.answer_timeout_s * 1_000),
        host=f"[{tls.host}]" if ":" in tls.host else tls.host,
        port=tls.port,
        folder=folder,
        client=_vouched_for_by(tls.client_ca) if tls.client_ca else "",
        route=TO_GRPC if grpc_port is not None else "",
        http_port=http_port,
    )
    return text + (GRPC.format(port=grpc_port) if grpc_port is not None else "")


def check_certificate(tls: Tls) -> None:
    """Try the files before anything is started.

    Raises:
        ConfigError: One can't be read, or they don't belong together.
    """
    for name in ("cert", "key", "client_ca"):
        path = getattr(tls, name)
        if path is not None and not os.access(path, os.R_OK):
            raise ConfigError(f"tls.{name}: {path} can't be read; write the path of a PEM file")
    _check_pair(tls.cert, tls.key)


def _check_pair(cert: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password, so that a locked key is refused and nobody is asked.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        why = f"tls: {cert} and {key} can't be used: {error}"
        raise ConfigError(f"{why}; write a certificate and its own unlocked key") from error


def _check(binary: str, written: Path) -> None:
    checked = subprocess.run(
        [binary, "-c", "-f", str(written)], capture_output=True, text=True, check=False
    )
    if checked.returncode:
        raise ConfigError(f"tls: HAProxy refuses the settings: {checked.stderr.strip()}")


def _vouched_for_by(client_ca: str) -> str:
    return f" verify required ca-file {Path(client_ca).expanduser().resolve()}"


def _link(link: Path, target: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(Path(target).expanduser().resolve())


def _url(tls: Tls) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(tls.host, tls.host)
    return f"https://{host}:{tls.port}"


def _is_taken(tls: Tls) -> bool:
    family = socket.AF_INET6 if ":" in tls.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((tls.host, tls.port))
        except OSError:
            return True
    return False


def _wait_for(tls: Tls, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        if process.poll() is not None:
            break
        if _is_taken(tls) and LOADED in (folder / "front.log").read_text():
            return
        time.sleep(0.02)
    stop_front(folder)
    raise ClusterError(f"the TLS front did not come up; see {folder / 'front.log'}")
