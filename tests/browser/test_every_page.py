"""Every page of the console, in both languages, light and dark; and each role kept to its pages."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from endpoints.console import pages
from endpoints.console.roles import Role
from tests.browser.conftest import Console

pytestmark = pytest.mark.long

# Those that can be asked for as they are: with no part of the address to be filled in, and no download.
LISTED = [
    page
    for page in pages.discover()
    if "GET" in page.methods and "<" not in page.path and not page.path.endswith(".csv")
]
# What WCAG 2.2 says at levels A and AA.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def contexts(console: Console, chromium: Browser) -> Iterator[dict[tuple[Role, str], BrowserContext]]:
    """A browser for each role and language: the Latvian ones are light, the English ones dark."""
    made = {
        (role, language): console.signed_in(chromium, role, language=language, dark=language == "en")
        for role in Role
        for language in ("lv", "en")
    }
    yield made
    for context in made.values():
        context.close()


def opened(context: BrowserContext, path: str) -> tuple[Page, int, list[str]]:
    """A page, its status, and what the browser complained of."""
    page = context.new_page()
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        # Of an answer such as 403 Chromium complains by itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    response = page.goto(f"/console/{path}")
    assert response is not None
    return page, response.status, complaints


def violations(page: Page, axe: str) -> list[str]:
    """What breaks the rules of accessibility, a line each."""
    page.evaluate(axe)
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})"
        ".then(said => JSON.stringify(said.violations))",
        RULES,
    )
    return [f"{one['id']}: {node['html'][:120]}" for one in json.loads(found) for node in one["nodes"]]


@pytest.mark.parametrize("language", ["lv", "en"])
@pytest.mark.parametrize("path", [page.path for page in LISTED], ids=lambda path: path or "overview")
def test_a_page_is_whole(
    contexts: dict[tuple[Role, str], BrowserContext], axe: str, path: str, language: str
) -> None:
    """The languages take turns with the roles: those who may see a page see the same frame."""
    may = sorted(next(page.roles for page in LISTED if page.path == path))
    role = may[0] if language == "lv" else may[-1]
    page, status, complaints = opened(contexts[role, language], path)
    assert status == 200
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("h1").count() == 1
    assert page.locator(".menu [aria-current]").count() >= 1
    assert violations(page, axe) == []
    assert complaints == []
    page.close()


@pytest.mark.parametrize("role", list(Role))
def test_pages_of_other_roles_are_refused(
    contexts: dict[tuple[Role, str], BrowserContext], axe: str, role: Role
) -> None:
    others = [page.path for page in LISTED if role not in page.roles]
    for path in others:
        page, status, _ = opened(contexts[role, "lv"], path)
        assert status == 403, path
        assert "Jūsu loma" in page.locator("[role=alert]").inner_text()
        assert page.locator(f'.menu a[href="/console/{path}"]').count() == 0
        assert path != others[0] or violations(page, axe) == []
        page.close()


def test_nobody_is_asked_who_they_are(console: Console, chromium: Browser) -> None:
    context = chromium.new_context(base_url=console.url)
    for path in (page.path for page in LISTED):
        page, status, _ = opened(context, path)
        assert status == 200
        assert page.url.startswith(f"{console.url}/console/sign-in"), path
        page.close()
    context.close()
