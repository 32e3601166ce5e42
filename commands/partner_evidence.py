"""The options by which `gateway partner` is told of contract, confidentiality and terms, and how they are shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from commands.opening import Day
from config import Settings
from errors import InvalidRequest
from exchange import Environment, Json, today_in_riga
from routing.agreements import NOTICE_DAYS, Evidence, EvidenceKind, SignatureProfile, Terms, newest, wanting

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Documents(TypedDict):
    """What the options of evidence hold, as click hands them over."""

    contract_number: str | None
    contract_signed: date | None
    contract_until: date | None
    contract_reference: str | None
    contract_file: Path | None
    confidentiality_signed: date | None
    confidentiality_reference: str | None
    confidentiality_file: Path | None


class Agreed(TypedDict):
    """What the options of terms hold, as click hands them over."""

    contact: str | None
    notice_days: int | None
    signature_profile: str | None


class Given(Documents, Agreed):
    """All options about a partner."""


class _Plain(click.ParamType[str]):
    """One line of text, so long at most."""

    name = "text"

    def __init__(self, longest: int) -> None:
        self.longest = longest

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not 0 < len(value.strip()) <= self.longest or not value.isprintable():
            self.fail(f"one line of 1 to {self.longest} characters", param, ctx)
        return value.strip()


class _Address(_Plain):
    """An e-mail address."""

    def __init__(self) -> None:
        super().__init__(254)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        address = super().convert(value, param, ctx)
        if not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+", address):
            self.fail("an e-mail address: desk@agency.example", param, ctx)
        return address


_DOCUMENTS = (
    click.option("--contract-number", type=_Plain(100), help="Number of the contract."),
    click.option("--contract-signed", type=Day(), help="Day on which the contract was signed."),
    click.option("--contract-until", type=Day(), help="Last day of the contract; without it, it has no end."),
    click.option(
        "--contract-reference",
        type=_Plain(200),
        help="Where the contract is kept, e.g. its number in the document register.",
    ),
    click.option("--contract-file", type=_FILE, help="The contract itself; only its SHA-256 is kept."),
    click.option("--confidentiality-signed", type=Day(), help="Day on which confidentiality was promised."),
    click.option(
        "--confidentiality-reference", type=_Plain(200), help="Where the promise is kept; name no person."
    ),
    click.option("--confidentiality-file", type=_FILE, help="The promise itself; only its SHA-256 is kept."),
)
_AGREED = (
    click.option("--contact", type=_Address(), help="Whom to write to; a desk rather than a person."),
    click.option(
        "--notice-days",
        type=click.IntRange(0, 365),
        help=f"Working days ahead that a change of format is announced; {NOTICE_DAYS} unless told.",
    ),
    click.option(
        "--signature-profile",
        type=click.Choice([profile.value for profile in SignatureProfile]),
        help="`body-timestamp` for a stack that cannot sign addressing headers; `full` unless told.",
    ),
)


def documents(command: F) -> F:
    """The options of evidence."""
    return _with(_DOCUMENTS, command)


def agreed(command: F) -> F:
    """The options of terms."""
    return _with(_AGREED, command)


def _with(options: Sequence[Callable[[F], F]], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def read_evidence(given: Documents) -> tuple[Evidence, ...]:
    """The documents that were told of.

    Raises: InvalidRequest naming the options that are missing from one that was begun, or dates that contradict.
    """
    found: list[Evidence] = []
    if _begun(
        {
            "--contract-number": given["contract_number"],
            "--contract-signed": given["contract_signed"],
            "--contract-reference": given["contract_reference"],
        },
        given["contract_until"],
        given["contract_file"],
    ):
        found.append(
            Evidence(
                EvidenceKind.CONTRACT,
                _past(given["contract_signed"], "--contract-signed"),
                given["contract_reference"] or "",
                given["contract_number"],
                given["contract_until"],
                _digest(given["contract_file"]),
            )
        )
    if _begun(
        {
            "--confidentiality-signed": given["confidentiality_signed"],
            "--confidentiality-reference": given["confidentiality_reference"],
        },
        given["confidentiality_file"],
    ):
        found.append(
            Evidence(
                EvidenceKind.CONFIDENTIALITY,
                _past(given["confidentiality_signed"], "--confidentiality-signed"),
                given["confidentiality_reference"] or "",
                sha256=_digest(given["confidentiality_file"]),
            )
        )
    for one in found:
        if one.valid_until is not None and one.valid_until < one.signed_on:
            raise InvalidRequest("--contract-until is before --contract-signed")
    return tuple(found)


def changed_terms(known: Terms, given: Agreed) -> Terms:
    """The terms with what was told in place of what was known."""
    return Terms(
        contact=known.contact if given["contact"] is None else given["contact"],
        notice_days=known.notice_days if given["notice_days"] is None else given["notice_days"],
        signature_profile=(
            known.signature_profile
            if given["signature_profile"] is None
            else SignatureProfile(given["signature_profile"])
        ),
    )


def demand_evidence(settings: Settings, name: str, found: Sequence[Evidence]) -> None:
    """In production nobody becomes a partner without a contract and a promise of confidentiality in force.

    Raises: InvalidRequest saying what is missing and which options give it.
    """
    missing = wanting(found, today_in_riga())
    if settings.environment is Environment.PRODUCTION and missing:
        raise InvalidRequest(
            f"in production {name} cannot be added: {'; '.join(missing)}. Give --contract-number, --contract-signed, "
            "--contract-reference, --confidentiality-signed and --confidentiality-reference; partners that are known "
            "get them by `gateway partner evidence`"
        )


def term_facts(agreed: Terms) -> dict[str, Json]:
    """Terms as they stand in the exchange log for good; an address may name a person, so it does not."""
    return {
        "contact_known": agreed.contact is not None,
        "notice_days": agreed.notice_days,
        "signature_profile": agreed.signature_profile.value,
    }


def facts(found: Sequence[Evidence]) -> list[Json]:
    """Evidence as it stands in the exchange log for good: kind, days and digest, nothing that was typed freely."""
    return [
        {
            "kind": one.kind.value,
            "signed_on": one.signed_on.isoformat(),
            "valid_until": one.valid_until.isoformat() if one.valid_until else None,
            "sha256": one.sha256,
        }
        for one in found
    ]


def typed(found: Sequence[Evidence]) -> dict[str, Json]:
    """What was typed of evidence: numbers and references, by kind."""
    return {
        one.kind.value: {"number": one.number, "reference": one.reference}
        if one.number
        else {"reference": one.reference}
        for one in found
    }


def row(one: Evidence | None) -> dict[str, Json] | None:
    """One document in JSON."""
    if one is None:
        return None
    return {
        "number": one.number,
        "signed_on": one.signed_on.isoformat(),
        "valid_until": one.valid_until.isoformat() if one.valid_until else None,
        "reference": one.reference,
        "sha256": one.sha256,
        "in_force": one.holds(today_in_riga()),
    }


def rows(found: Sequence[Evidence]) -> dict[str, Json]:
    """The documents that count, by kind, in JSON."""
    return {kind.value: row(newest(found, kind)) for kind in EvidenceKind}


def state(found: Sequence[Evidence]) -> str:
    """`complete`, or what is wanting."""
    return "; ".join(wanting(found, today_in_riga())) or "complete"


def line(one: Evidence) -> str:
    """One document in words."""
    parts = [
        *([f"No {one.number}"] if one.number else []),
        f"signed {one.signed_on}",
        f"until {one.valid_until}" if one.valid_until else "without end",
        one.reference,
        *([f"SHA-256 {one.sha256}"] if one.sha256 else []),
    ]
    return ", ".join(parts)


def _begun(needed: Mapping[str, object], *besides: object) -> bool:
    """Whether anything of a document was given; then what it cannot do without must be.

    Raises: InvalidRequest.
    """
    if all(value is None for value in (*needed.values(), *besides)):
        return False
    if missing := [option for option, value in needed.items() if value is None]:
        raise InvalidRequest(f"missing: {', '.join(missing)}; a document is given as a whole")
    return True


def _past(day: date | None, option: str) -> date:
    if day is None or day > today_in_riga():
        raise InvalidRequest(f"{option} lies in the future")
    return day


def _digest(file: Path | None) -> str | None:
    return None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
