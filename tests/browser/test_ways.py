"""Ways through the console: by keyboard alone, with a page that renews itself, and with what a partner may send."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from audit import Entry, Kind, open_log
from endpoints.console import sessions
from endpoints.console.roles import Role
from exchange import Json, Outcome, new_id, utc_now
from tests.browser.conftest import Console

# What a browser would run where it is not escaped: in text, in attributes, in addresses, in the tables of charts.
CORPUS = (
    "<script>document.title='ta'+'ken'</script>",
    "\"><img src=x onerror=\"document.title='ta'+'ken'\">",
    "' onmouseover='document.title=\"ta\"+\"ken\"' x='",
    "javascript:document.title='ta'+'ken'",
    "</title><svg onload=document.title='ta'+'ken'>",
    "{{ 7 * 7 }}{% raw %}",
)


def focused(page: Page) -> str:
    return str(
        page.evaluate("(document.activeElement.innerText || document.activeElement.name || '').trim()")
    )


def to(page: Page, text: str) -> None:
    """Press Tab until that has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if focused(page) == text:
            return
    raise AssertionError(f"{text} cannot be reached by keyboard")


def test_a_question_by_keyboard_alone(console: Console, chromium: Browser) -> None:
    context = console.signed_in(chromium, Role.AUDITOR)
    page = context.new_page()
    page.goto("/console/")
    page.keyboard.press("Tab")
    assert focused(page) == "Uz saturu"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.goto("/console/")
    to(page, "Meklēt")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/search")
    to(page, "system")
    page.keyboard.type("vdeavk")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("system=vdeavk"))
    assert page.locator("tbody tr").count() > 5
    to(page, "invaliditāte")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/exchanges/*")
    assert page.locator(".timeline li").count() == 3
    context.close()


def test_the_overview_renews_itself_and_ends_with_the_session(console: Console, chromium: Browser) -> None:
    context = console.signed_in(chromium, Role.OPERATOR)
    page = context.new_page()
    page.goto("/console/")
    with page.expect_response(
        lambda response: "HX-Request" in str(response.request.headers).replace("hx-request", "HX-Request")
    ):
        page.evaluate("htmx.trigger('#now', 'every')")
        page.evaluate("htmx.ajax('GET', '/console/', {target: '#now', select: '#now', swap: 'outerHTML'})")
    expect(page.locator("#now .figure")).to_have_count(6)
    with console.engine.begin() as connection:
        connection.execute(update(sessions.sessions).values(began_at=utc_now() - 2 * sessions.LONGEST))
    page.evaluate("htmx.ajax('GET', '/console/', {target: '#now', select: '#now', swap: 'outerHTML'})")
    page.wait_for_url("**/console/sign-in")
    context.close()


def test_what_a_partner_sends_is_text(console: Console, chromium: Browser) -> None:
    """Every fact that an exchange's record may take from a message, with each of the corpus."""
    log = open_log(console.home.settings, console.engine)
    exchanges = []
    for text in CORPUS:
        exchange = new_id()
        exchanges.append(exchange)
        names = (
            "caller",
            "recipient",
            "system",
            "operation",
            "institution",
            "role",
            "purpose",
            "rule",
            "source",
        )
        facts: dict[str, Json] = {
            **dict.fromkeys((*names, "code", "contract"), text),
            "given": [text],
            "withheld": [text],
        }
        personal: dict[str, Json] = {
            "official": text,
            "case": text,
            "subject": text,
            "selection": {text: text},
        }
        log.write(
            Entry(Kind.OPENED, exchange, utc_now(), {"way": "soap", "environment": "test"}),
            Entry(Kind.ATTEMPT, exchange, utc_now(), {**facts, "attempt": 1}, personal),
            Entry(Kind.OUTCOME, exchange, utc_now(), {**facts, "outcome": Outcome.FAILED.value}, personal),
        )
    context = console.signed_in(chromium, Role.AUDITOR)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    for path in ("", "search", "search?kind=outcome&outcome=failed", "administration", "unusual", "lineage"):
        page.goto(f"/console/{path}")
        assert "taken" not in page.title()
    for exchange in exchanges:
        page.goto(f"/console/exchanges/{exchange}")
        page.fill("form [name=purpose] >> nth=0", CORPUS[1])
        page.locator("form:has([name=purpose]) button >> nth=0").click()
        page.wait_for_selector(".on-record")
        page.mouse.move(400, 400)
        assert "taken" not in page.title()
        assert page.locator("main img, main script, main svg[onload]").count() == 0
        assert "49" not in page.locator("h1").inner_text()
    assert complaints == []
    context.close()
