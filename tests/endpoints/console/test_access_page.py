"""The access matrix as a page, and a decision explained as the gateway makes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import html
from werkzeug.test import Client

from endpoints.console.roles import Role
from exchange import today_in_riga
from gateway import Gateway
from routing.access import Access, Right
from tests.endpoints.console.gateways import acts, own_gateway
from tests.endpoints.console.signing_in import signed_in

SCRIPT = "<script>alert(1)</script>"
TODAY = today_in_riga()
DAY = timedelta(days=1)


def right(**changes: object) -> Right:
    """A right, and something of it changed."""
    values: dict[str, object] = {
        "recipient": "vsaa",
        "operations": ("pmlp.GetPerson",),
        "purposes": ("social-service",),
        "rules": ("p8.1", "p8.4"),
        "sources": ("pmlp",),
        "requests_day": 1000,
        "persons_day": 20,
        "basis": "p18.1",
    }
    return Right(**values | changes)  # type: ignore[arg-type] # — as the test says


RIGHTS = (
    right(),
    right(recipient="vid", draft=True, task=SCRIPT, contract=SCRIPT),
    right(recipient="nvd", since=TODAY + DAY),
    right(recipient="csp", until=TODAY - DAY, identifying=False, operations=("registers.SearchCareStays",)),
    right(recipient=SCRIPT, purposes=(SCRIPT,), operations=(SCRIPT,), rules=(SCRIPT,), sources=(SCRIPT,)),
)


@pytest.fixture
def gateway(api_keys: Path, database: str) -> Iterator[Gateway]:
    with own_gateway(api_keys, database, Access(RIGHTS)) as wired:
        yield wired


@contextmanager
def english(gateway: Gateway, role: Role = Role.DPO) -> Iterator[Client]:
    client = signed_in(gateway, role)
    client.set_cookie("language", "en", path="/console")
    yield client


def matrix(text: str) -> dict[str, list[str]]:
    """The rights by recipient."""
    (table,) = (
        one for one in html.fromstring(text).iter("table") if one.findtext("caption") == "Access matrix"
    )
    return {
        row.find("th").text_content().strip(): [
            " ".join(cell.text_content().split()) for cell in row.iter("td")
        ]
        for row in table.xpath("tbody/tr")
    }


def told(gateway: Gateway, query: str) -> tuple[str, str]:
    """The text of a decision, and whether it is allowed or denied."""
    with english(gateway) as client:
        answer = client.get(f"/console/access/check?{query}")
    assert answer.status_code == 200
    badges = html.fromstring(answer.text).xpath(
        "//div[@role='status']//span[contains(@class,'badge')]/text()"
    )
    return answer.text, badges[0] if badges else ""


@pytest.mark.parametrize("role", list(Role))
def test_each_role(gateway: Gateway, role: Role) -> None:
    client = signed_in(gateway, role)
    wanted = 403 if role is Role.OPERATOR else 200
    assert client.get("/console/access").status_code == wanted
    assert client.get("/console/access/check").status_code == wanted
    assert ('href="/console/access"' in client.get("/console/").text) == (wanted == 200)
    assert acts(gateway) == []


def test_every_right_with_its_state(gateway: Gateway) -> None:
    with english(gateway) as client:
        text = client.get("/console/access").text
    found = matrix(text)
    states = {recipient.split("\n")[0]: cells[-1] for recipient, cells in found.items()}
    assert states["vsaa State Social Insurance Agency"] == "in force"
    by_start = {recipient.split()[0]: state for recipient, state in states.items()}
    assert by_start["vid"] == "a draft, gives nothing"
    assert by_start["nvd"] == f"not begun {TODAY + DAY} – …"
    assert by_start["csp"] == f"ended … – {TODAY - DAY}"
    assert "under pseudonyms" in next(recipient for recipient in found if recipient.startswith("csp"))
    vsaa = found["vsaa State Social Insurance Agency"]
    assert vsaa[0].startswith("p18.1")
    assert vsaa[3].startswith("p8.1, p8.4 p8.1 vārds")
    assert vsaa[5] == "1,000 requests20 persons"


def test_what_stands_in_a_file_of_rights_is_text(gateway: Gateway) -> None:
    with english(gateway) as client:
        for address in (
            "/console/access",
            f"/console/access?operation={SCRIPT}&rule={SCRIPT}&purpose={SCRIPT}&recipient={SCRIPT}&state={SCRIPT}",
            f"/console/access/check?recipient={SCRIPT}&operation={SCRIPT}&rule={SCRIPT}&purpose={SCRIPT}",
            f"/console/access/check?recipient={SCRIPT}&operation=pmlp.GetPerson&rule={SCRIPT}&purpose={SCRIPT}",
        ):
            text = client.get(address).text
            assert SCRIPT not in text
            assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("query", "recipients"),
    [
        ("recipient=vid", ["vid"]),
        ("operation=carestays", ["csp"]),
        ("purpose=social-service&state=in+force", ["vsaa"]),
        ("rule=p8.4&state=draft", ["vid"]),
        ("rule=p18.1&recipient=vsaa", ["vsaa"]),
        ("state=not+begun", ["nvd"]),
        ("state=ended", ["csp"]),
    ],
)
def test_filters(gateway: Gateway, query: str, recipients: list[str]) -> None:
    with english(gateway) as client:
        text = client.get(f"/console/access?{query}").text
    assert [recipient.split()[0] for recipient in matrix(text)] == recipients


def test_nothing_is_found(gateway: Gateway) -> None:
    with english(gateway) as client:
        assert "No right meets all of that" in client.get("/console/access?purpose=curiosity").text


def test_pages(api_keys: Path, database: str) -> None:
    rights = tuple(right(recipient=f"r{number:03}") for number in range(120))
    with own_gateway(api_keys, database, Access(rights)) as gateway, english(gateway) as client:
        seen = []
        for place in ("", "50", "100"):
            text = client.get(f"/console/access?from={place}").text
            seen += list(matrix(text))
        assert seen == [one.recipient for one in rights]
        links = html.fromstring(text).xpath("//nav[@class='pager']//a/@href")
        assert links == ["/console/access?from=50"]


def test_a_decision_that_allows(gateway: Gateway) -> None:
    text, badge = told(gateway, "recipient=vsaa&operation=pmlp.GetPerson&purpose=social-service&rule=p8.4")
    assert badge == "allowed"
    page = html.fromstring(text)
    given = page.xpath("//section[@aria-labelledby='given']//code/text()")
    withheld = page.xpath("//section[@aria-labelledby='withheld']//code/text()")
    assert {"given_names", "birth_date"} <= set(given)
    assert "family_name" in withheld
    assert not set(given) & set(withheld)
    assert "dzimšanas datums" in text


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("recipient=vsaa&operation=sais.GetPayments", "Nothing grants it."),
        ("recipient=nobody&operation=pmlp.GetPerson", "Nothing grants it."),
        ("recipient=vsaa&operation=pmlp.GetPerson&purpose=curiosity", "not for this purpose"),
        ("recipient=vsaa&operation=pmlp.GetPerson&purpose=social-service&rule=p8.13", "not under this rule"),
        ("recipient=nvd&operation=pmlp.GetPerson", "but not today"),
        ("recipient=vid&operation=pmlp.GetPerson", "but not today"),
    ],
)
def test_a_decision_that_denies_says_why(gateway: Gateway, query: str, why: str) -> None:
    text, badge = told(gateway, query)
    assert badge == "denied"
    assert why in text
    assert "Would be given" not in text
    assert ("Granted is this alone" in text) == ("recipient=vsaa&operation=pmlp" in query)
    assert ("Not in force today" in text) == ("today" in why)


def test_an_operation_that_there_is_not_and_a_form_that_is_empty(gateway: Gateway) -> None:
    assert "There is no operation of that name." in told(gateway, "recipient=vsaa&operation=pmlp.Nothing")[0]
    assert "Name a recipient and an operation." in told(gateway, "")[0]
    assert "Name a recipient and an operation." in told(gateway, "recipient=vsaa")[0]


def test_in_latvian(gateway: Gateway) -> None:
    client = signed_in(gateway, Role.AUDITOR)
    assert "Piekļuves matrica" in client.get("/console/access").text
    text = client.get("/console/access/check?recipient=vsaa&operation=pmlp.GetPerson").text
    assert "atļauts" in text
    assert "Tiktu dots" in text
