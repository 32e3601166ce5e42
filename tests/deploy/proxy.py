"""nginx as it is shipped: deploy/nginx.conf with the paths and ports of a test put in, and nothing else."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.instances import Tree, free_port, unavailable

DEPLOY = Path(__file__).parents[2] / "deploy"
CONFIGURATION = DEPLOY / "nginx.conf"

READY_SECONDS = 20.0


@dataclass(frozen=True)
class Nginx:
    """A running nginx: where it listens, and what it wrote."""

    folder: Path
    partners_port: int
    internal_port: int
    tree: Tree

    @property
    def partners(self) -> str:
        return f"https://127.0.0.1:{self.partners_port}"

    @property
    def internal(self) -> str:
        return f"https://127.0.0.1:{self.internal_port}"

    def upstreams(self) -> list[str]:
        """For each request that was passed on, the gateways that it was given to, by their sockets' folders."""
        lines = (self.folder / "gateway.log").read_text().splitlines()
        return [
            " ".join(
                part.rpartition("/")[0].rpartition("/")[2] for part in line.split() if part[:5] == "unix:"
            )
            for line in lines
            if "unix:" in line
        ]


def substitutions(
    folder: Path, partners_port: int, internal_port: int, *, crl: bool = False, seconds: int | None = None
) -> dict[str, str]:
    """All that is changed: what stands in the shipped file, and what a test puts there.

    Account, paths and ports; and the `#` of the second gateway of a host and of the revocation lists is taken off, as
    deploy/README.md says. With `seconds`, what is half-sent ends after so many, instead of after 20.
    """
    run = folder / "run"
    temporary = "".join(
        f"{name}_temp_path {folder / name}; " for name in ("client_body", "fastcgi", "uwsgi", "scgi")
    )
    return {
        "user www-data;": f"user {pwd.getpwuid(os.getuid()).pw_name};",
        "/run/nginx.pid": str(folder / "nginx.pid"),
        "/var/log/nginx/": f"{folder}/",
        "client_body_temp_path /var/lib/nginx/body;": temporary,
        "/var/lib/nginx/": f"{folder}/",
        "/etc/spolis-gateway/tls/": f"{folder / 'tls'}/",
        "# server unix:/run/spolis-gateway/second/": f"server unix:{run / 'second'}/",
        "unix:/run/spolis-gateway/": f"unix:{run / 'first'}/",
        "listen 443 ssl": f"listen 127.0.0.1:{partners_port} ssl",
        "listen 8443 ssl": f"listen 127.0.0.1:{internal_port} ssl",
    } | {
        **({"# ssl_crl ": "ssl_crl "} if crl else {}),
        **({"_timeout 20s;": f"_timeout {seconds}s;"} if seconds is not None else {}),
    }


def configured(
    folder: Path, partners_port: int, internal_port: int, *, crl: bool = False, seconds: int | None = None
) -> str:
    """The shipped file after the substitutions, each of which must have found its place."""
    text = CONFIGURATION.read_text(encoding="utf-8").partition("\n# One address for several hosts")[0]
    for shipped, own in substitutions(folder, partners_port, internal_port, crl=crl, seconds=seconds).items():
        assert shipped in text, f"{CONFIGURATION.name} has no {shipped!r}: change `substitutions` with it"
        text = text.replace(shipped, own)
    return text


@contextmanager
def running(
    folder: Path, keys: Path, *, crl: Path | None = None, seconds: int | None = None
) -> Iterator[Nginx]:
    """nginx in front of the sockets in `folder/run/first` and `…/second`, with the test authority's certificates."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        unavailable("nginx is not installed")
    home = folder / "nginx"
    (home / "tls").mkdir(parents=True)
    for name, source in (
        ("server.pem", "tls.pem"),
        ("server.key", "tls.key"),
        ("partners-ca.pem", "authority.pem"),
    ):
        shutil.copy(keys / source, home / "tls" / name)
    if crl is not None:
        shutil.copy(crl, home / "tls" / "partners-crl.pem")
    for name in ("first", "second"):
        (home / "run" / name).mkdir(parents=True)
    partners_port, internal_port = free_port(), free_port()
    file = home / "nginx.conf"
    file.write_text(configured(home, partners_port, internal_port, crl=crl is not None, seconds=seconds))
    tree = Tree(
        [program, "-e", str(home / "error.log"), "-c", str(file), "-g", "daemon off;"],
        home,
        {"PATH": os.environ["PATH"]},
    )
    tree.start(lambda: _accepts(partners_port) and _accepts(internal_port), READY_SECONDS)
    try:
        yield Nginx(home, partners_port, internal_port, tree)
    finally:
        tree.stop(signal.SIGTERM)


def client(keys: Path, name: str | None) -> ssl.SSLContext:
    """A client that trusts the test authority, with a certificate or none."""
    context = ssl.create_default_context(cafile=keys / "authority.pem")
    if name is not None:
        context.load_cert_chain(keys / f"{name}.pem", keys / f"{name}.key")
    return context


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
