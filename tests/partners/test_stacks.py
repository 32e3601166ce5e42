"""Five foreign SOAP stacks run the recipes of docs/partners against a live gateway, over TLS with client certificates.

zeep, node, PHP and gSOAP begin with the contract that the gateway serves at ?wsdl.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.instances import unavailable
from tests.partners.conftest import Forge, Site
from tests.partners.forging import FORGED, FORGERIES, Forgery

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "partners"
EXAMPLES = PAGES / "examples"
# Where `.ci/run` puts the packages of EXAMPLES/package.json.
MODULES = ROOT / "build" / "partners" / "node_modules"

ABSENT = "320000-00000"
ENVIRON = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
FAULT = {"1.1": "Client", "1.2": "Sender"}
EXCHANGE = re.compile(r"ApmainasId\W+([0-9a-f-]{36})")


@dataclass(frozen=True)
class Stack:
    """A recipe, made ready to run: the command, and the option that tells it where the service is."""

    name: str
    command: list[str]
    option: str = "--wsdl"
    elliptic: tuple[str, ...] | None = ()

    def run(
        self, site: Site, *codes: str, signer: str = "partner", address: str = "", more: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Ask about persons, signed by one name; in TLS it is always the partner."""
        where = address or site.address
        files = {
            "--key": f"{signer}.key",
            "--certificate": f"{signer}.pem",
            "--gateway": "gateway.pem",
            "--authority": "authority.pem",
            "--tls-key": "partner.key",
            "--tls-certificate": "partner.pem",
        }
        return _ran(
            *self.command,
            self.option,
            f"{where}?wsdl" if self.option == "--wsdl" else where,
            *(part for name, file in files.items() for part in (name, str(site.keys / file))),
            *more,
            *codes,
        )


def _ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 — our own scripts and this machine's compilers
        command, capture_output=True, text=True, timeout=120, check=False, env=ENVIRON
    )


