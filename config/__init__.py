"""The one frozen settings object, read once at start-up; nothing else reads the environment.

`config/gateway.toml` holds every setting with its default, `config/systems.d/<name>.toml` those of one external
system. A directory named by `GATEWAY_CONFIG` overrides them: its `gateway.toml` and `systems.d/` setting by setting,
its `access.d/`, `trust/` and `crl/` each as a whole (a right must be readable in one place, so a deleted grant file
is a deleted grant).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from errors import ConfigurationError
from exchange import Environment

DEFAULTS = Path(__file__).parent
CHECKOUT = DEFAULTS.parent
# The names in security.engines, which stands above this package.
SIGNATURE_ENGINES = ("narrow", "signxml")
# The roles of endpoints.console.roles.
CONSOLE_ROLES = ("auditor", "dpo", "operator", "administrator")


@dataclass(frozen=True, slots=True)
class Listen:
    """One listener. Port 0 takes a free one. With `client_ca`, a client certificate is required.

    `socket` is the Unix socket of a proxy in front that ends TLS; host and port are not used then.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    soap: bool = False
    socket: Path | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a listener takes: bytes of one body, requests a second of one peer, seconds for one exchange."""

    body_bytes: int
    requests_per_s: int
    exchange_seconds: float


@dataclass(frozen=True, slots=True)
class Viss:
    """The state integrator: where it is, CA of its signatures and of its TLS certificate, and who we are to it.

    `system_id` is the URN under which it has registered us, `agency` the six digits of our institution there.
    """

    url: str
    trust: Path
    tls_trust: Path | None
    system_id: str
    agency: str
    transaction_minutes: float


@dataclass(frozen=True, slots=True)
class System:
    """How an external system is reached: address, transport profile, seconds for one call, CA of its signatures.

    `pool` is how many calls of one process are under way at a time. `repeat`, where set, is the most that may be
    relied on when an outcome is unclear, whatever the adapter declares: dedupes, queryable or neither. `tls_trust` is
    the file of the authorities of its TLS certificate; without one they are the public ones. Where it publishes its
    data whole, `edition` is the folder in which the editions are put, or `edition_url` the address that has them, with
    `edition_trust` for its TLS certificate. `destination` is its URN at the state integrator, `viss` are the settings
    of that where the profile is the one for it.
    """

    url: str
    profile: str
    timeout_s: float
    trust: Path
    pool: int = 8
    repeat: str = ""
    tls_trust: Path | None = None
    edition: Path | None = None
    edition_url: str = ""
    edition_trust: Path | None = None
    destination: str = ""
    viss: Viss | None = None

    @property
    def publishes(self) -> bool:
        """Whether it is said where the system's editions are."""
        return self.edition is not None or bool(self.edition_url)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The exchange log: seconds between checkpoints at most, and the outside witness: its address and key.

    Without a key the one that is pinned at the first contact counts. For more than `exposure_seconds` no record should
    be without a cosignature. `tsa_url` is an authority of time stamps, `tsa_trust` the certificates by which its stamps
    count; every `tsa_minutes` the newest checkpoint is stamped.
    """

    checkpoint_seconds: float
    witness_url: str
    witness_key: str
    exposure_seconds: float
    tsa_url: str
    tsa_trust: Path | None
    tsa_minutes: float


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """Deliveries: threads of one worker process, hours until it is given up, rows that may wait before callers do."""

    threads: int
    give_up_hours: float
    backlog: int


@dataclass(frozen=True, slots=True)
class SignatureSettings:
    """Which of `SIGNATURE_ENGINES` verifies and signs messages, for partners and for external systems alike."""

    engine: str


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Where operators are told of an incident: a webhook (JSON by POST), a mail, both or neither.

    `dpo_mail_to` is the data-protection officer, who is told of unusual look-ups; "" = whoever `mail_to` names.
    """

    webhook_url: str
    mail_to: str
    mail_from: str
    smtp_host: str
    smtp_port: int
    dpo_mail_to: str = ""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Diagnostics and traces: `json` or `text` lines on standard error, the OTLP/HTTP address for spans ("" = none)."""

    diagnostics: str
    otlp_url: str


@dataclass(frozen=True, slots=True)
class RevocationSource:
    """Where an issuer says what it has revoked; `issuer` is the file in `trust/` that holds its certificate alone."""

    issuer: str
    url: str


@dataclass(frozen=True, slots=True)
class RevocationSettings:
    """How old what partners' issuers say of revocation may be, and who is asked: responders (OCSP) and lists by URL.

    `when_stale` is refuse or accept: what holds `stale_hours` after the end of a list or an answer.
    """

    stale_hours: float
    when_stale: str
    ask_minutes: float
    ocsp: tuple[RevocationSource, ...]
    crl: tuple[RevocationSource, ...]


@dataclass(frozen=True, slots=True)
class StateLogin:
    """OpenID Connect: issuer, what it knows us as, and which of its claims say who somebody is and in which role.

    `address` is where browsers find the console; "" = as they ask for it, on this machine alone. `roles` are our roles
    by the values of the role claim. `tls_trust` is its certificate's authorities, None the public ones.
    """

    issuer: str
    client_id: str
    secret_file: Path
    address: str
    name_claim: str
    role_claim: str
    roles: Mapping[str, str]
    tls_trust: Path | None = None


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """How one signs in at the console: by local accounts (`gateway user`), by the state login, or by either."""

    local: bool
    state_login: StateLogin | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Paths are absolute. Secrets are files in `keys`, never settings.

    `eraser_url` is the same database under the role that may erase; without one it is `database_url`.
    """

    environment: Environment
    institution: str
    state: Path
    database_url: str
    eraser_url: str
    amqp_url: str
    amqp_queue: str
    partners: Listen
    internal: Listen
    limits: Limits
    log: LogSettings
    outbox: OutboxSettings
    signature: SignatureSettings
    alerts: AlertSettings
    telemetry: TelemetrySettings
    revocation: RevocationSettings
    console: ConsoleSettings
    viss: Viss
    systems: Mapping[str, System]
    access: Path
    trust: Path
    crl: Path
    source: str = field(default="")

    @property
    def keys(self) -> Path:
        """The directory of private keys and certificates; made by `gateway keys new`, never in a backup."""
        return self.state / "keys"

    @property
    def fetched_lists(self) -> Path:
        """The directory of the revocation lists that were fetched; what an operator puts there lies in `crl`."""
        return self.state / "crl"

    @property
    def longest_call(self) -> float:
        """Seconds that one call to any system may take."""
        return max((system.timeout_s for system in self.systems.values()), default=10.0)

    def system(self, name: str) -> System:
        """The settings of one external system.

        Raises: ConfigurationError when there is no `[systems.<name>]`.
        """
        try:
            return self.systems[name]
        except KeyError as error:
            raise ConfigurationError(f"[systems.{name}] is missing in gateway.toml") from error


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: `config/`, `GATEWAY_CONFIG`, `GATEWAY_DATABASE_URL`, `…ERASER_URL` and `GATEWAY_AMQP_URL`.

    Raises: ConfigurationError naming the file and the key; unknown keys are refused.
    """
    environ = os.environ if environ is None else environ
    override = Path(environ["GATEWAY_CONFIG"]).resolve() if environ.get("GATEWAY_CONFIG") else None
    if override is not None and not override.is_dir():
        raise ConfigurationError(f"GATEWAY_CONFIG names no directory: {override}")
    values = _read(DEFAULTS / "gateway.toml")
    layers = sorted((DEFAULTS / "systems.d").glob("*.toml"))
    if override is not None:
        layers += [*sorted((override / "systems.d").glob("*.toml")), *override.glob("gateway.toml")]
    for path in layers:
        values = _merge(values, _read(path), path, "")
    return _settings(values, override, environ)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error


# A system's own file may bring any name under [systems]; what may stand in one is fixed.
_SYSTEM = {
    "url": "",
    "profile": "soap",
    "timeout_s": 10.0,
    "trust": "",
    "pool": 8,
    "repeat": "",
    "tls_trust": "",
    "edition": "",
    "edition_trust": "",
    "destination": "",
}
# The transport profile that goes by way of the state integrator.
VISS_PROFILE = "viss"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_URN = re.compile(r"URN:IVIS:[0-9]{6}:[A-Z]{3}-[A-Za-z0-9._-]+")


def _merge(base: Mapping[str, Any], over: Mapping[str, Any], path: Path, prefix: str) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        name = f"{prefix}{key}"
        known = _SYSTEM | base.get(key, {}) if prefix == "systems." else base.get(key)
        if known is None:
            raise ConfigurationError(f"{path}: unknown setting {name}")
        if isinstance(known, dict) != isinstance(value, dict):
            raise ConfigurationError(
                f"{path}: {name} must {'' if isinstance(known, dict) else 'not '}be a table"
            )
        if isinstance(known, dict):
            merged[key] = _merge(known, value, path, f"{name}.")
        elif type(value) is not type(known) and not (isinstance(known, float) and type(value) is int):
            raise ConfigurationError(f"{path}: {name} must be of type {type(known).__name__}")
        else:
            merged[key] = value
    return merged


def _settings(values: Mapping[str, Any], override: Path | None, environ: Mapping[str, str]) -> Settings:
    home = override or CHECKOUT
    state = _path(home, values["state"]["directory"])

    def part(name: str) -> Path:
        return override / name if override is not None and (override / name).is_dir() else DEFAULTS / name

    try:
        environment = Environment(values["gateway"]["environment"])
    except ValueError as error:
        raise ConfigurationError("gateway.environment is production or test") from error
    if values["signature"]["engine"] not in SIGNATURE_ENGINES:
        raise ConfigurationError(f"signature.engine is {' or '.join(SIGNATURE_ENGINES)}")
    viss = _viss(values["viss"], home, state)
    database_url = (
        environ.get("GATEWAY_DATABASE_URL")
        or values["database"]["url"]
        or f"sqlite:///{state / 'gateway.db'}"
    )
    return Settings(
        environment=environment,
        institution=values["gateway"]["institution"],
        state=state,
        database_url=database_url,
        eraser_url=environ.get("GATEWAY_ERASER_URL") or values["database"]["eraser_url"] or database_url,
        amqp_url=environ.get("GATEWAY_AMQP_URL") or values["amqp"]["url"],
        amqp_queue=values["amqp"]["queue"],
        partners=_listen(home, values["listen"]["partners"]),
        internal=_listen(home, values["listen"]["internal"]),
        limits=Limits(**values["limits"]),
        log=_log(values["log"], home),
        outbox=OutboxSettings(**values["outbox"]),
        signature=SignatureSettings(**values["signature"]),
        alerts=AlertSettings(**values["alerts"]),
        telemetry=TelemetrySettings(**values["telemetry"]),
        revocation=_revocation(values["revocation"]),
        console=_console(values["console"], home),
        viss=viss,
        systems={
            name: _system(name, system, home, state, viss) for name, system in values["systems"].items()
        },
        access=part("access.d"),
        trust=part("trust"),
        crl=part("crl"),
        source=str(override or DEFAULTS),
    )


def _system(name: str, values: Mapping[str, Any], home: Path, state: Path, viss: Viss) -> System:
    edition = values.get("edition", "")
    published = edition.startswith(("http://", "https://"))
    if published and not _is_private(edition):
        raise ConfigurationError(
            f"[systems.{name}] edition is a folder, or an address that begins with https://"
        )
    system = System(
        url=values["url"],
        profile=values["profile"],
        timeout_s=float(values["timeout_s"]),
        trust=_path(home, values["trust"]) if values["trust"] else state / "keys" / f"{name}.pem",
        pool=values.get("pool", _SYSTEM["pool"]),
        repeat=values.get("repeat", _SYSTEM["repeat"]),
        tls_trust=_path(home, values["tls_trust"]) if values.get("tls_trust") else None,
        edition=_path(home, edition) if edition and not published else None,
        edition_url=edition if published else "",
        edition_trust=_path(home, values["edition_trust"]) if values.get("edition_trust") else None,
        destination=values.get("destination", _SYSTEM["destination"]),
        viss=viss if values["profile"] == VISS_PROFILE else None,
    )
    if system.viss is None:
        return system
    wanted = f'[systems.{name}] profile = "{VISS_PROFILE}" needs'
    if not viss.url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{wanted} [viss] url, the address of the integrator's request service")
    if not _URN.fullmatch(viss.system_id):
        raise ConfigurationError(
            f"{wanted} [viss] system_id, our URN at the integrator: URN:IVIS:100001:ISS-…"
        )
    if not re.fullmatch(r"[0-9]{6}", viss.agency):
        raise ConfigurationError(f"{wanted} [viss] agency, the six digits of our institution there")
    if not _URN.fullmatch(system.destination):
        raise ConfigurationError(f"{wanted} destination, the system's URN there: URN:IVIS:100001:ISS-…")
    return system


def _viss(values: Mapping[str, Any], home: Path, state: Path) -> Viss:
    if values["transaction_minutes"] <= 0:
        raise ConfigurationError("viss.transaction_minutes is more than 0")
    return Viss(
        url=values["url"],
        trust=_path(home, values["trust"]) if values["trust"] else state / "keys" / "viss.pem",
        tls_trust=_path(home, values["tls_trust"]) if values["tls_trust"] else None,
        system_id=values["system_id"],
        agency=values["agency"],
        transaction_minutes=float(values["transaction_minutes"]),
    )


def _log(values: Mapping[str, Any], home: Path) -> LogSettings:
    if values["witness_url"] and not values["witness_url"].startswith(("http://", "https://")):
        raise ConfigurationError("log.witness_url begins with http:// or https://")
    if values["exposure_seconds"] <= 0:
        raise ConfigurationError("log.exposure_seconds is more than 0")
    if values["tsa_minutes"] <= 0:
        raise ConfigurationError("log.tsa_minutes is more than 0")
    if values["tsa_url"] and not values["tsa_url"].startswith(("http://", "https://")):
        raise ConfigurationError("log.tsa_url begins with http:// or https://")
    if values["tsa_url"] and not values["tsa_trust"]:
        raise ConfigurationError(
            "log.tsa_trust names the certificates by which the stamps of log.tsa_url count"
        )
    trust = _path(home, values["tsa_trust"]) if values["tsa_trust"] else None
    return LogSettings(**{**values, "tsa_trust": trust})


def _is_private(url: str) -> bool:
    """Whether nobody on the way can change what comes from an address: TLS, or this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in _LOOPBACK)


