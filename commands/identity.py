"""`gateway identity`: a test identity provider in the place of the state login."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

import config
from commands import print_json
from errors import ConfigurationError
from exchange import Environment
from security.keys import write_file
from simulators.identity import ROLES, IdentityProvider, Lie

_PORT = 8620


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0 = a free one."
)
@click.option(
    "--secret-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The client's secret is kept there; made where it is missing.  [default: a new one each time]",
)
@click.option(
    "--comes-back",
    multiple=True,
    help="Where persons are sent back to.  [default: the console's address on this machine]",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON when ready.")
def command(port: int, secret_file: Path | None, comes_back: tuple[str, ...], as_json: bool) -> None:
    """Run a test identity provider on this machine until SIGTERM or Ctrl-C.

    One of five invented persons is chosen, without a password: one for each role of the console, and one without. It
    belongs to the test environment only. How it lies is set while it runs (modes: see simulators/identity.py):

    \b
      curl -d '{"mode": "wrong_nonce"}' http://127.0.0.1:8620/_control

    \b
    Examples: gateway identity --secret-file var/oidc.secret
              gateway identity --json --port 0
    """
    settings = config.load()
    if settings.environment is not Environment.TEST:
        raise ConfigurationError("the test identity provider belongs to the test environment only")
    try:
        provider = IdentityProvider(port, _secret(secret_file), comes_back)
    except OSError as error:
        raise ConfigurationError(f"port {port} of 127.0.0.1: {error.strerror}") from error
    if secret_file is not None and not secret_file.exists():
        write_file(secret_file, provider.client_secret.encode())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    provider.start()
    if as_json:
        print_json(
            {
                "ready": True,
                "issuer": provider.issuer,
                "client_id": provider.client_id,
                "client_secret": provider.client_secret,
                "roles": dict(ROLES),
                "modes": [lie.value for lie in Lie],
            }
        )
    else:
        click.echo(_settings(provider, secret_file))
    stop.wait()
    provider.stop()


def _secret(path: Path | None) -> str:
    if path is None or not path.exists():
        return ""
    return path.read_text(encoding="utf-8").strip()


def _settings(provider: IdentityProvider, path: Path | None) -> str:
    """What goes into gateway.toml."""
    lines = [
        "[console]",
        f'oidc_issuer = "{provider.issuer}"',
        f'oidc_client_id = "{provider.client_id}"',
        f'oidc_secret_file = "{path.resolve() if path else "…"}"',
        *(f'[[console.oidc_roles]]\nclaim = "{claim}"\nrole = "{role}"' for claim, role in ROLES.items()),
    ]
    if path is None:
        lines.append(f"# The secret, to be put into oidc_secret_file: {provider.client_secret}")
    return "\n".join(lines)
