"""The command line as a user has it: settings and state in a folder of their own, keys made once for all tests."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import config
from adapters import discover
from commands import cli
from config import Settings
from security.keys import new_keys


@dataclass(frozen=True)
class Home:
    """A folder with `gateway.toml` and state, as GATEWAY_CONFIG names it."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"GATEWAY_CONFIG": str(self.folder), "GATEWAY_DATABASE_URL": ""}

    @property
    def settings(self) -> Settings:
        return config.load(self.environ)

    def configure(self, urls: Mapping[str, str]) -> None:
        """Write the settings, with the addresses of external systems."""
        systems = "".join(f'[systems.{name}]\nurl = "{url}"\ntimeout_s = 5.0\n' for name, url in urls.items())
        text = f'[state]\ndirectory = "state"\n[limits]\nexchange_seconds = 5.0\n{systems}'
        (self.folder / "gateway.toml").write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> Result:
        """Run a command in this process."""
        return CliRunner().invoke(cli, arguments, env=self.environ)

    def json(self, *arguments: str) -> Any:
        """Run a command that must succeed, with --json, and read what it prints."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "keys"
    new_keys(folder, sorted(discover()))
    return folder


@pytest.fixture
def home(tmp_path: Path, made_keys: Path) -> Home:
    """A fresh installation that has its keys; nobody listens at the addresses of the systems."""
    shutil.copytree(made_keys, tmp_path / "state" / "keys")
    home = Home(tmp_path)
    home.configure({name: f"http://127.0.0.1:{closed_port()}/{name}/v1-0" for name in discover()})
    return home


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
