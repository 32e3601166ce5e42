"""`gateway keys`: make what an installation needs to begin, and show what there is, never a private key."""

from __future__ import annotations

from pathlib import Path

import click
from cryptography import x509

import config
from commands import AS_JSON, keys_custody, keys_rotation, print_json
from commands.opening import administer, open_database
from commands.rendering import print_rows
from errors import ConfigurationError, InvalidRequest
from exchange import Environment, Json, instant_text
from security.keys import claim, fingerprint, issue, new_keys


@click.group()
def command() -> None:
    """Keys and certificates of this installation."""


@command.command()
@AS_JSON
def new(as_json: bool) -> None:
    """Make the keys that are missing; nothing that exists is changed.

    A test authority, the gateway's own keys, the key of the exchange log and one for each simulator. Where a real
    authority issues the certificates, put them in place of the test ones and take authority.key away.

    \b
    Example:  gateway keys new
    """
    settings = config.load()
    claim(settings.keys, settings.environment)
    before = _files(settings.keys)
    new_keys(settings.keys, settings.systems)
    made = sorted(_files(settings.keys) - before)
    if made:
        administer(
            settings,
            open_database(settings),
            "keys new",
            "made: " + ", ".join(made),
            "",
            lambda _connection: None,
        )
    if as_json:
        print_json({"directory": str(settings.keys), "made": list[Json](made)})
    else:
        click.echo(f"{settings.keys}: {len(made)} files made" + (f" ({', '.join(made)})" if made else ""))


@command.command(name="issue")
@click.argument("name")
@click.option("--type", "key_type", type=click.Choice(["rsa", "p256"]), default="rsa", show_default=True)
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 3650))
@AS_JSON
def issue_(name: str, key_type: str, days: int, as_json: bool) -> None:
    """Issue a certificate from the test authority, for trying the gateway as the partner NAME.

    In production partners bring certificates of their own authority; there this is refused.

    
    Example:  gateway keys issue riga
              gateway partner add riga --certificate var/keys/riga.pem --recipient riga-social-service
    """
    settings = config.load()
    if settings.environment is Environment.PRODUCTION:
        raise ConfigurationError("the test authority issues nothing in production")
    files = [settings.keys / f"{name}{suffix}" for suffix in (".pem", ".key")]
    if any(file.exists() for file in files):
        raise InvalidRequest(f"{name} has a key already; choose another name")
    administer(
        settings,
        open_database(settings),
        "keys issue",
        name,
        "",
        lambda _connection: issue(settings.keys, name, key_type=key_type, days=days),
    )
    if as_json:
        print_json({"certificate": str(files[0]), "key": str(files[1])})
    else:
        click.echo(f"{files[0]}\n{files[1]}")


@command.command()
@AS_JSON
def show(as_json: bool) -> None:
    """Show every certificate with its dates and fingerprint.

    \b
    Example:  gateway keys show --json
    """
    settings = config.load()
    found = [_certificate(path) for path in sorted(settings.keys.glob("*.pem"))]
    if as_json:
        print_json([dict[str, Json](row) for row in found])
    else:
        print_rows(("name", "subject", "valid to", "sha256"), [tuple(row.values()) for row in found])


command.add_command(keys_custody.escrow_)
command.add_command(keys_custody.unescrow)
command.add_command(keys_custody.check)
command.add_command(keys_rotation.rotate_master)
command.add_command(keys_rotation.discard_master)


def _files(directory: Path) -> set[str]:
    return {path.name for path in directory.glob("[!.]*")}


def _certificate(path: Path) -> dict[str, str]:
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: no certificate in PEM") from error
    return {
        "name": path.stem,
        "subject": certificate.subject.rfc4514_string(),
        "valid_to": instant_text(certificate.not_valid_after_utc),
        "sha256": fingerprint(certificate),
    }