def _path(home: Path, text: str) -> Path:
    return (home / text).resolve()


def _revocation(values: Mapping[str, Any]) -> RevocationSettings:
    if values["when_stale"] not in ("refuse", "accept"):
        raise ConfigurationError("revocation.when_stale is refuse or accept")
    if values["stale_hours"] < 0 or values["ask_minutes"] <= 0:
        raise ConfigurationError("revocation.stale_hours is 0 or more, revocation.ask_minutes more than 0")
    return RevocationSettings(
        stale_hours=float(values["stale_hours"]),
        when_stale=values["when_stale"],
        ask_minutes=float(values["ask_minutes"]),
        ocsp=_sources("revocation.ocsp", values["ocsp"]),
        crl=_sources("revocation.crl", values["crl"]),
    )


def _sources(name: str, entries: list[Any]) -> tuple[RevocationSource, ...]:
    sources = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.keys() != {"issuer", "url"}:
            raise ConfigurationError(f"[[{name}]] holds issuer and url, and nothing else")
        source = RevocationSource(str(entry["issuer"]), str(entry["url"]))
        if Path(source.issuer).name != source.issuer or not source.issuer.endswith(".pem"):
            raise ConfigurationError(f"[[{name}]] issuer is the name of a file in trust/, *.pem")
        if not source.url.startswith(("http://", "https://")):
            raise ConfigurationError(f"[[{name}]] url begins with http:// or https://")
        sources.append(source)
    if len({source.issuer for source in sources}) != len(sources):
        raise ConfigurationError(f"[[{name}]] names an issuer twice")
    return tuple(sources)


