"""The page of one exchange: its steps, its proof, and what only those open who may, for a purpose, on record."""

from __future__ import annotations

import io
import re
import uuid
import zipfile
from datetime import timedelta

import pytest

from audit import Entry, Kind
from endpoints.console.roles import Role
from exchange import Json, new_id, utc_now
from routing import outbox
from tests.endpoints.conftest import CODE, Site, asking
from tests.endpoints.console.recorded import SCRIPT, acts, last_act, sequence, write
from tests.endpoints.console.signing_in import csrf_of, signed_in

OPENING = ("opened", "payload", "evidence")


def exchanged(site: Site) -> tuple[str, str]:
    """A real exchange through the API with its bytes in the archive: its id, and the receipt for it."""
    answer = site.post("/pmlp/get-person", asking())
    assert answer.status_code == 200
    sequence(site.gateway)
    return answer.headers["X-Exchange-Id"], answer.headers["X-Receipt"]


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.AUDITOR, 200), (Role.DPO, 200), (Role.OPERATOR, 200), (Role.ADMINISTRATOR, 403)],
)
def test_who_may(site: Site, role: Role, status: int) -> None:
    number = write(site.gateway)
    assert signed_in(site.gateway, role).get(f"/console/exchanges/{number}").status_code == status


def test_an_exchange_that_is_none(site: Site) -> None:
    client = signed_in(site.gateway, Role.AUDITOR)
    page = client.get(f"/console/exchanges/{new_id()}")
    assert (page.status_code, "Tāda nav." in page.text) == (404, True)
    assert client.get("/console/exchanges/17").status_code == 404


def test_the_steps_the_rule_the_fields_and_their_lineage(site: Site) -> None:
    number, _ = exchanged(site)
    client = signed_in(site.gateway, Role.OPERATOR)
    page = client.get(f"/console/exchanges/{number}")
    assert page.status_code == 200
    for words in (
        "saņemts pieprasījums",
        "jautāts sistēmai",
        "iznākums",
        "atbildēts",
        "MK noteikumi Nr. 587",
    ):
        assert words in page.text, words
    assert re.search(r"pēc -?\d+ ms", page.text)
    assert "<code>family_name</code>" in page.text
    assert "izsniegts" in page.text
    assert "pmlp_" in page.text, "the register column"
    assert re.search(r"<code>/[A-Za-z/]+", page.text), "the element of the source"
    assert CODE not in page.text
    assert last_act(site.gateway)[0]["filters"] == {"exchange": number}
    client.get(f"/console/exchanges/{number}?lang=en")
    english = client.get(f"/console/exchanges/{number}").text
    for words in ("a request arrived", "a system was asked", "Who and why", "Cabinet Regulation 587"):
        assert words in english, words


def test_an_operator_opens_nothing_and_leaves_no_record_of_opening(site: Site) -> None:
    number, _ = exchanged(site)
    client = signed_in(site.gateway, Role.OPERATOR)
    text = client.get(f"/console/exchanges/{number}").text
    assert 'name="purpose"' not in text
    before = acts(site.gateway)
    for path in OPENING:
        form = {"purpose": "curious", "payload": "reply", "csrf": csrf_of(text)}
        page = client.post(f"/console/exchanges/{number}/{path}", data=form)
        assert (page.status_code, CODE in page.text) == (403, False)
    assert acts(site.gateway) == before


@pytest.mark.parametrize("path", OPENING)
def test_nothing_opens_without_a_purpose_or_with_a_strange_form(site: Site, path: str) -> None:
    number, _ = exchanged(site)
    client = signed_in(site.gateway, Role.AUDITOR)
    csrf = csrf_of(client.get(f"/console/exchanges/{number}").text)
    before = acts(site.gateway)
    at = f"/console/exchanges/{number}/{path}"
    page = client.post(at, data={"purpose": "  ", "payload": "reply", "csrf": csrf})
    assert (page.status_code, CODE in page.text) == (400, False)
    assert "Norādiet, kāpēc jautājat" in page.text
    assert client.post(at, data={"purpose": "x", "payload": "reply", "csrf": "y"}).status_code == 403
    assert client.get(at).headers["Location"].endswith(f"/console/exchanges/{number}")
    assert acts(site.gateway) == before


