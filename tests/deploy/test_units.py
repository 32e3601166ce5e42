"""The systemd units, the snippets beside them and the page that explains them: what they name is there."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
from lxml import etree

import config
from commands import cli
from tests.deploy.proxy import DEPLOY
from tests.instances import unavailable

ROOT = DEPLOY.parent
PROGRAM = "/opt/spolis-gateway"
UNITS = ("spolis-gateway.service", "spolis-gateway-work@.service")
# Seconds that the supervisor and its background work may need beyond --grace-seconds.
MARGIN = 40


class Unit(configparser.RawConfigParser):
    """A unit's sections; a setting that stands twice is refused."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit(name: str) -> Unit:
    parsed = Unit(strict=True, delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    parsed.read_string((DEPLOY / name).read_text(encoding="utf-8"))
    return parsed


@pytest.mark.parametrize("name", UNITS)
def test_the_command_and_its_options_exist(name: str) -> None:
    program, command, *options = shlex.split(unit(name)["Service"]["ExecStart"])
    assert program == f"{PROGRAM}/.venv/bin/gateway"
    assert isinstance(cli, click.Group)
    context = click.Context(cli)
    found = cli.get_command(context, command)
    assert found is not None
    found.make_context(command, options, parent=context)


@pytest.mark.parametrize("name", UNITS)
def test_it_stops_later_than_it_drains(name: str) -> None:
    service = unit(name)["Service"]
    grace = re.search(r"--grace-seconds (\d+)", service["ExecStart"])
    assert int(service["TimeoutStopSec"]) > MARGIN + (int(grace[1]) if grace else 0)
    assert service["KillMode"] == "mixed", "SIGTERM is for the first process, which drains the others"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["Restart"] == "on-failure"


@pytest.mark.parametrize("name", UNITS)
def test_both_are_hardened_alike(name: str) -> None:
    def hardening(service: configparser.SectionProxy) -> dict[str, str]:
        own = ("ExecStart", "TimeoutStopSec", "ReadWritePaths")
        return {key: value for key, value in service.items() if key not in own}

    service = unit(name)["Service"]
    assert hardening(service) == hardening(unit(UNITS[0])["Service"])
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")
    assert service["CapabilityBoundingSet"] == ""
    writable = service["ReadWritePaths"].split()
    assert set(writable) <= {"/var/lib/spolis-gateway", "/run/spolis-gateway"}


@pytest.mark.parametrize("name", UNITS)
def test_systemd_reads_it(name: str, tmp_path: Path) -> None:
    """By systemd itself where it is there; the program's place is this checkout's."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        unavailable("no systemd here; the other tests of this file parse the units")
    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert f"{PROGRAM}/.venv/bin/gateway" in text
    # What the test runs in is where the program is, whatever its place.
    program = tmp_path / "gateway"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    file = tmp_path / name.replace("@.", "@1.")
    file.write_text(text.replace(f"{PROGRAM}/.venv/bin/gateway", str(program)).replace(PROGRAM, str(ROOT)))
    done = subprocess.run(  # noqa: S603 — a program of this machine
        [analyze, "verify", "--man=no", str(file)],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if file.name in line]
    assert (done.returncode, said) == (0, [])


def test_the_example_of_settings_is_taken(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "gateway.toml", tmp_path)
    settings = config.load({"GATEWAY_CONFIG": str(tmp_path)})
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for listen in (settings.partners, settings.internal):
        assert f"server unix:{listen.socket} " in nginx
    writable = unit(UNITS[0])["Service"]["ReadWritePaths"].split()
    assert str(settings.state) in writable
    assert settings.partners.socket is not None
    assert str(settings.partners.socket.parent) in writable


def test_directories_and_account_are_those_of_the_units() -> None:
    service = unit(UNITS[0])["Service"]
    kinds, made = set(), {}
    for line in (DEPLOY / "tmpfiles.d" / "spolis-gateway.conf").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, path, mode, user, group, age = line.split()
            kinds.add((kind, age))
            made[path] = (mode, user, group)
    assert kinds == {("d", "-")}
    for path in service["ReadWritePaths"].split():
        assert made[path][1:] == (service["User"], service["Group"])
    assert made["/var/lib/spolis-gateway/keys"][0] == "0700"
    accounts = (DEPLOY / "sysusers.d" / "spolis-gateway.conf").read_text(encoding="utf-8")
    assert f"\nu {service['User']} " in accounts
    nginx = re.search(r"^user (\S+);", (DEPLOY / "nginx.conf").read_text(encoding="utf-8"), re.MULTILINE)
    assert nginx is not None
    assert f"\nm {nginx[1]} {service['Group']}" in accounts


def test_the_page_shows_the_picture_and_names_every_file() -> None:
    page = (DEPLOY / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", page)
    assert "picture.svg" in targets
    assert all((DEPLOY / target).is_file() for target in targets if not urlsplit(target).scheme)
    files = {path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*") if path.is_file()}
    assert [name for name in sorted(files - {"README.md"}) if name not in page] == []
    picture = etree.parse(DEPLOY / "picture.svg")
    assert picture.getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "deploy/README.md" in (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
