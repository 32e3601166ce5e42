"""`gateway witness`: cosign the checkpoints of logs, for somebody who is not their keeper."""

from __future__ import annotations

import os
from pathlib import Path

import click
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import config
from audit import notes
from audit.notes import COSIGNATURE, ED25519, NAME, VerifierKey
from audit.origin import load_public_key
from audit.witness import State, Trusted, Witness
from commands import print_json
from config import TelemetrySettings
from endpoints.witness import Server, bind
from errors import ConfigurationError
from security.keys import load_log_key
from telemetry import start_diagnostics


@click.command()
@click.option(
    "--listen", required=True, metavar="HOST:PORT", help="Where to answer; port 0 takes a free one."
)
@click.option(
    "--state",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file with the last checkpoint of each log; made with the key at the first start.",
)
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="The private key, PEM.  [default: the state's name with .key]",
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="VKEY|FILE",
    help="A log by its verifier key, or a gateway by its log.pub.  [default: log.pub of the settings in force]",
)
@click.option("--name", default=None, help="The name to sign under, at the first start.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
def command(
    listen: str, state: Path, key: Path | None, logs: tuple[str, ...], name: str | None, as_json: bool
) -> None:
    """Cosign checkpoints that go on from the last one seen of the same log, until SIGTERM or Ctrl-C.

    Let it run where the keeper of the log has no access: another machine, another institution. It keeps one checkpoint
    of each log and neither records nor personal data. Its state and key belong together: a witness that has lost its
    state has forgotten what it vouched for, and begins again under a new key. Any log by C2SP tlog-witness can use it.

    \b
    Examples: gateway witness --listen 127.0.0.1:8460 --state /var/lib/witness/state.json --log log.pub
              gateway witness --listen 127.0.0.1:0 --state state.json --log sum.example+033de0ae+Ac4zct… --json
    """
    start_diagnostics(TelemetrySettings("text", ""))
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError("--listen is HOST:PORT, such as 127.0.0.1:8460")
    trusted = _trusted(logs)
    kept = State(state.absolute())
    key_file = key.absolute() if key is not None else kept.path.with_name(f"{kept.path.name}.key")
    kept.path.parent.mkdir(parents=True, exist_ok=True)
    with kept.held():
        private = _key(kept, key_file, name)
    witness = Witness(kept, private, trusted)
    bound = bind(host.strip("[]"), int(port))
    shown = f"http://{host}:{bound.getsockname()[1]}"

    def ready() -> None:
        if as_json:
            print_json({"ready": True, "url": shown, "vkey": str(witness.verifier), "pid": os.getpid()})
        else:
            click.echo(f"witness at {shown}\nkey     {witness.verifier}")

    Server(witness, bound, ready).run()


def _key(state: State, file: Path, name: str | None) -> Ed25519PrivateKey:
    """The witness's private key, made with the state at the first start: neither goes on without the other."""
    if state.path.exists() != file.exists():
        missing, there = (file, state.path) if state.path.exists() else (state.path, file)
        raise ConfigurationError(
            f"{missing} is missing while {there} is there: bring it back, or move the other away and begin anew"
        )
    if state.path.exists():
        known = state.read()[0].name
        if name is not None and name != known:
            raise ConfigurationError(f"--name {name}: this witness signs as {known}")
        return load_log_key(file)
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    own = name or f"spolis-gateway-witness/{public.public_bytes_raw().hex()[:8]}"
    if not NAME.fullmatch(own):
        raise ConfigurationError("--name holds neither spaces nor plus signs")
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as new:
        new.write(pem)
        new.flush()
        os.fsync(descriptor)
    state.begin(VerifierKey(own, COSIGNATURE, public))
    return private


def _trusted(logs: tuple[str, ...]) -> Trusted:
    if not logs:
        settings = config.load()
        return Trusted(gateways=((load_public_key(settings.keys / "log.pub"), settings.environment),))
    named, gateways = [], []
    for text in logs:
        if Path(text).is_file():
            gateways.append((load_public_key(Path(text)), None))
            continue
        try:
            found = notes.parse_key(text)
        except ValueError as error:
            raise ConfigurationError(f"--log {text}: no such file, and {error}") from error
        if found.kind != ED25519:
            raise ConfigurationError(f"--log {text}: not the key of a log (type 1)")
        named.append(found)
    return Trusted(tuple(named), tuple(gateways))
