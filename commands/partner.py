"""`gateway partner`: the agencies that call our signed SOAP services, by their certificates."""

from __future__ import annotations

from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Engine

import config
from commands import print_json
from commands.opening import Name, administer, open_database
from commands.rendering import print_rows
from config import Settings
from endpoints.partner_trust import PartnerTrust
from errors import InvalidRequest, NotFound, UntrustedCertificate
from exchange import Json, instant_text, utc_now
from routing.access import Access
from routing.parties import Partner, add_partner, disable_partner, list_partners
from security import certificates
from storage import reading

_CERTIFICATE = click.option(
    "--certificate",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The partner's certificate, PEM or DER.",
)


@click.group()
def command() -> None:
    """Partner agencies and their certificates."""


@command.command()
@click.argument("name", type=Name())
@_CERTIFICATE
@click.option("--recipient", type=Name(), required=True, help="Whose rights in access.d it uses.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def add(name: str, certificate: Path, recipient: str, as_json: bool) -> None:
    """Register a partner by its certificate. A certificate of it that was disabled is taken up again.

    \b
    Example:  gateway partner add riga --certificate riga.pem --recipient riga-social-service
    """
    settings = config.load()
    found = read_certificate(certificate)
    warn_of_recipient(settings, recipient)
    engine = open_database(settings)
    partner = administer(
        settings,
        engine,
        "partner add",
        name,
        recipient,
        lambda connection: add_partner(connection, name, recipient, found, utc_now()),
    )
    _warn_of_trust(settings, engine, found)
    _show(partner, as_json, "registered")


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def list_(as_json: bool) -> None:
    """List every certificate of every partner.

    \b
    Example:  gateway partner list
    """
    with reading(open_database(config.load())).begin() as connection:
        rows = [_row(partner) for partner in list_partners(connection)]
    if as_json:
        print_json(list[Json](rows))
    else:
        heads = ("name", "recipient", "state", "valid to", "sha256")
        print_rows(
            heads,
            [
                (
                    str(row["name"]),
                    str(row["recipient"]),
                    "disabled" if row["disabled"] else "active",
                    str(row["valid_to"])[:10],
                    str(row["sha256"]),
                )
                for row in rows
            ],
        )


@command.command()
@click.argument("name", type=Name())
@click.option("--but", default="", metavar="SHA256", help="All but the certificate with this fingerprint.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def disable(name: str, but: str, as_json: bool) -> None:
    """Refuse the certificates of a partner from now on, in all processes.

    \b
    Example:  gateway partner disable riga
              gateway partner disable riga --but 3f9a…      (the end of a rollover)
    """
    settings = config.load()
    engine = open_database(settings)
    known = _of_name(engine, name)
    if but and not any(partner.fingerprint == but and not partner.disabled for partner in known):
        raise NotFound("no active certificate of that fingerprint")
    count = administer(
        settings,
        engine,
        "partner disable",
        name,
        known[0].recipient,
        lambda connection: disable_partner(connection, name, utc_now(), keep=but),
    )
    if as_json:
        print_json({"name": name, "disabled": count})
    else:
        click.echo(f"{name}: {count} certificates disabled")


@command.command()
@click.argument("name", type=Name())
@_CERTIFICATE
@click.option("--at-once", is_flag=True, help="Disable the present certificates in the same act.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def rotate(name: str, certificate: Path, at_once: bool, as_json: bool) -> None:
    """Register a new certificate of a partner; the present ones stay valid until they are disabled.

    \b
    Example:  gateway partner rotate riga --certificate riga-2027.pem
    """
    settings = config.load()
    found = read_certificate(certificate)
    engine = open_database(settings)
    known = _of_name(engine, name)

    def work(connection: Connection) -> Partner:
        partner = add_partner(connection, name, known[0].recipient, found, utc_now())
        if at_once and not all(other.disabled for other in known):
            disable_partner(connection, name, utc_now(), keep=partner.fingerprint)
        return partner

    partner = administer(settings, engine, "partner rotate", name, known[0].recipient, work)
    _warn_of_trust(settings, engine, found)
    _show(partner, as_json, "registered")
    if not as_json and not at_once:
        click.echo(f"To end the rollover: gateway partner disable {name} --but {partner.fingerprint}")


def read_certificate(path: Path) -> x509.Certificate:
    """Read one certificate from a PEM or DER file that holds nothing secret.

    Raises: InvalidRequest when the file holds a private key, UntrustedCertificate when it holds no certificate.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read") from error
    if b"PRIVATE KEY" in content:
        raise InvalidRequest(f"{path} holds a private key; a partner keeps that to itself")
    if b"-----BEGIN" in content:
        try:
            content = x509.load_pem_x509_certificates(content)[0].public_bytes(Encoding.DER)
        except ValueError as error:
            raise UntrustedCertificate(f"{path} holds no certificate that can be read") from error
    return certificates.read(content)


def warn_of_recipient(settings: Settings, recipient: str) -> None:
    """Say so when access.d grants a recipient nothing: it may be a slip of the pen."""
    if not any(right.recipient == recipient for right in Access.load(settings.access).rights):
        click.echo(
            f"warning: no grant in {settings.access} names {recipient}; it may ask nothing yet", err=True
        )


def _warn_of_trust(settings: Settings, engine: Engine, certificate: x509.Certificate) -> None:
    policy = PartnerTrust(settings, engine).policy()
    try:
        certificates.check(certificate, policy.authorities, policy.crls, utc_now(), policy.revocation)
    except UntrustedCertificate as error:
        click.echo(f"warning: its messages will be refused as it stands: {error}", err=True)


def _of_name(engine: Engine, name: str) -> list[Partner]:
    with reading(engine).begin() as connection:
        found = [partner for partner in list_partners(connection) if partner.name == name]
    if not found:
        raise NotFound("no partner of that name")
    return found


def _row(partner: Partner) -> dict[str, Json]:
    return {
        "name": partner.name,
        "recipient": partner.recipient,
        "disabled": partner.disabled,
        "valid_to": instant_text(partner.certificate.not_valid_after_utc),
        "sha256": partner.fingerprint,
    }


def _show(partner: Partner, as_json: bool, what: str) -> None:
    if as_json:
        print_json(_row(partner))
    else:
        click.echo(f"{partner.name}: {partner.fingerprint} {what}, with the rights of {partner.recipient}")
