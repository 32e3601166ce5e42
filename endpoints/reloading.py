"""Settings read again while a process runs (SIGHUP): taken as a whole or refused as a whole, and on record either way.

Everything is read and checked before anything changes, as at the start. What cannot change in a running process is
named and refused: it needs a restart.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import config
import gateway
from adapters import profiles
from audit import Entry, Kind, check_log, open_log
from audit.account import operating_user
from config import Listen, Settings
from endpoints import listeners, readiness
from endpoints.partner_trust import PartnerTrust
from errors import ConfigurationError, GatewayError
from exchange import Json, Outcome, new_id, utc_now
from security.certificates import load_authorities
from storage import open_engine

T = TypeVar("T")

# By name as an operator knows it, the SHA-256 (hexadecimal) of each file that the settings come from.
Files = Mapping[str, str]

ACT = "settings reload"
START = "start"
# In the state directory: the files of the last start or reading on this host, by which a change is seen.
_SEEN = "settings.json"

diagnostics = logging.getLogger("gateway.settings")


def rehearse(settings: Settings, *, listening: bool) -> None:
    """Find out now, in one process and with a clear line, what would stop each worker.

    `listening`: this process also opens the listeners.
    Raises: ConfigurationError.
    """
    if listening:
        for name in listeners.NAMES:
            listeners.tls_context(name, getattr(settings, name))
    wired = gateway.wire(settings)
    try:
        for path in readiness.missing_keys(settings):
            raise ConfigurationError(f"{path} is missing: gateway keys new")
        check_log(settings, wired.engine)
        readiness.load_contracts(wired)
        PartnerTrust(settings, wired.engine).policy()
    finally:
        wired.engine.dispose()


class Standing:
    """The settings in force in this process: those of its start, or of the last time that they were read again."""

    def __init__(self, settings: Settings, name: str, *, listening: bool) -> None:
        """`name` is what the process is called in the record: serve, work."""
        self.settings = settings
        self._name = f"{name} {socket.gethostname()}:{os.getpid()}"
        self._listening = listening
        self._files = files(settings)
        self._closed = _closed_systems(settings)

    def started(self) -> None:
        """Put on record that this process begins, under which keys, and what has changed since the last time here.

        Raises: LogUnavailable and what lies beneath it: a gateway that cannot say so does not begin.
        """
        before = _seen(self.settings.state)
        self._write(
            {
                "act": START,
                "name": self._name,
                "recipient": "",
                "keys": public_digests(self.settings.keys),
                "files": changed(before or {}, self._files),
                "first": before is None,
            }
        )
        _see(self.settings.state, self._files)

    def again(self, begin: Callable[[Settings], T], undo: Callable[[T], object]) -> T | None:
        """Read the settings, check them, `begin` by them; what was begun, or None when all stays as it was.

        A change that cannot be put on record does not take place: then `undo` ends what was begun. Never raises.
        """
        try:
            settings = config.load()
            closed = self._check(settings)
            now = files(settings)
            begun = begin(settings)
            try:
                self._record(Outcome.OK, None, changed(self._files, now))
            except Exception:  # not on record: it must not stand, and what was raised goes on
                undo(begun)
                raise
        except Exception as error:  # whatever it is: the gateway that runs goes on as it is
            self._refused(error)
            return None
        names = ", ".join(sorted(_names(self._files, now))) or "no file has changed"
        diagnostics.warning("the settings are read again and in force: %s", names)
        self.settings, self._files, self._closed = settings, now, closed
        _see(settings.state, now)
        return begun

    def _check(self, settings: Settings) -> dict[str, str]:
        if names := fixed(self.settings, settings):
            raise ConfigurationError(
                f"cannot change while the gateway runs, restart it instead: {', '.join(names)}"
            )
        rehearse(settings, listening=self._listening)
        closed = _closed_systems(settings)
        for name, reason in closed.items():
            if name not in self._closed:
                raise ConfigurationError(f"[systems.{name}] {reason}")
        return closed

    def _refused(self, error: Exception) -> None:
        ours = error if isinstance(error, GatewayError) else ConfigurationError(type(error).__name__)
        diagnostics.error("the settings stay as they were: %s", ours)
        try:
            self._record(Outcome.FAILED, ours, changed(self._files, files(self.settings)))
        except Exception as failure:  # the log is away: told, and nothing has changed
            diagnostics.error("that is not on record: %s", type(failure).__name__)

    def _record(self, outcome: Outcome, error: GatewayError | None, found: list[Json]) -> None:
        self._write(
            {
                "act": ACT,
                "name": self._name,
                "recipient": "",
                "outcome": outcome.value,
                "code": None if error is None else error.code,
                "detail": None if error is None else error.detail[:500],
                "files": found,
            }
        )

    def _write(self, told: Mapping[str, Json]) -> None:
        facts = {"environment": self.settings.environment.value, **told}
        engine = open_engine(self.settings.database_url)
        try:
            log = open_log(self.settings, engine)
            log.write(Entry(Kind.ADMIN, new_id(), utc_now(), facts, {"official": operating_user()}))
            log.close()
        finally:
            engine.dispose()


def fixed(before: Settings, after: Settings) -> list[str]:
    """The settings that differ and cannot change in a running process, by their names in gateway.toml."""
    old, new = dict(_fixed(before)), dict(_fixed(after))
    return [name for name, value in old.items() if new[name] != value]


def _fixed(settings: Settings) -> Iterator[tuple[str, object]]:
    yield "[gateway] environment", settings.environment
    yield "[state] directory", settings.state
    yield "[database] url", settings.database_url
    for name in listeners.NAMES:
        listen: Listen = getattr(settings, name)
        yield f"[listen.{name}] host", listen.host
        yield f"[listen.{name}] port", listen.port
        yield f"[listen.{name}] socket", listen.socket
        yield f"[listen.{name}] TLS on or off", listen.certificate is None


def files(settings: Settings) -> Files:
    """Every file that the settings and what they name come from; keys too, so that a new one is seen."""
    home = Path(settings.source)
    found = {
        **_named("config/", config.DEFAULTS, "gateway.toml", "systems.d/*.toml"),
        **_named("", home, "gateway.toml", "systems.d/*.toml"),
        **_named("access.d/", settings.access, "*.toml"),
        **_named("trust/", settings.trust, "*.pem"),
        **_named("crl/", settings.crl, "*.pem"),
        **_named("keys/", settings.keys, "*.pem", "*.pub", "*.key", "*.vkey"),
    }
    for name, system in settings.systems.items():
        found[f"[systems.{name}] trust"] = system.trust
        if system.tls_trust is not None:
            found[f"[systems.{name}] tls_trust"] = system.tls_trust
    for name in listeners.NAMES:
        listen: Listen = getattr(settings, name)
        given = {"certificate": listen.certificate, "key": listen.key, "client_ca": listen.client_ca}
        found |= {f"[listen.{name}] {kind}": path for kind, path in given.items() if path is not None}
    return {name: digest for name, path in found.items() if (digest := _digest(path)) is not None}


def changed(before: Files, after: Files) -> list[Json]:
    """What differs: each file with its SHA-256 before and after (null where there was none); of a key only its name."""
    return [
        {"file": name}
        if name.endswith("key")
        else {"file": name, "before": before.get(name), "after": after.get(name)}
        for name in sorted(_names(before, after))
    ]


def public_digests(keys: Path) -> dict[str, Json]:
    """By name, the SHA-256 (hexadecimal) of the public half of each key in use here: certificates, `log.pub`."""
    found = {
        path.name: _digest(path) for pattern in ("*.pem", "*.pub") for path in sorted(keys.glob(pattern))
    }
    return {name: digest for name, digest in found.items() if digest is not None}


def _seen(state: Path) -> Files | None:
    try:
        found = json.loads((state / _SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else None


def _see(state: Path, found: Files) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=state, delete=False) as file:
        json.dump(dict(found), file)
    os.replace(file.name, state / _SEEN)


def _names(before: Files, after: Files) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _named(prefix: str, folder: Path, *patterns: str) -> dict[str, Path]:
    return {
        f"{prefix}{path.relative_to(folder).as_posix()}": path
        for pattern in patterns
        for path in folder.glob(pattern)
    }


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # not there, or not to be read: whoever needs it says so
        return None


def _closed_systems(settings: Settings) -> dict[str, str]:
    """The systems that cannot be called as they are set, and why; they are closed at the start and stay so."""
    closed = {}
    for name, system in settings.systems.items():
        if find_spec(f"{profiles.__name__}.{system.profile}") is None:
            closed[name] = f"profile {system.profile} is not known"
        for setting, path in (("trust", system.trust), ("tls_trust", system.tls_trust)):
            try:
                if path is not None:
                    load_authorities(path)
            except ConfigurationError as error:
                closed[name] = f"{setting}: {error.detail}"
    return closed
