"""A partner from the first day to the last, at the command line, on both databases: every act is on record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine, select

from audit.tables import log_records, log_values
from exchange import RIGA, today_in_riga, utc_now
from routing.access import Quota
from routing.parties import find_partner, may_sign_less
from routing.quota import use
from routing.working_days import first_day_after_notice
from security.keys import Identity, issue
from storage import open_engine
from tests.commands.conftest import Home

CONTRACT = (
    *("--contract-number", "12/2026", "--contract-signed", "2026-01-15"),
    *("--contract-until", "2099-12-31", "--contract-reference", "D-2026-114"),
)
PROMISE = ("--confidentiality-signed", "2026-01-15", "--confidentiality-reference", "D-2026-115")
CONTACT = ("--contact", "it@riga.example")


@dataclass(frozen=True)
class Office(Home):
    """A home with a database of either kind, in one environment or the other."""

    url: str
    partner: str
    environment: str = "test"

    @property
    def environ(self) -> dict[str, str]:
        return {"GATEWAY_CONFIG": str(self.folder), "GATEWAY_DATABASE_URL": self.url}

    def add(self, *options: str, name: str = "riga") -> tuple[str, ...]:
        recipient = ("--recipient", "riga-social-service")
        return ("partner", "add", name, "--certificate", self.partner, *recipient, *options)

    def refused(self, *arguments: str) -> str:
        """What a command says that must not succeed."""
        result = self.run(*arguments)
        assert result.exit_code == 2, result.output
        return result.stderr


@pytest.fixture(scope="session")
def identities(made_keys: Path) -> dict[str, Identity]:
    return {name: issue(made_keys, name, key_type="p256") for name in ("onboarded", "renewed")}


@pytest.fixture
def office(home: Home, database: str, identities: dict[str, Identity], tmp_path: Path) -> Office:
    for name, identity in identities.items():
        (tmp_path / f"{name}.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    return Office(home.folder, database, str(tmp_path / "onboarded.pem"))


@pytest.fixture
def production(office: Office) -> Office:
    """The same in production."""
    settings = office.folder / "gateway.toml"
    settings.write_text(
        f'[gateway]\nenvironment = "production"\n{settings.read_text(encoding="utf-8")}', encoding="utf-8"
    )
    return office


@pytest.fixture
def engine(office: Office) -> Iterator[Engine]:
    engine = open_engine(office.url)
    yield engine
    engine.dispose()


def acts(engine: Engine) -> list[dict[str, Any]]:
    """The leaves of administrative acts, oldest first."""
    query = select(log_records.c.leaf).where(log_records.c.kind == "admin").order_by(log_records.c.id)
    with engine.begin() as connection:
        return [json.loads(leaf) for leaf in connection.execute(query).scalars()]


def test_in_production_evidence_is_asked_for(production: Office, engine: Engine) -> None:
    said = production.refused(*production.add())
    assert "contract missing; confidentiality missing" in said
    assert "--contract-number" in said
    assert "confidentiality missing" in production.refused(*production.add(*CONTRACT))
    over = ("--contract-number", "1", "--contract-signed", "2020-01-01", "--contract-until", "2020-12-31")
    said = production.refused(*production.add(*over, "--contract-reference", "D", *PROMISE))
    assert "contract ended on 2020-12-31" in said
    assert acts(engine) == []
    assert production.json("partner", "list") == []
    assert production.json(*production.add(*CONTRACT, *PROMISE))["evidence"] == "complete"


def test_in_test_evidence_may_be_left_out(office: Office) -> None:
    shown = office.json(*office.add())
    assert shown["evidence"] == "contract missing; confidentiality missing"


def test_a_document_is_given_as_a_whole(office: Office) -> None:
    said = office.refused(*office.add("--contract-number", "12/2026"))
    assert "missing: --contract-signed, --contract-reference" in said
    tomorrow = (today_in_riga() + timedelta(days=1)).isoformat()
    late = ("--confidentiality-signed", tomorrow, "--confidentiality-reference", "D")
    assert "--confidentiality-signed lies in the future" in office.refused(*office.add(*late))
    before = (*CONTRACT[:4], "--contract-until", "2025-01-01", "--contract-reference", "D")
    assert "--contract-until is before" in office.refused(*office.add(*before))
    for wrong in (
        ("--contact", "nobody"),
        ("--contact", "a@b.lv,c@d.lv"),
        ("--contract-signed", "15.01.2026"),
    ):
        office.refused(*office.add(*wrong))


def test_what_is_known_of_a_partner_is_shown_and_on_record(
    office: Office, engine: Engine, tmp_path: Path
) -> None:
    document = tmp_path / "contract.pdf"
    document.write_bytes(b"a contract")
    digest = hashlib.sha256(b"a contract").hexdigest()
    office.json(*office.add(*CONTRACT, "--contract-file", str(document), *PROMISE, *CONTACT))
    with engine.begin() as connection:
        use(connection, "riga-social-service", (), Quota(5, 5), today_in_riga())
    shown = office.json("partner", "show", "riga")
    assert (shown["contact"], shown["notice_days"], shown["signature_profile"]) == (
        "it@riga.example",
        30,
        "full",
    )
    assert shown["evidence_state"] == "complete"
    assert shown["evidence"]["contract"] == {
        "number": "12/2026",
        "signed_on": "2026-01-15",
        "valid_until": "2099-12-31",
        "reference": "D-2026-114",
        "sha256": digest,
        "in_force": True,
    }
    assert shown["last_request_on"] == today_in_riga().isoformat()
    assert [shown["certificates"][0]] == office.json("partner", "list")
    text = office.run("partner", "show", "riga").output
    assert all(word in text for word in ("it@riga.example", "12/2026", digest, "days left"))

    (act,) = acts(engine)
    assert (act["act"], act["name"], act["signature_profile"]) == ("partner add", "riga", "full")
    assert act["certificate"] == shown["certificates"][0]["sha256"]
    assert [one["kind"] for one in act["evidence"]] == ["contract", "confidentiality"]
    assert act["evidence"][0]["sha256"] == digest
    for typed in ("it@riga.example", "D-2026-114", "12/2026"):
        assert typed not in json.dumps(act), "what is typed stands among the erasable values only"
    with engine.begin() as connection:
        kept = set(connection.execute(select(log_values.c.name)).scalars())
    assert {"contract", "confidentiality", "official"} <= kept


def test_evidence_is_renewed_and_what_was_before_stays(office: Office, engine: Engine) -> None:
    office.json(*office.add(*CONTRACT, *PROMISE))
    assert "no document" in office.refused("partner", "evidence", "riga")
    assert "no partner" in office.refused("partner", "evidence", "nobody", *PROMISE)
    again = ("--contract-number", "3/2027", "--contract-signed", "2026-11-01", "--contract-reference", "D-9")
    renewed = office.json("partner", "evidence", "riga", *again)
    assert (renewed["state"], renewed["evidence"]["contract"]["number"]) == ("complete", "3/2027")
    assert renewed["evidence"]["contract"]["valid_until"] is None
    shown = office.json("partner", "show", "riga")
    assert [one["reference"] for one in shown["history"]] == ["D-2026-114", "D-2026-115", "D-9"]
    assert acts(engine)[-1]["evidence"] == [
        {"kind": "contract", "signed_on": "2026-11-01", "valid_until": None, "sha256": None}
    ]


def test_a_partner_that_cannot_sign_addressing_headers(
    office: Office, engine: Engine, identities: dict[str, Identity]
) -> None:
    def less() -> list[bool]:
        with engine.begin() as connection:
            return [may_sign_less(connection, identity.certificate) for identity in identities.values()]

    office.json(*office.add())
    assert less() == [False, False]
    changed = office.run("partner", "terms", "riga", "--signature-profile", "body-timestamp", "--json")
    assert json.loads(changed.stdout)["signature_profile"] == "body-timestamp"
    assert "can change them" in changed.stderr
    assert less() == [True, False]
    with engine.begin() as connection:
        found = find_partner(connection, identities["onboarded"].certificate)
    assert found is not None
    assert found.signature_profile == "body-timestamp"
    assert office.json("partner", "list")[0]["signature_profile"] == "body-timestamp"
    office.json("partner", "terms", "riga", "--notice-days", "45")
    assert less() == [True, False], "what is not named stays"
    office.json("partner", "disable", "riga")
    assert less() == [False, False]
    assert "nothing to change" in office.refused("partner", "terms", "riga")
    assert [act["act"] for act in acts(engine)] == [
        "partner add",
        "partner terms",
        "partner terms",
        "partner disable",
    ]


def test_old_certificates_retire_on_their_day(
    office: Office, engine: Engine, identities: dict[str, Identity], tmp_path: Path
) -> None:
    office.json(*office.add())
    rotate = ("partner", "rotate", "riga", "--certificate", str(tmp_path / "renewed.pem"))
    assert "not in the future" in office.refused(*rotate, "--retire-old-on", today_in_riga().isoformat())
    assert "either" in office.refused(*rotate, "--retire-old-on", "2099-01-01", "--at-once")
    day = today_in_riga() + timedelta(days=10)
    office.json(*rotate, "--retire-old-on", day.isoformat())
    begins = datetime.combine(day, time(), RIGA)
    for now, known in (
        (utc_now(), [True, True]),
        (begins - timedelta(seconds=1), [True, True]),
        (begins, [False, True]),
        (begins + timedelta(days=30), [False, True]),
    ):
        with engine.begin() as connection:
            assert [
                find_partner(connection, identity.certificate, now) is not None
                for identity in identities.values()
            ] == known
    assert [(row["disabled"], row["retires_on"]) for row in office.json("partner", "list")] == [
        (False, day.isoformat()),
        (False, None),
    ]
    assert f"active to {day}" in office.run("partner", "list").output
    assert acts(engine)[-1]["retire_old_on"] == day.isoformat()


def test_in_production_a_partner_is_disabled_for_a_reason(production: Office, engine: Engine) -> None:
    production.json(*production.add(*CONTRACT, *PROMISE))
    assert "--why" in production.refused("partner", "disable", "riga")
    production.json("partner", "disable", "riga", "--why", "līgums beidzies")
    act = acts(engine)[-1]
    assert act["act"] == "partner disable"
    assert "beidzies" not in json.dumps(act, ensure_ascii=False)
    assert "reason" in act["commitments"]


NOTICE = ("partner", "notice", "--service", "persons", "--change", "a new element")


def test_a_change_is_announced_in_time(office: Office, engine: Engine) -> None:
    office.json(*office.add(*CONTACT, "--notice-days", "45"))
    earliest = first_day_after_notice(today_in_riga(), 45)
    early = (earliest - timedelta(days=1)).isoformat()
    said = office.refused(*NOTICE, "--from", early)
    assert f"too early for riga (45 working days); the earliest day for all is {earliest}" in said
    assert len(acts(engine)) == 1
    told = office.json(*NOTICE, "--from", earliest.isoformat())
    assert told == {
        "service": "persons",
        "earliest": earliest.isoformat(),
        "partners": [
            {
                "name": "riga",
                "contact": "it@riga.example",
                "notice_days": 45,
                "earliest": earliest.isoformat(),
                "in_time": True,
            }
        ],
    }
    assert "--why" in office.refused(*NOTICE, "--from", early, "--urgent")
    urgent = office.json(*NOTICE, "--from", early, "--urgent", "--why", "a weakness")
    assert [one["in_time"] for one in urgent["partners"]] == [False]
    first, second = acts(engine)[1:]
    assert (first["act"], first["name"], first["begins_on"]) == (
        "partner notice",
        "persons",
        earliest.isoformat(),
    )
    assert (first["urgent"], second["urgent"]) == (False, True)
    assert second["partners"] == [
        {"name": "riga", "notice_days": 45, "earliest": earliest.isoformat(), "in_time": False}
    ]
    assert set(second["commitments"]) == {"change", "official", "reason"}
    assert "a new element" not in json.dumps(second)


def test_only_those_who_use_a_service_are_told(office: Office) -> None:
    office.json("partner", "add", "labis", "--certificate", office.partner, "--recipient", "labis")
    far = ("--from", "2099-01-01")
    assert office.json(*NOTICE, *far)["partners"] == []
    everyone = ("partner", "notice", "--service", "ping", "--change", "x", *far)
    assert [one["name"] for one in office.json(*everyone)["partners"]] == ["labis"]
    office.json("partner", "disable", "labis")
    assert office.json(*everyone)["partners"] == []
    assert "persons, ping" in office.refused("partner", "notice", "--service", "pings", "--change", "x", *far)


@pytest.mark.parametrize("act", ["add", "list", "show", "disable", "rotate", "evidence", "terms", "notice"])
def test_every_command_has_an_example(home: Home, act: str) -> None:
    output = home.run("partner", act, "--help").output
    assert f"gateway partner {act}" in output
    assert "--json" in output