def _made(*command: str) -> None:
    ran = _ran(*command)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _needed(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            unavailable(f"{program} is not installed")


def zeep(_site: Site, _folder: Path) -> Stack:
    script = str(EXAMPLES / "partner_zeep.py")
    return Stack("zeep", [sys.executable, script], elliptic=("--key-type", "ec"))


def node(_site: Site, folder: Path) -> Stack:
    _needed("node")
    if not MODULES.is_dir():
        unavailable("the packages of docs/partners/examples/package.json are not in build/partners")
    shutil.copy(EXAMPLES / "partner_node.mjs", folder)
    (folder / "node_modules").symlink_to(MODULES)
    return Stack("node", ["node", "--no-deprecation", str(folder / "partner_node.mjs")])


def php(_site: Site, _folder: Path) -> Stack:
    _needed("php", "xmlsec1")
    if not {"soap", "dom", "openssl"} <= set(_ran("php", "-m").stdout.lower().split()):
        unavailable("PHP has not the extensions soap, dom and openssl")
    return Stack("php", ["php", str(EXAMPLES / "partner_php.php")])


def gsoap(site: Site, folder: Path) -> Stack:
    _needed("wsdl2h", "soapcpp2", "cc", "curl", "pkg-config")
    keys = site.keys
    tls = [str(keys / name) for name in ("partner.pem", "partner.key", "authority.pem")]
    _made(str(EXAMPLES / "build_gsoap.sh"), site.address, *tls, str(folder))
    return Stack("gsoap", [str(folder / "partner_gsoap")], "--url", elliptic=None)


def java(_site: Site, folder: Path) -> Stack:
    _needed("java", "javac")
    _made("javac", "-d", str(folder), str(EXAMPLES / "PartnerJava.java"))
    # The little compiler alone: a process that lives for a second has no use for the other one.
    return Stack("java", ["java", "-XX:TieredStopAtLevel=1", "-cp", str(folder), "PartnerJava"], "--url")


STACKS: dict[str, Callable[[Site, Path], Stack]] = {
    "zeep": zeep,
    "node": node,
    "php": php,
    "gsoap": gsoap,
    "java": java,
}


@pytest.fixture(scope="module", params=STACKS)
def stack(request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack, compiled once where it is one that compiles."""
    return STACKS[request.param](site, tmp_path_factory.mktemp(request.param))


def dashed(code: str) -> str:
    """As the gateway writes a code: partners here ask without the dash, so one with it comes from an answer."""
    return f"{code[:6]}-{code[6:]}"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_an_answer_and_a_fault(site: Site, stack: Stack, version: str) -> None:
    first, second = site.persons[:2]
    ran = stack.run(site, first, ABSENT, second, more=("--soap", version))
    assert ran.returncode == 1, ran.stderr
    assert [code for code in (first, second) if dashed(code) in ran.stdout] == [first, second], ran.stderr
    assert len(EXCHANGE.findall(ran.stdout)) == 2
    assert "Uzvards" in ran.stdout
    (line,) = ran.stderr.splitlines()
    assert re.match(rf"[A-Za-z-]+:{FAULT[version]}: not_found: Nothing is held under that key", line)


def test_an_elliptic_key_signs_too(site: Site, stack: Stack) -> None:
    if stack.elliptic is None:
        # gSOAP says so itself, instead of sending what nobody can verify.
        ran = stack.run(site, site.persons[0], signer="elliptic")
        assert (ran.returncode, ran.stderr) == (2, "no RSA key in PEM\n")
        return
    ran = stack.run(site, site.persons[0], signer="elliptic", more=stack.elliptic)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert dashed(site.persons[0]) in ran.stdout


@pytest.mark.parametrize(
    ("signer", "code"), [("stranger", "unknown_partner"), ("expired", "expired_certificate")]
)
def test_who_is_not_registered_or_out_of_date_hears_why(
    site: Site, stack: Stack, signer: str, code: str
) -> None:
    ran = stack.run(site, site.persons[0], signer=signer)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f":Client: {code}: The certificate " in ran.stderr


def test_no_forged_answer_is_believed(site: Site, stack: Stack) -> None:
    def forged(how: Forgery) -> Forge:
        return lambda answer: how(answer, site.stranger)

    def exchanged(_answer: bytes) -> bytes:
        return site.between.answers[0]

    # The first answer is passed on as it is: a stack that refuses everything proves nothing.
    site.between.answers.clear()
    site.between.forges[:] = [lambda answer: answer, *map(forged, FORGERIES.values()), exchanged]
    codes = site.persons[: len(site.between.forges)]
    assert len(codes) == len(FORGERIES) + 2
    ran = stack.run(site, *codes, address=site.between.address)
    assert ran.returncode == 1, ran.stderr
    assert site.between.forges == []
    assert [code for code in codes if dashed(code) in ran.stdout] == codes[:1], ran.stdout
    assert FORGED not in ran.stdout + ran.stderr
    refused = ran.stderr.splitlines()
    assert all(line.startswith("the answer is refused: ") for line in refused), ran.stderr
    assert len(refused) == len(codes) - 1, ran.stderr


def test_an_answer_that_is_lost_is_asked_for_again_and_is_the_same(site: Site, stack: Stack) -> None:
    site.between.answers.clear()
    site.between.forges[:] = [lambda _answer: None]
    ran = stack.run(site, site.persons[0], address=site.between.address)
    assert (ran.returncode, ran.stderr) == (0, "")
    heard = [
        EXCHANGE.findall(re.sub(r"</?[a-z0-9]+:", "<", answer.decode())) for answer in site.between.answers
    ]
    assert len(heard) == 2
    assert heard[0] == heard[1] == EXCHANGE.findall(ran.stdout)
    # Signed again, so the bytes are others.
    assert site.between.answers[0] != site.between.answers[1]


@pytest.mark.parametrize("name", STACKS)
def test_every_stack_has_its_page(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    overview = (PAGES / "README.md").read_text(encoding="utf-8")
    assert f"({name}.md)" in overview
    named = re.findall(r"\((examples/[A-Za-z_.]+)\)", page)
    assert named
    assert [file for file in named if not (PAGES / file).exists()] == []


def test_the_node_packages_are_named_by_version_and_no_address() -> None:
    wanted = json.loads((EXAMPLES / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = (EXAMPLES / "package-lock.json").read_text(encoding="utf-8")
    assert [sign for sign in ("://", "resolved") if sign in lock] == []
    packages = json.loads(lock)["packages"]
    page = (PAGES / "node.md").read_text(encoding="utf-8")
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
        assert f"`{name}` {version}" in page
    assert all("integrity" in package for name, package in packages.items() if name)
