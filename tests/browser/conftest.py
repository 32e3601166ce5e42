"""One gateway with data of a demonstration, and one browser, for all tests of a worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from sqlalchemy import Engine

import config
from endpoints.console import sessions
from endpoints.console.roles import Role
from exchange import utc_now
from storage import open_engine
from tests.commands.conftest import Home, made_keys
from tests.commands.processes import gateway
from tests.endpoints.serving import serving
from tests.instances import unavailable

__all__ = ["made_keys"]

PERSONS = 14
AXE = config.CHECKOUT / "build/browser/node_modules/axe-core/axe.min.js"


@dataclass(frozen=True, slots=True)
class Console:
    """A running gateway with its console: where it is, and its database."""

    url: str
    home: Home
    engine: Engine

    def signed_in(
        self, browser: Browser, role: Role, *, language: str = "lv", dark: bool = False
    ) -> BrowserContext:
        """A browser of somebody with a role."""
        context = browser.new_context(
            base_url=self.url,
            color_scheme="dark" if dark else "light",
            viewport={"width": 1360, "height": 900},
        )
        with self.engine.begin() as connection:
            token = sessions.begin(connection, f"test-{role.value}", role, utc_now())
        context.add_cookies(
            [
                {"name": "console", "value": token, "url": self.url},
                {"name": "language", "value": language, "url": self.url},
            ]
        )
        return context


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        unavailable("no Chromium on this machine")
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox of its own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that judges accessibility."""
    if not AXE.exists():
        unavailable("axe-core is not there: npm ci in tests/browser, see .ci/run")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory, made_keys: Path) -> Iterator[Console]:
    """A gateway that has done the main job, and serves."""
    home = Home(tmp_path_factory.mktemp("console"))
    home.configure({})
    with (home.folder / "gateway.toml").open("a", encoding="utf-8") as file:
        file.write("[listen.partners]\nport = 0\n[listen.internal]\nport = 0\n")
    shutil.copytree(made_keys, home.settings.keys)
    done = gateway(home.environ, "demo", "--persons", str(PERSONS))
    assert done.returncode == 0, done.stdout + done.stderr
    with serving(home.folder, "--embedded") as served:
        engine = open_engine(home.settings.database_url)
        yield Console(served.internal, home, engine)
        engine.dispose()
