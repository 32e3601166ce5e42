"""Every file of a new system, by its path: made first, looked at, and written all or none."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from lxml import etree

from commands.scaffold import simulation, source
from commands.scaffold.keeping import Keeping
from commands.scaffold.outline import TODO, Line, Outline, constant, outline, snake
from errors import InvalidRequest
from exchange import Json
from wsdl import CHECKSUMS
from wsdl.description import Description, Node

_TEMPLATES = Path(__file__).parent / "templates"
_VERSION = re.compile(r"v\d+-\d+")
Files = dict[Path, bytes]


@dataclass(frozen=True, slots=True)
class System:
    """What is being made: name, contract and its version, the thing to keep in a table ("" none), a free port."""

    name: str
    described: Description
    thing: str
    port: int

    @property
    def version(self) -> str:
        """The version that the namespace ends in, v1-0 where it ends in none."""
        last = self.described.namespace.rstrip("/").rpartition("/")[2]
        return last if _VERSION.fullmatch(last) else "v1-0"


def files_of(system: System, rules: tuple[str, ...]) -> Files:
    """Every file by its path below the checkout; `rules` are those of the quality scale.

    Raises: InvalidRequest for a table that the first answer cannot fill.
    """
    outlined = outline(system.name, system.described)
    keeping = Keeping(system.name, system.thing, outlined)
    if system.thing and not keeping.columns:
        raise InvalidRequest("--table: the first operation's answer has no field that a column could keep")
    texts = {
        **_modules(system, outlined, keeping, rules),
        **_settings(system),
        **_cases(system, outlined),
        f"docs/systems/{system.name}.md": _page(system),
    }
    return _contract(system) | {Path(path): text.encode() for path, text in texts.items()}


def write(root: Path, files: Mapping[Path, bytes]) -> None:
    """Write all files, or none where one of them is there already.

    Raises: InvalidRequest naming what is there.
    """
    there = [str(path) for path in files if (root / path).exists()]
    if there:
        raise InvalidRequest(f"nothing is written, because these exist: {', '.join(sorted(there))}")
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def _template(template: str, /, **values: str) -> str:
    return Template((_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(values)


def _contract(system: System) -> Files:
    """The contract's own bytes: the WSDL under the system's name, schemas under theirs, and what they were."""
    described = system.described
    folder = Path("wsdl") / system.name / system.version
    found = {f"{system.name}.wsdl": described.path.read_bytes()}
    for schema in described.schemas:
        if schema.parent != described.path.parent.resolve():
            raise InvalidRequest(f"{schema.name}: put all schemas beside the WSDL")
        found[schema.name] = schema.read_bytes()
    if described.inline is not None:
        # The WSDL stays as received; messages are checked by the schema that it holds, written out beside it.
        found[f"{system.name}.xsd"] = etree.tostring(described.inline, encoding="utf-8", xml_declaration=True)
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(found.items()))
    return {folder / name: content for name, content in (found | {CHECKSUMS: "".join(sums).encode()}).items()}


def _modules(system: System, outlined: Outline, keeping: Keeping, rules: tuple[str, ...]) -> dict[str, str]:
    name, version = system.name, system.version
    lists = source.lists(name, outlined)
    found = {
        f"mappings/{name}.py": _template(
            "mapping",
            name=name,
            version=version,
            imports=source.imports(outlined),
            lists=f"\n{lists}" if lists else "",
            records=source.records(outlined),
            tables=source.tables(outlined, keeping.table).rstrip("\n"),
        ),
        f"adapters/{name}.py": _adapter(system, outlined, rules),
        f"registers/{name}.py": _template(
            "register",
            name=name,
            imports=keeping.imports(),
            declared=f"{keeping.declared()}" if system.thing else "\n",
            feeds=keeping.feeds().rstrip("\n"),
        ),
        f"simulators/{name}.py": _template(
            "simulator",
            name=name,
            version=version,
            service=name.capitalize(),
            shared=simulation.shared(system.described),
            names=simulation.names(system.described),
            models=simulation.models(system.described),
            services=simulation.services(system.described),
        ),
        **{f"mappings/code_lists/{one}.csv": "code,text_lv,text_en\n" for one in outlined.lists},
    }
    if system.thing:
        found[f"registers/migrations/{name}/{name}_0001.py"] = _migration(keeping)
    return {path: _tidy(text) for path, text in found.items()}


def _tidy(text: str) -> str:
    """At most two empty lines in a row, and one line break at the end."""
    return re.sub(r"\n{4,}", "\n\n\n", text).rstrip("\n") + "\n"


def _adapter(system: System, outlined: Outline, rules: tuple[str, ...]) -> str:
    names = [constant(one.name) for _, asked, answer in outlined.operations for one in (asked, answer)]
    imported = ", ".join(sorted([*names, "VERSION"]))
    if len(imported) > 70:
        imported = "(\n" + "".join(f"    {one},\n" for one in sorted([*names, "VERSION"])) + ")"
    operations = "".join(_operation(name, asked.lines) for name, asked, _ in outlined.operations)
    quality = "".join(f'        "{rule}": "todo",\n' for rule in rules)
    return _template("adapter", name=system.name, imported=imported, operations=operations, quality=quality)


def _operation(name: str, asked: tuple[Line, ...]) -> str:
    about = next((line.name for line in asked if line.maker == "person_code"), None)
    subject = f'            subject="{about}",\n' if about else ""
    return (
        f'        Operation(\n            "{name}",\n            request={constant(name)}_REQUEST,\n'
        f"            answer={constant(name)}_ANSWER,\n"
        f"            repeat=Repeat.NEITHER,  # {TODO}: DEDUPES where it only reads\n{subject}        ),\n"
    )


def _migration(keeping: Keeping) -> str:
    name, table = keeping.system, keeping.table
    one_per = [] if keeping.of_persons else [("one", keeping.key)]
    indexes = [
        _template("index", name=name, table=table, what=what, column=column)
        for what, column in [("current", "id"), *one_per]
    ]
    constraint = owner = ""
    if keeping.of_persons:
        constraint = (
            '        sa.ForeignKeyConstraint(\n            ["person_id"],\n'
            '            ["spolis.spolis_person.id"],\n'
            f'            name=op.f("fk_{table}_person_id_spolis_person"),\n        ),\n'
        )
        owner = (
            f'    op.create_index(\n        op.f("ix_{table}_person_id_recorded_at"),\n        "{table}",\n'
            f'        ["person_id", "recorded_at"],\n        unique=False,\n        schema="{name}",\n    )\n'
        )
    exact = (
        "\n# A decimal that SQLite keeps as text, because its numbers are floats.\n"
        '_EXACT = sa.Numeric().with_variant(sa.Text(), "sqlite")\n'
    )
    return _template(
        "migration",
        name=name,
        table=table,
        depends='"spolis_0001"' if keeping.of_persons else "None",
        exact=exact if keeping.exact else "",
        columns=keeping.migration(),
        constraint=constraint,
        indexes=owner + "".join(indexes),
    )


def _settings(system: System) -> dict[str, str]:
    operations = ", ".join(f'"{system.name}.{name}"' for name in system.described.operations)
    return {
        f"config/systems.d/{system.name}.toml": _template(
            "system",
            name=system.name,
            port=str(system.port),
            version=system.version,
            registered=system.name.upper(),
        ),
        f"config/access.d/{system.name}.toml": _template("access", name=system.name, operations=operations),
    }


def _cases(system: System, outlined: Outline) -> dict[str, str]:
    """One golden case for each operation, which fails until request, answer and record are true."""
    found: dict[str, str] = {}
    for name, asked, _ in outlined.operations:
        folder = f"tests/exchanges/{system.name}/{snake(name).replace('_', '-')}"
        arguments: dict[str, Json] = {line.name: TODO for line in asked.lines}
        answer = _example(system.described.operations[name].answer, system.described.namespace)
        found[f"{folder}/request.json"] = _json({"operation": name, "arguments": arguments})
        found[f"{folder}/answer.xml"] = answer
        found[f"{folder}/record.json"] = _json(
            {TODO: "gateway check and pytest tests/exchanges say what is wrong"}
        )
    return found


def _json(value: dict[str, Json]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _example(node: Node, namespace: str) -> str:
    """A message with every element once and no values."""

    def made(one: Node) -> etree._Element:
        element = etree.Element(f"{{{namespace}}}{one.name}", nsmap={"tns": namespace})
        element.extend([made(part) for part in one.parts])
        if not one.parts:
            element.text = TODO
        return element

    root = made(node)
    etree.indent(root)
    return str(etree.tostring(root, encoding="unicode")) + "\n"


def _page(system: System) -> str:
    rows = "".join(f"| `{name}` | {TODO} | {TODO} |\n" for name in system.described.operations)
    return _template(
        "page",
        name=system.name,
        version=system.version,
        namespace=system.described.namespace,
        rows=rows,
    )