def test_values_and_messages_are_opened_on_record(site: Site) -> None:
    number, _ = exchanged(site)
    client = signed_in(site.gateway, Role.DPO)
    csrf = csrf_of(client.get(f"/console/exchanges/{number}").text)
    form = {"purpose": "complaint 7", "csrf": csrf}
    page = client.post(f"/console/exchanges/{number}/opened", data=form)
    assert CODE in page.text
    assert "Ierakstīts žurnālā" in page.text
    for name in ("request", "sent-1", "received-1", "reply"):
        assert f'name="payload" value="{name}"' in page.text
    facts, values = last_act(site.gateway)
    assert (facts["act"], facts["of"], facts["payload"], values["purpose"]) == (
        "audit payload", number, "", "complaint 7",
    )  # fmt: skip
    assert (values["official"], values["subject"]) == ("dpo-1", CODE)
    assert acts(site.gateway, act="audit show") >= 1


def test_a_message_is_text_or_a_file_and_never_what_it_says_it_is(site: Site) -> None:
    number = write(site.gateway, code="330401-12345")
    content = f"<html>{SCRIPT}</html>\0\xff".encode("latin-1")
    site.gateway.log.commit(
        lambda connection: site.gateway.archive.put(connection, number, "received-1", content, utc_now())
    )
    client = signed_in(site.gateway, Role.AUDITOR)
    csrf = csrf_of(client.get(f"/console/exchanges/{number}").text)
    at = f"/console/exchanges/{number}/payload"
    form = {"purpose": "complaint 7", "payload": "received-1", "csrf": csrf}
    page = client.post(at, data=form | {"as": "text"})
    assert "&lt;html&gt;&lt;script&gt;" in page.text
    assert SCRIPT not in page.text
    facts, values = last_act(site.gateway)
    assert (facts["act"], facts["payload"], values["subject"]) == (
        "audit payload",
        "received-1",
        "330401-12345",
    )
    before = acts(site.gateway)
    file = client.post(at, data=form | {"as": "file"})
    assert file.data == content
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert file.headers["Content-Disposition"] == f'attachment; filename="{number}-received-1.bin"'
    assert acts(site.gateway) == before + 1
    other = client.post(at, data=form | {"payload": '"; x=/etc/passwd'})
    assert (other.status_code, acts(site.gateway)) == (404, before + 1)


def test_a_long_message_is_shown_in_part(site: Site) -> None:
    number = write(site.gateway)
    site.gateway.log.commit(
        lambda connection: site.gateway.archive.put(connection, number, "reply", b"a" * 300_000, utc_now())
    )
    client = signed_in(site.gateway, Role.AUDITOR)
    csrf = csrf_of(client.get(f"/console/exchanges/{number}").text)
    form = {"purpose": "x", "payload": "reply", "csrf": csrf}
    page = client.post(f"/console/exchanges/{number}/payload", data=form)
    assert "a" * 200_000 in page.text
    assert "a" * 200_001 not in page.text
    assert "Parādīts tikai sākums" in page.text


def test_where_no_message_is_kept_it_is_said(site: Site) -> None:
    number = write(site.gateway)
    client = signed_in(site.gateway, Role.AUDITOR)
    csrf = csrf_of(client.get(f"/console/exchanges/{number}").text)
    page = client.post(f"/console/exchanges/{number}/opened", data={"purpose": "x", "csrf": csrf})
    assert (page.status_code, "Šīs apmaiņas ziņojumu arhīvā nav" in page.text) == (200, True)