def _console(values: Mapping[str, Any], home: Path) -> ConsoleSettings:
    if not values["oidc_issuer"]:
        if not values["local"]:
            raise ConfigurationError(
                "console.local is false and there is no oidc_issuer: nobody could sign in"
            )
        return ConsoleSettings(values["local"])
    for name in ("oidc_issuer", "address"):
        if values[name] and (not _is_private(values[name]) or values[name].endswith("/")):
            raise ConfigurationError(f"console.{name} begins with https:// and ends without a slash")
    for name in ("oidc_client_id", "oidc_secret_file", "oidc_name_claim", "oidc_role_claim", "oidc_roles"):
        if not values[name]:
            raise ConfigurationError(f"console.oidc_issuer needs {name}")
    return ConsoleSettings(
        values["local"],
        StateLogin(
            issuer=values["oidc_issuer"],
            client_id=values["oidc_client_id"],
            secret_file=_path(home, values["oidc_secret_file"]),
            address=values["address"],
            name_claim=values["oidc_name_claim"],
            role_claim=values["oidc_role_claim"],
            roles=_roles(values["oidc_roles"]),
            tls_trust=_path(home, values["oidc_tls_trust"]) if values["oidc_tls_trust"] else None,
        ),
    )


def _roles(entries: list[Any]) -> dict[str, str]:
    roles: dict[str, str] = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.keys() != {"claim", "role"}:
            raise ConfigurationError("[[console.oidc_roles]] holds claim and role, and nothing else")
        claim, role = str(entry["claim"]), entry["role"]
        if role not in CONSOLE_ROLES:
            raise ConfigurationError(f"[[console.oidc_roles]] role is {', '.join(CONSOLE_ROLES)}")
        if not claim or claim in roles:
            raise ConfigurationError("[[console.oidc_roles]] each claim has one role")
        roles[claim] = role
    return roles


def _listen(home: Path, values: Mapping[str, Any]) -> Listen:
    def file(name: str) -> Path | None:
        return _path(home, values[name]) if values[name] else None

    return Listen(
        host=values["host"],
        port=values["port"],
        certificate=file("certificate"),
        key=file("key"),
        client_ca=file("client_ca"),
        soap=values["soap"],
        socket=file("socket"),
    )
