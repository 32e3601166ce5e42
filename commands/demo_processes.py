"""The processes of a demonstration: simulators and gateway, on free loopback ports, ended whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from config import DEFAULTS, Settings
from errors import ConfigurationError
from exchange import Json
from security.keys import write_file

READY_SECONDS = 60.0
GRACE_SECONDS = 30.0


class Process:
    """A `gateway …` of its own, in a process group of its own, that says in one line of JSON when it is ready."""

    def __init__(self, arguments: list[str], environ: Mapping[str, str], log: Path) -> None:
        self._name = arguments[0]
        self._log = log
        with log.open("wb") as errors:
            # A group of its own: Ctrl-C reaches only us, and we end the others in order.
            self._process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
                [sys.executable, "-P", "-c", "import gateway; gateway.main()", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environ),
                start_new_session=True,
            )

    def ready(self) -> dict[str, Json]:
        """Wait for the ready line.

        Raises: ConfigurationError naming the file with what the process said, when it ends or stays silent.
        """
        out = self._process.stdout
        if out is None:  # cannot be: it is a pipe
            raise ConfigurationError(self._name)
        until, line = time.monotonic() + READY_SECONDS, b""
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while not line.endswith(b"\n") and selector.select(max(0.0, until - time.monotonic())):
                read = os.read(out.fileno(), 65536)
                if not read:
                    break
                line += read
        try:
            said = json.loads(line)
        except ValueError as error:
            raise ConfigurationError(f"`gateway {self._name}` did not start; see {self._log}") from error
        if not isinstance(said, dict) or said.get("ready") is not True:
            raise ConfigurationError(f"`gateway {self._name}` is not ready; see {self._log}")
        return said

    def stop(self) -> bool:
        """End it: first it may finish what it does, then the whole group is killed. True when it ended by itself."""
        process = self._process
        if process.returncode is None:
            process.terminate()
            graceful = self._ends_within(GRACE_SECONDS)
            # Not waited for yet, so the group's number is still its own: workers whose master is gone end here.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            return graceful
        return process.returncode == 0

    def _ends_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within: a second Ctrl-C does not stop the stopping."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within: SIGTERM and SIGHUP end us as Ctrl-C does, so that nothing is left behind."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def write_configuration(
    settings: Settings, folder: Path, urls: Mapping[str, str], identity: Mapping[str, Json] | None = None
) -> None:
    """Write the settings of the demonstration: those in force, with free ports, mutual TLS and the systems' addresses.

    `identity` is the ready line of the test identity provider by which one signs in at the console. Keys and state stay
    those of the settings, so that what is left behind can be looked at with them.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for own, name in ((settings.access, "access.d"), (settings.trust, "trust"), (settings.crl, "crl")):
        shutil.rmtree(folder / name, ignore_errors=True)
        if own.resolve() != (DEFAULTS / name).resolve():
            shutil.copytree(own, folder / name)
    keys = settings.keys
    tables: dict[str, dict[str, str | int | float | bool]] = {
        "gateway": {"environment": settings.environment.value, "institution": settings.institution},
        "state": {"directory": str(settings.state)},
        "listen.partners": {
            "host": "127.0.0.1",
            "port": 0,
            "certificate": str(keys / "tls.pem"),
            "key": str(keys / "tls.key"),
            "client_ca": str(keys / "authority.pem"),
        },
        "listen.internal": {"host": "127.0.0.1", "port": 0},
        "limits": {
            "body_bytes": settings.limits.body_bytes,
            "requests_per_s": settings.limits.requests_per_s,
            "exchange_seconds": settings.limits.exchange_seconds,
        },
        "log": {
            "checkpoint_seconds": settings.log.checkpoint_seconds,
            "witness_url": settings.log.witness_url,
            "witness_key": settings.log.witness_key,
            "exposure_seconds": settings.log.exposure_seconds,
        },
    }
    for name, url in urls.items():
        tables[f"systems.{name}"] = {"url": url, "timeout_s": settings.system(name).timeout_s}
    if identity is not None:
        secret = folder / "oidc.secret"
        write_file(secret, str(identity["client_secret"]).encode())
        tables["console"] = {
            "oidc_issuer": str(identity["issuer"]),
            "oidc_client_id": str(identity["client_id"]),
            "oidc_secret_file": str(secret),
        }
    text = "".join(f"[{table}]\n{_lines(values)}\n" for table, values in tables.items())
    roles = None if identity is None else identity["roles"]
    for claim, role in roles.items() if isinstance(roles, dict) else ():
        text += f"[[console.oidc_roles]]\n{_lines({'claim': claim, 'role': role})}\n"
    (folder / "gateway.toml").write_text(
        f"# Written by `gateway demo`, anew each time.\n\n{text}", encoding="utf-8"
    )


def _lines(values: Mapping[str, Json]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