def test_evidence_is_the_container_of_the_command_and_on_record(site: Site) -> None:
    number, _ = exchanged(site)
    client = signed_in(site.gateway, Role.AUDITOR)
    csrf = csrf_of(client.get(f"/console/exchanges/{number}").text)
    form = {"purpose": "court case C-2026/17", "csrf": csrf}
    answer = client.post(f"/console/exchanges/{number}/evidence", data=form)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{number}.asice"'
    with zipfile.ZipFile(io.BytesIO(answer.data)) as container:
        names = container.namelist()
        assert names[0] == "mimetype"
        assert b"C-2026/17" in container.read("cover.html")
    assert {"check.py", "log/records.jsonl", "META-INF/signatures0.xml"} <= set(names)
    facts, values = last_act(site.gateway)
    assert (facts["act"], facts["of"], values["subject"]) == ("audit evidence", number, CODE)


def test_the_proof_from_waiting_to_signed_and_the_receipt(site: Site) -> None:
    answer = site.post("/pmlp/get-person", asking())
    number, receipt = answer.headers["X-Exchange-Id"], answer.headers["X-Receipt"]
    client = signed_in(site.gateway, Role.OPERATOR)
    at = f"/console/exchanges/{number}"
    first = client.get(at).text
    form = {"receipt": receipt, "csrf": csrf_of(first)}
    if "parakstījis žurnāls, liecinieks vēl nav" not in first:
        assert "gaida savu vietu" in first
    sequence(site.gateway)
    assert "parakstījis žurnāls, liecinieks vēl nav" in client.get(at).text
    checked = client.post(f"{at}/receipt", data=form)
    assert "žurnālā ir tas, par ko izsniegta kvīts" in checked.text
    leaf = re.search(r'leaf="([^"]+)"', receipt)
    assert leaf is not None
    assert leaf[1].replace("+", "&#43;") in checked.text or leaf[1] in checked.text
    other, strange = exchanged(site)
    assert other != number
    for text in (strange, receipt[:-3] + 'A"', "no receipt"):
        refused = client.post(f"{at}/receipt", data=form | {"receipt": text})
        assert (refused.status_code, "žurnālā ir tas" in refused.text) == (400, False)


def test_what_goes_on_because_of_it_is_told_without_values(site: Site) -> None:
    told = new_id()
    number = write(site.gateway, notices=[str(told), str(uuid.uuid4())])
    with site.gateway.engine.begin() as connection:
        name = ("sais", "NotifyCareStay")
        outbox.put(connection, told, name, give_up_after=timedelta(days=1), cause=number)
    page = signed_in(site.gateway, Role.OPERATOR).get(f"/console/exchanges/{number}")
    assert f"/console/exchanges/{told}" in page.text
    assert "gaida piegādi" in page.text


def test_nothing_that_a_partner_writes_becomes_markup(site: Site) -> None:
    written = (
        "system",
        "operation",
        "institution",
        "role",
        "recipient",
        "purpose",
        "rule",
        "code",
        "outcome",
    )
    more = ("caller", "way", "detail", "certificate", "request_id", "source", "contract", "mapping", "act")
    facts: dict[str, Json] = {
        **dict.fromkeys((*written, *more), SCRIPT),
        "given": [SCRIPT],
        "withheld": [SCRIPT],
        "warnings": [SCRIPT],
        "bases": [SCRIPT],
    }
    number = new_id()
    personal: dict[str, Json] = {"official": SCRIPT, "case": SCRIPT, "selection": {"x": SCRIPT}}
    site.gateway.log.write(Entry(Kind.OUTCOME, number, utc_now(), facts, personal))
    client = signed_in(site.gateway, Role.AUDITOR)
    page = client.get(f"/console/exchanges/{number}")
    assert page.status_code == 200
    assert page.text.count("&lt;script&gt;") > 15
    assert SCRIPT not in page.text
    form = {"purpose": SCRIPT, "csrf": csrf_of(page.text)}
    opened = client.post(f"/console/exchanges/{number}/opened", data=form)
    assert opened.status_code == 200
    assert opened.text.count("&lt;script&gt;") > 18
    assert SCRIPT not in opened.text


def test_a_rule_that_the_regulation_does_not_have_is_said_to_be_the_callers(site: Site) -> None:
    number = write(site.gateway, rule="whatever")
    client = signed_in(site.gateway, Role.OPERATOR)
    assert "Noteikumos šādas normas nav" in client.get(f"/console/exchanges/{number}").text
