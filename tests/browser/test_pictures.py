"""The pictures of `docs/console/`, drawn anew with `--update`; and that what they show is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

import config
from audit import Kind
from audit.search import search
from endpoints.console.roles import Role
from registers.persons import PERSON_CODE
from storage import reading
from tests.browser.conftest import Console

FOLDER = config.CHECKOUT / "docs/console"


def exchange_of(console: Console) -> str:
    """One that was answered, with fields given and withheld."""
    found = search(console.engine, kind=Kind.OUTCOME.value, system="pmlp", outcome="ok", limit=1)
    return str(found[0].leaf["exchange"])


def code_of(console: Console) -> str:
    with reading(console.engine).begin() as connection:
        return str(connection.execute(select(PERSON_CODE.c.code).limit(1)).scalar_one())


def ask_for_a_report(page: Page, console: Console) -> None:
    page.goto("/console/person")
    page.fill("[name=person]", code_of(console))
    page.fill("[name=purpose]", "personas iesniegums 2026/114")
    page.click("main form button[type=submit]")
    page.wait_for_selector(".on-record")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("name", "language", "heading"),
    [
        ("overview", "lv", "Pārskats"),
        ("search", "en", "Search"),
        ("exchange", "lv", ""),
        ("person", "lv", ""),
        ("systems", "en", "Systems"),
        ("access", "lv", ""),
    ],
)
def test_a_picture(
    console: Console,
    chromium: Browser,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    name: str,
    language: str,
    heading: str,
    dark: bool,
) -> None:
    context = console.signed_in(chromium, Role.AUDITOR, language=language, dark=dark)
    page = context.new_page()
    if name == "person":
        ask_for_a_report(page, console)
    else:
        query = {
            "exchange": f"exchanges/{exchange_of(console)}",
            "search": "search?kind=outcome",
            "overview": "",
        }
        page.goto(f"/console/{query.get(name, name)}")
    assert heading in page.locator("h1").inner_text()
    file = f"{name}-dark.png" if dark else f"{name}.png"
    update = bool(request.config.getoption("--update"))
    page.screenshot(path=(FOLDER if update else tmp_path) / file)
    assert (FOLDER / file).stat().st_size > 20_000, "draw it with --update"
    context.close()
