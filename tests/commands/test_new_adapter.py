"""`gateway new-adapter` in a copy of this tree: red until it is finished, green then, and nothing shared is touched."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import config
from tests.commands.conftest import Home
from tests.wsdl.schemas import KLUDA, schema, write, wsdl
from wsdl.description import Node, Simple

pytestmark = pytest.mark.long

ROOT = config.CHECKOUT
CONTRACT = ROOT / "wsdl/iemic/v1-0/iemic.wsdl"
# What a person finished by hand: docs/adding-a-system.md goes through it.
FINISHED = (
    "adapters/iemic.py",
    "config/access.d/iemic.toml",
    "config/systems.d/iemic.toml",
    "docs/systems/iemic.md",
    "mappings/code_lists/document_status.csv",
    "mappings/iemic.py",
    "registers/iemic.py",
    "registers/migrations/iemic",
    "simulators/iemic.py",
    "tests/exchanges/iemic",
    "wsdl/iemic",
)
_LEFT_OUT = (
    ".git", ".venv", "var", "build", "*.egg-info", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache",
    ".hypothesis", "node_modules",
)  # fmt: skip


class Tree:
    """A copy of the checkout without the sixth system, and what is run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        for path in FINISHED:
            remove(root / path)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        return subprocess.run(  # noqa: S603 — our own interpreter
            (sys.executable, *arguments),
            cwd=self.root,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def gateway(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("-c", "from gateway import main; main()", *arguments)

    def tests(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)

    def hashes(self) -> dict[str, str]:
        return {
            path.relative_to(self.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and not {"__pycache__", "var", ".ruff_cache"} & set(path.parts)
        }

    def finish(self, path: str) -> None:
        """Put what a person made of it in place of what was generated."""
        remove(self.root / path)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, self.root / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / path, self.root / path)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree")


def test_a_new_system_is_red_until_finished_and_edits_nothing_shared(tree: Tree) -> None:
    before = tree.hashes()
    made = tree.gateway("new-adapter", "iemic", "--wsdl", str(CONTRACT), "--table", "document", "--json")
    assert made.returncode == 0, made.stderr
    after = tree.hashes()
    assert {name: after[name] for name in before} == before
    files = set(json.loads(made.stdout)["files"])
    assert after.keys() - before.keys() == files
    assert all("iemic" in name for name in files)
    assert {"adapters/iemic.py", "registers/migrations/iemic/iemic_0001.py", "docs/systems/iemic.md"} <= files
    for name in ("iemic.wsdl", "iemic.xsd", "SHA256SUMS"):
        path = f"wsdl/iemic/v1-0/{name}"
        assert (tree.root / path).read_bytes() == (ROOT / path).read_bytes()
    assert (
        tree.python("-m", "ruff", "check", *sorted(name for name in files if name.endswith(".py"))).returncode
        == 0
    )

    # Everybody is denied, the tables and their migration agree, and the rest is red.
    granted = tree.gateway("access", "check", "spolis-core", "iemic.CheckDocument", "--json")
    assert granted.returncode != 0 or json.loads(granted.stdout).get("grants", []) == []
    assert tree.tests("tests/registers/test_migrations.py", "-k", "sqlite").returncode == 0
    golden = tree.tests("tests/exchanges", "-k", "iemic")
    assert golden.returncode == 1
    # The one case, directly and by way of the state integrator, and that there is no case of a fault.
    assert golden.stdout.count("\nFAILED ") == 3, golden.stdout
    checked = tree.gateway("check")
    assert checked.returncode == 1
    for said in (
        "iemic: rules: CheckDocument: statuss names 'TODO', which is no rule",
        "iemic: operations: CheckDocument: the code list iemic_statuss has no codes",
        "iemic: golden-cases: CheckDocument has no golden case of a fault",
        "iemic: finished: mappings/iemic.py:",
    ):
        assert said in checked.stderr, said
    assert all(line.startswith(("iemic: ", "gateway: register iemic-document: ")) for line in
               checked.stderr.splitlines())  # fmt: skip

    again = tree.gateway("new-adapter", "iemic", "--wsdl", str(CONTRACT))
    assert (again.returncode, "nothing is written" in again.stderr) == (2, True)
    assert tree.hashes() == after

    for path in FINISHED:
        tree.finish(path)
    for name in ("iemic_veids", "iemic_statuss"):
        remove(tree.root / f"mappings/code_lists/{name}.csv")
    golden = tree.tests("tests/exchanges", "-k", "iemic")
    assert golden.returncode == 0, golden.stdout
    checked = tree.gateway("check")
    assert checked.returncode == 0, checked.stderr
    assert {name: value for name, value in tree.hashes().items() if name in before} == before


LOOK = """
import adapters, registers, wsdl
from simulators.discovery import discover
for name in {names!r}:
    adapter = adapters.discover()[name]
    contract = wsdl.contract(name, adapter.version)
    assert {{one.name for one in adapter.operations}} == set(contract.operations)
    for operation in adapter.operations:
        for table in (operation.request, operation.answer):
            assert table.problems(contract) == [], (name, table.problems(contract))
        assert operation.answer.record_type in registers.FEEDS
    assert discover()[name].version == adapter.version
    contract.schema()
"""


def test_every_contract_that_we_know_gives_modules_that_agree_with_it(tree: Tree) -> None:
    names = []
    for number, system in enumerate(("pmlp", "vdeavk", "sais", "npais", "vzd")):
        newest = sorted((ROOT / "wsdl" / system).iterdir())[-1]
        names.append(f"new{system}")
        keep = ("--table", "thing") if number % 2 else ()
        made = tree.gateway("new-adapter", names[-1], "--wsdl", str(newest / f"{system}.wsdl"), *keep)
        assert made.returncode == 0, made.stderr
    looked = tree.python("-c", LOOK.format(names=names))
    assert looked.returncode == 0, looked.stderr
    sources = [
        str(path.relative_to(tree.root))
        for path in tree.root.rglob("*new*.py")
        if "templates" not in str(path)
    ]
    linted = tree.python("-m", "ruff", "check", *sources)
    assert linted.returncode == 0, linted.stdout
    migrated = tree.tests("tests/registers/test_migrations.py", "-k", "sqlite")
    assert migrated.returncode == 0, migrated.stdout


def test_a_schema_inside_the_wsdl_is_written_out_beside_it(tree: Tree, tmp_path: Path) -> None:
    text, amount = Simple("", "string"), Simple("", "decimal", facets=(("fractionDigits", "2"),))
    asked = Node("Ask", parts=(Node("Kods", simple=Simple("", "string", words=("EKS", "DEL"))),))
    told = Node(
        "AskResponse",
        parts=(Node("Summa", simple=amount), Node("Rindas", parts=(Node("Rinda", 0, None, simple=text),))),
    )
    received = write(tmp_path / "received", "", wsdl(types=schema(asked, told, KLUDA)))
    made = tree.gateway("new-adapter", "paraugs", "--wsdl", str(received), "--table", "sum")
    assert made.returncode == 0, made.stderr
    folder = tree.root / "wsdl/paraugs/v1-0"
    assert (folder / "paraugs.wsdl").read_bytes() == received.read_bytes()
    assert (folder / "paraugs.xsd").is_file()
    looked = tree.python("-c", LOOK.format(names=["paraugs"]))
    assert looked.returncode == 0, looked.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pmlp", "adapters/pmlp.py exists; nothing is written"),
        ("iem_ic", "2 to 20 small letters and digits"),
        ("iem-ic", "2 to 20 small letters and digits"),
        ("Iemic", "2 to 20 small letters and digits"),
        ("class", "2 to 20 small letters and digits"),
        ("registers", "the name of something else here"),
        ("persons", "the name of something else here"),
        ("routing", "the name of something else here"),
        ("json", "the name of something else here"),
    ],
)
def test_a_name_that_cannot_be_everywhere_is_refused(home: Home, name: str, said: str) -> None:
    result = home.run("new-adapter", name, "--wsdl", str(CONTRACT))
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize(
    ("described", "text", "said"),
    [
        (wsdl(style="rpc"), schema(Node("Ask"), Node("AskResponse"), KLUDA), "is not document/literal"),
        (f"<!DOCTYPE a>{wsdl()}", schema(Node("Ask"), Node("AskResponse"), KLUDA), "paraugs.wsdl: "),
        (wsdl(), "<a", "paraugs.xsd: "),
        (
            wsdl(),
            schema(Node("Ask"), Node("AskResponse"), KLUDA).replace(
                "</xs:schema>", '<xs:element name="A" type="xs:nothing"/></xs:schema>'
            ),
            "paraugs.xsd cannot be compiled",
        ),
    ],
)
def test_a_contract_that_cannot_be_taken_in_is_refused_and_nothing_written(
    home: Home, tmp_path: Path, described: str, text: str, said: str
) -> None:
    path = write(tmp_path / "received", text, described)
    result = home.run("new-adapter", "paraugs", "--wsdl", str(path))
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (ROOT / "adapters/paraugs.py").exists()


def test_a_table_needs_a_name_and_something_to_keep(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "received", schema(Node("Ask"), Node("AskResponse"), KLUDA))
    for thing, said in (("A-b", "--table is a name"), ("thing", "no field that a column could keep")):
        result = home.run("new-adapter", "paraugs", "--wsdl", str(path), "--table", thing)
        assert (result.exit_code, said in result.stderr) == (2, True)
    assert not (ROOT / "adapters/paraugs.py").exists()
