"""Partners and callers on the console: seen by those who run the gateway, disabled after a page that asks, once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from werkzeug.test import Client

from endpoints.console.roles import Role
from exchange import utc_now
from gateway import Gateway
from routing.agreements import Evidence, EvidenceKind, SignatureProfile, Terms, add_evidence, set_terms
from routing.parties import add_caller, add_partner, find_caller, find_partner, retire_partner
from security.keys import Identity, issue
from tests.endpoints.console.deciding import ESCAPED, SCRIPT, opened_by, statuses, token
from tests.endpoints.console.gateways import acts, own_gateway
from tests.endpoints.console.signing_in import csrf_of, signed_in

LIST = "/console/parties"
RIGA = f"{LIST}/partners/riga"
LOOKS = opened_by(Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR)


@pytest.fixture(scope="session")
def old(api_keys: Path) -> Identity:
    return issue(api_keys / "keys", "riga-old", key_type="p256")


@pytest.fixture(scope="session")
def new(api_keys: Path) -> Identity:
    return issue(api_keys / "keys", "riga-new", key_type="p256")


@pytest.fixture
def gateway(api_keys: Path, database: str) -> Iterator[Gateway]:
    with own_gateway(api_keys, database) as made:
        yield made


@pytest.fixture
def riga(gateway: Gateway, old: Identity) -> Identity:
    """A partner with everything that may be typed about one."""
    today = date(2026, 1, 5)
    with gateway.engine.begin() as connection:
        add_partner(connection, "riga", "riga-social-service", old.certificate, utc_now())
        set_terms(connection, "riga", Terms(f"it@{SCRIPT}", 45, SignatureProfile.BODY_TIMESTAMP))
        told = (
            Evidence(
                EvidenceKind.CONTRACT, today, f"D-1 {SCRIPT}", f"12 {SCRIPT}", date(2026, 2, 1), "ab" * 32
            ),
            Evidence(EvidenceKind.CONFIDENTIALITY, today, "D-2"),
        )
        add_evidence(connection, "riga", told, utc_now())
    return old


@pytest.fixture
def core(gateway: Gateway) -> str:
    """The key of a caller."""
    with gateway.engine.begin() as connection:
        return add_caller(connection, "core", "spolis-core", utc_now())


def active(gateway: Gateway, identity: Identity) -> bool:
    with gateway.engine.connect() as connection:
        return find_partner(connection, identity.certificate) is not None


def form_of(client: Client, page: str) -> dict[str, str]:
    """What the page that asks would send, with a reason."""
    text = client.get(page).text
    return {"csrf": csrf_of(text), "reason": "līgums beidzies"} | dict(
        re.findall(r'name="(seen)" value="([^"]*)"', text)
    )


@pytest.mark.usefixtures("riga", "core")
def test_those_who_run_the_gateway_look_and_administrators_alone_disable(gateway: Gateway) -> None:
    for page in (LIST, f"{LIST}/trust", RIGA):
        assert statuses(gateway, page) == LOOKS
    for page in (f"{RIGA}/disable", f"{LIST}/callers/core/disable"):
        assert statuses(gateway, page) == opened_by(Role.ADMINISTRATOR)
        operator = signed_in(gateway, Role.OPERATOR)
        form = form_of(signed_in(gateway, Role.ADMINISTRATOR), page) | {"csrf": token(operator, LIST)}
        assert operator.post(page, data=form).status_code == 403
    assert "Atslēgt…" not in signed_in(gateway, Role.OPERATOR).get(LIST).text
    assert "Atslēgt…" in signed_in(gateway, Role.ADMINISTRATOR).get(LIST).text


def test_nobody_registered_is_told_in_both_languages(gateway: Gateway) -> None:
    client = signed_in(gateway, Role.AUDITOR)
    text = client.get(LIST).text
    assert "Neviens partneris nav reģistrēts." in text
    assert "gateway partner add NAME" in text
    client.set_cookie("language", "en", path="/console")
    assert "No caller is registered." in client.get(LIST).text
    for name in ("partners/nobody", "partners/nobody/disable", "callers/nobody/disable"):
        assert signed_in(gateway, Role.ADMINISTRATOR).get(f"{LIST}/{name}").status_code == 404


def test_a_partner_is_seen_with_all_that_is_known_and_nothing_of_it_runs(
    gateway: Gateway, riga: Identity, new: Identity
) -> None:
    with gateway.engine.begin() as connection:
        kept = add_partner(connection, "riga", "riga-social-service", new.certificate, utc_now())
        retire_partner(connection, "riga", utc_now() + timedelta(days=3), utc_now(), keep=kept.fingerprint)
    client = signed_in(gateway, Role.AUDITOR)
    listed = client.get(LIST).text
    assert all(
        part in listed for part in ("riga-social-service", "viens tiek nomainīts", "body-timestamp", "45")
    )
    assert "līgums: beidzies" in listed
    assert "konfidencialitāte: spēkā" in listed
    shown = client.get(RIGA).text
    assert shown.count(ESCAPED) == 3
    assert SCRIPT not in listed + shown
    assert riga.certificate.subject is not None
    assert len(re.findall(r'class="mono">([0-9a-f]{64})<', shown)) == 2


@pytest.mark.usefixtures("riga")
def test_ends_and_revocation_are_seen_and_a_bad_file_is_told(gateway: Gateway, tmp_path: Path) -> None:
    text = signed_in(gateway, Role.OPERATOR).get(f"{LIST}/trust").text
    assert "gateway.pem" in text
    assert "mūsu paraksts" in text
    assert "Nevienam izdevējam šeit nav" in text
    broken = replace(gateway, settings=replace(gateway.settings, trust=tmp_path))
    (tmp_path / "issuer.pem").write_text("nothing to read")
    answer = signed_in(broken, Role.OPERATOR).get(f"{LIST}/trust")
    assert (answer.status_code, "lapa nav pilnīga" in answer.text) == (200, True)


def test_a_partner_is_disabled_once_and_on_record(gateway: Gateway, riga: Identity) -> None:
    client = signed_in(gateway, Role.ADMINISTRATOR)
    form = form_of(client, f"{RIGA}/disable")
    assert active(gateway, riga), "asking changes nothing"
    wanting = client.post(f"{RIGA}/disable", data=form | {"reason": ""})
    assert (wanting.status_code, "Norādiet, kāpēc tā izlemjat" in wanting.text) == (400, True)
    assert active(gateway, riga)
    done = client.post(f"{RIGA}/disable", data=form | {"reason": f"beidzies {SCRIPT}"})
    assert (done.status_code, done.headers["Location"]) == (303, f"{LIST}?done=partner")
    assert "netiek pieņemti nevienā procesā" in client.get(done.headers["Location"]).text
    assert not active(gateway, riga)
    again = client.post(f"{RIGA}/disable", data=form)
    assert (again.status_code, "kāds to ir mainījis" in again.text) == (409, True)
    assert "Tas jau ir atslēgts." in client.get(f"{RIGA}/disable").text
    (recorded,) = acts(gateway, "partner disable")
    assert (recorded["name"], recorded["recipient"]) == ("riga", "riga-social-service")
    assert (recorded["at"], recorded["role"]) == ("console", "administrator")
    assert recorded["values"] == {"official": "administrator-1", "reason": f"beidzies {SCRIPT}"}


def test_one_certificate_is_kept_at_the_end_of_a_rollover(
    gateway: Gateway, riga: Identity, new: Identity
) -> None:
    with gateway.engine.begin() as connection:
        kept = add_partner(connection, "riga", "riga-social-service", new.certificate, utc_now())
    client = signed_in(gateway, Role.ADMINISTRATOR)
    form = form_of(client, f"{RIGA}/disable")
    strange = client.post(f"{RIGA}/disable", data=form | {"keep": "0" * 64})
    assert (strange.status_code, active(gateway, riga)) == (409, True)
    assert client.post(f"{RIGA}/disable", data=form | {"keep": kept.fingerprint}).status_code == 303
    assert (active(gateway, riga), active(gateway, new)) == (False, True)
    assert acts(gateway, "partner disable")[0]["but"] == kept.fingerprint


def test_a_stale_page_disables_nothing(gateway: Gateway, riga: Identity, new: Identity) -> None:
    client = signed_in(gateway, Role.ADMINISTRATOR)
    form = form_of(client, f"{RIGA}/disable")
    with gateway.engine.begin() as connection:
        add_partner(connection, "riga", "riga-social-service", new.certificate, utc_now())
    stale = client.post(f"{RIGA}/disable", data=form)
    assert (stale.status_code, "kāds to ir mainījis" in stale.text) == (409, True)
    assert (active(gateway, riga), active(gateway, new)) == (True, True)
    assert acts(gateway, "partner") == []


def test_a_caller_is_disabled_once_and_on_record(gateway: Gateway, core: str) -> None:
    client = signed_in(gateway, Role.ADMINISTRATOR)
    page = f"{LIST}/callers/core/disable"
    form = form_of(client, page)
    assert client.post(page, data=form | {"reason": ""}).status_code == 400
    answers = [client.post(page, data=form) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 409]
    assert "kāds to ir mainījis" in answers[1].text
    assert "Izsaucēja atslēga no šī brīža" in client.get(answers[0].headers["Location"]).text
    with gateway.engine.connect() as connection:
        assert find_caller(connection, core) is None
    (recorded,) = acts(gateway, "caller disable")
    assert (recorded["name"], recorded["recipient"], recorded["at"]) == ("core", "spolis-core", "console")


@pytest.mark.usefixtures("core")
def test_a_forged_form_disables_nothing_and_is_told(gateway: Gateway, riga: Identity) -> None:
    client, other = signed_in(gateway, Role.ADMINISTRATOR), signed_in(gateway, Role.ADMINISTRATOR)
    for page in (f"{RIGA}/disable", f"{LIST}/callers/core/disable"):
        form = form_of(client, page)
        for forged in ("", token(other, LIST)):
            answer = client.post(page, data=form | {"csrf": forged})
            assert (answer.status_code, "Veidlapa nav no šīs sesijas" in answer.text) == (403, True)
    assert active(gateway, riga)
    assert acts(gateway, "partner") + acts(gateway, "caller") == []
