"""`gateway partner`: the agencies that call our signed SOAP services, from the first day to the last."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Unpack

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Engine

import config
from commands import AS_JSON, partner_evidence, partner_notice, print_json, tell
from commands.opening import Day, Name, administer, open_database
from commands.partner_evidence import Agreed, Documents, Given
from commands.rendering import print_rows
from config import Settings
from endpoints.partner_trust import PartnerTrust
from errors import InvalidRequest, NotFound, UntrustedCertificate
from exchange import RIGA, Environment, Json, instant_text, today_in_riga, utc_now
from routing.access import Access
from routing.agreements import SignatureProfile, add_evidence, evidence_of, set_terms, terms_of
from routing.parties import Partner, add_partner, disable_partner, list_partners, retire_partner
from routing.quota import last_day
from security import certificates
from security.keys import fingerprint
from storage import reading

_CERTIFICATE = click.option(
    "--certificate",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The partner's certificate, PEM or DER.",
)


@click.group()
def command() -> None:
    """Partner agencies: their certificates, contracts and terms."""


command.add_command(partner_notice.notice)


@command.command()
@click.argument("name", type=Name())
@_CERTIFICATE
@click.option("--recipient", type=Name(), required=True, help="Whose rights in access.d it uses.")
@partner_evidence.documents
@partner_evidence.agreed
@AS_JSON
def add(name: str, certificate: Path, recipient: str, as_json: bool, **given: Unpack[Given]) -> None:
    """Register a partner by its certificate. A certificate of it that was disabled is taken up again.

    In production its contract and its promise of confidentiality are asked for; in test they may be left out.

    \b
    Example:  gateway partner add riga --certificate riga.pem --recipient riga-social-service \\
                --contract-number 12/2026 --contract-signed 2026-11-02 --contract-until 2029-12-31 \\
                --contract-reference D-2026-114 --contract-file contract.pdf \\
                --confidentiality-signed 2026-11-02 --confidentiality-reference D-2026-115 \\
                --contact it@riga.example
    """
    settings = config.load()
    found = read_certificate(certificate)
    told = partner_evidence.read_evidence(given)
    engine = open_database(settings)
    with reading(engine).begin() as connection:
        terms = partner_evidence.changed_terms(terms_of(connection, name), given)
        partner_evidence.demand_evidence(settings, name, (*evidence_of(connection, name), *told))
    warn_of_recipient(settings, recipient)

    def work(connection: Connection) -> Partner:
        partner = add_partner(connection, name, recipient, found, utc_now())
        add_evidence(connection, name, told, utc_now())
        set_terms(connection, name, terms)
        return partner

    partner = administer(
        settings,
        engine,
        "partner add",
        name,
        recipient,
        work,
        facts={
            "certificate": fingerprint(found),
            "evidence": partner_evidence.facts(told),
            **partner_evidence.term_facts(terms),
        },
        typed=partner_evidence.typed(told),
    )
    _warn_of_trust(settings, engine, found)
    _warn_of_profile(terms.signature_profile)
    _show(engine, partner, as_json)


@command.command(name="list")
@AS_JSON
def list_(as_json: bool) -> None:
    """List every certificate of every partner, with the state of its evidence and the day of its last request.

    The day is that of the recipient whose rights the partner uses.

    \b
    Example:  gateway partner list
    """
    with reading(open_database(config.load())).begin() as connection:
        rows = [_row(connection, partner) for partner in list_partners(connection)]
    if as_json:
        print_json(list[Json](rows))
    else:
        heads = ("name", "recipient", "state", "days left", "evidence", "signs", "last request", "sha256")
        print_rows(
            heads,
            [
                (
                    str(row["name"]),
                    str(row["recipient"]),
                    _state(row),
                    str(row["days_left"]),
                    str(row["evidence"]),
                    str(row["signature_profile"]),
                    str(row["last_request_on"] or "-"),
                    str(row["sha256"]),
                )
                for row in rows
            ],
        )


@command.command()
@click.argument("name", type=Name())
@AS_JSON
def show(name: str, as_json: bool) -> None:
    """Show what is known of a partner: terms, certificates, and all evidence with what it replaced.

    \b
    Example:  gateway partner show riga
    """
    engine = open_database(config.load())
    known = _of_name(engine, name)
    with reading(engine).begin() as connection:
        rows = [_row(connection, partner) for partner in known]
        terms, held = terms_of(connection, name), evidence_of(connection, name)
        last = last_day(connection, known[0].recipient)
    if as_json:
        print_json(
            {
                "name": name,
                "recipient": known[0].recipient,
                "contact": terms.contact,
                "notice_days": terms.notice_days,
                "signature_profile": terms.signature_profile.value,
                "last_request_on": last.isoformat() if last else None,
                "evidence_state": partner_evidence.state(held),
                "evidence": partner_evidence.rows(held),
                "history": [partner_evidence.row(one) for one in held],
                "certificates": list[Json](rows),
            }
        )
        return
    click.echo(f"{name}, with the rights of {known[0].recipient}")
    for head, text in (
        ("contact", terms.contact or "none: gateway partner terms " + name + " --contact ADDRESS"),
        ("notice", f"{terms.notice_days} working days"),
        ("signs", terms.signature_profile.value),
        ("last request", last.isoformat() if last else "none yet"),
        ("evidence", partner_evidence.state(held)),
    ):
        click.echo(f"  {head:<13} {text}")
    for one in reversed(held):
        click.echo(f"  {one.kind.value:<15} {partner_evidence.line(one)}")
    for row in rows:
        click.echo(f"  certificate     {row['sha256']} {_state(row)}, {row['days_left']} days left")


@command.command()
@click.argument("name", type=Name())
@click.option("--but", default="", metavar="SHA256", help="All but the certificate with this fingerprint.")
@click.option("--why", default="", help="The reason, for the exchange log; must be given in production.")
@AS_JSON
def disable(name: str, but: str, why: str, as_json: bool) -> None:
    """Refuse the certificates of a partner from now on, in all processes.

    \b
    Example:  gateway partner disable riga --why "the contract has ended"
              gateway partner disable riga --but 3f9a… --why "the end of a rollover"
    """
    settings = config.load()
    if settings.environment is Environment.PRODUCTION and not why.strip():
        raise InvalidRequest("in production a partner is disabled for a reason: --why")
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
        typed={"reason": why} if why else None,
    )
    tell({"name": name, "disabled": count}, f"{name}: {count} certificates disabled", as_json=as_json)


@command.command()
@click.argument("name", type=Name())
@_CERTIFICATE
@click.option("--at-once", is_flag=True, help="Disable the present certificates in the same act.")
@click.option(
    "--retire-old-on", "retire_on", type=Day(), help="Refuse the present certificates from this day on."
)
@AS_JSON
def rotate(name: str, certificate: Path, at_once: bool, retire_on: date | None, as_json: bool) -> None:
    """Register a new certificate of a partner; the present ones stay valid until they retire or are disabled.

    \b
    Example:  gateway partner rotate riga --certificate riga-2027.pem --retire-old-on 2027-02-01
              gateway partner rotate riga --certificate riga-2027.pem --at-once      (a key was lost)
    """
    if at_once and retire_on is not None:
        raise InvalidRequest("either --at-once or --retire-old-on")
    if retire_on is not None and retire_on <= today_in_riga():
        raise InvalidRequest("--retire-old-on is not in the future; --at-once ends the old certificates now")
    settings = config.load()
    found = read_certificate(certificate)
    engine = open_database(settings)
    known = _of_name(engine, name)

    def work(connection: Connection) -> Partner:
        partner = add_partner(connection, name, known[0].recipient, found, utc_now())
        if at_once and not all(other.disabled for other in known):
            disable_partner(connection, name, utc_now(), keep=partner.fingerprint)
        if retire_on is not None:
            retire_partner(connection, name, _begin(retire_on), utc_now(), keep=partner.fingerprint)
        return partner

    partner = administer(
        settings,
        engine,
        "partner rotate",
        name,
        known[0].recipient,
        work,
        facts={
            "certificate": fingerprint(found),
            "at_once": at_once,
            "retire_old_on": retire_on.isoformat() if retire_on else None,
        },
    )
    _warn_of_trust(settings, engine, found)
    _show(engine, partner, as_json)
    if not as_json and not at_once and retire_on is None:
        click.echo(f"To end the rollover: gateway partner disable {name} --but {partner.fingerprint}")


@command.command()
@click.argument("name", type=Name())
@partner_evidence.documents
@AS_JSON
def evidence(name: str, as_json: bool, **given: Unpack[Documents]) -> None:
    """Add or renew the contract or the promise of confidentiality of a partner; what was before stays on record.

    \b
    Example:  gateway partner evidence riga --contract-number 3/2029 --contract-signed 2028-11-20 \\
                --contract-until 2032-12-31 --contract-reference D-2028-301 --contract-file contract.pdf
    """
    settings = config.load()
    told = partner_evidence.read_evidence(given)
    if not told:
        raise InvalidRequest("no document was given: see --help")
    engine = open_database(settings)
    known = _of_name(engine, name)
    administer(
        settings,
        engine,
        "partner evidence",
        name,
        known[0].recipient,
        lambda connection: add_evidence(connection, name, told, utc_now()),
        facts={"evidence": partner_evidence.facts(told)},
        typed=partner_evidence.typed(told),
    )
    with reading(engine).begin() as connection:
        held = evidence_of(connection, name)
    if as_json:
        print_json(
            {"name": name, "evidence": partner_evidence.rows(held), "state": partner_evidence.state(held)}
        )
    else:
        click.echo(f"{name}: {partner_evidence.state(held)}")


@command.command()
@click.argument("name", type=Name())
@partner_evidence.agreed
@AS_JSON
def terms(name: str, as_json: bool, **given: Unpack[Agreed]) -> None:
    """Change what is agreed with a partner; what is not named stays as it is.

    \b
    Example:  gateway partner terms riga --contact it@riga.example --notice-days 45
              gateway partner terms riga --signature-profile body-timestamp
    """
    settings = config.load()
    if all(value is None for value in given.values()):
        raise InvalidRequest("nothing to change was given: see --help")
    engine = open_database(settings)
    known = _of_name(engine, name)
    with reading(engine).begin() as connection:
        agreed = partner_evidence.changed_terms(terms_of(connection, name), given)
    administer(
        settings,
        engine,
        "partner terms",
        name,
        known[0].recipient,
        lambda connection: set_terms(connection, name, agreed),
        facts=partner_evidence.term_facts(agreed),
    )
    _warn_of_profile(agreed.signature_profile)
    if as_json:
        print_json(
            {
                "name": name,
                "contact": agreed.contact,
                "notice_days": agreed.notice_days,
                "signature_profile": agreed.signature_profile.value,
            }
        )
    else:
        click.echo(
            f"{name}: {agreed.contact or 'no contact'}, {agreed.notice_days} working days of notice, "
            f"signs {agreed.signature_profile.value}"
        )


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


def _warn_of_profile(profile: SignatureProfile) -> None:
    if profile is not SignatureProfile.FULL:
        click.echo(
            "warning: its addressing headers need not be signed; whoever stands between can change them",
            err=True,
        )


def _begin(day: date) -> datetime:
    """The instant at which a day begins in Riga."""
    return datetime.combine(day, time(), RIGA)


def _row(connection: Connection, partner: Partner) -> dict[str, Json]:
    terms, last = terms_of(connection, partner.name), last_day(connection, partner.recipient)
    end = partner.certificate.not_valid_after_utc
    return {
        "name": partner.name,
        "recipient": partner.recipient,
        "disabled": partner.disabled,
        "retires_on": partner.retires_at.astimezone(RIGA).date().isoformat() if partner.retires_at else None,
        "valid_to": instant_text(end),
        "days_left": (end - utc_now()).days,
        "sha256": partner.fingerprint,
        "evidence": partner_evidence.state(evidence_of(connection, partner.name)),
        "signature_profile": terms.signature_profile.value,
        "last_request_on": last.isoformat() if last else None,
    }


def _state(row: dict[str, Json]) -> str:
    if row["disabled"]:
        return "disabled"
    return f"active to {row['retires_on']}" if row["retires_on"] else "active"


def _show(engine: Engine, partner: Partner, as_json: bool) -> None:
    if as_json:
        with reading(engine).begin() as connection:
            print_json(_row(connection, partner))
    else:
        click.echo(
            f"{partner.name}: {partner.fingerprint} registered, with the rights of {partner.recipient}"
        )
