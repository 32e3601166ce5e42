"""The contracts: one folder per system and version with its WSDL and XSD, external ones as received, ours in `spolis/`.

A published file never changes: `SHA256SUMS` beside it says what it was, `changed_files` says what it no longer is.
Nothing here touches the network; a reference that leads out of this folder is refused.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import etree

from errors import ConfigurationError, InvalidRequest, SchemaViolation
from security.xml import Element, parse, serialise

ROOT = Path(__file__).parent.resolve()
CHECKSUMS = "SHA256SUMS"
# Contracts of what our messages travel in: they have no operations of a system and no fields of the regulation.
TRANSPORTS = frozenset({"viss"})

_WSDL = "http://schemas.xmlsoap.org/wsdl/"
_XS = "http://www.w3.org/2001/XMLSchema"
_SOAP_VERSIONS = {
    "http://schemas.xmlsoap.org/wsdl/soap/": "1.1",
    "http://schemas.xmlsoap.org/wsdl/soap12/": "1.2",
}
_NAME_LIMIT = 64
_STEP = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<position>\d+)\])?")

# libxml2 makes its built-in types when it compiles the first schema of a process, and does not lock: threads that
# begin together would leave types broken for as long as the process lives, and every message would be refused. So the
# first one is compiled by whoever imports this, alone.
etree.XMLSchema(etree.XML(f'<schema xmlns="{_XS}"><element name="first" type="date"/></schema>'))

# libxml2 keeps one error log per compiled schema: shared, a thread would read messages, and values, of another.
_compiled = threading.local()


@dataclass(frozen=True, slots=True)
class Contract:
    """A published contract: `system` is its folder below `wsdl/` (`pmlp`, `spolis/persons`).

    `ports` and `actions` are by SOAP version (`1.1`, `1.2`) and by operation.
    """

    system: str
    version: str
    wsdl: Path
    xsd: Path
    namespace: str
    service: str
    ports: Mapping[str, str]
    actions: Mapping[str, str]

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of the operations, in the order of the WSDL."""
        return tuple(self.actions)

    @property
    def port(self) -> str:
        """The port that speaks SOAP 1.1, where there is one: every system and every service of ours has it."""
        return self.ports.get("1.1") or self.ports["1.2"]

    def schema(self) -> etree.XMLSchema:
        """The compiled schema of this thread."""
        schemas: dict[Path, etree.XMLSchema] = _compiled.__dict__.setdefault("schemas", {})
        found = schemas.get(self.xsd)
        if found is None:
            found = schemas[self.xsd] = compiled(self.xsd)
        return found

    def validate(self, element: Element) -> None:
        """Check an element, root or not, by the schema.

        Raises: SchemaViolation with the path of local names and the broken rule of XML Schema, never a value.
        """
        schema = self.schema()
        if not schema.validate(element):
            entry = schema.error_log[0]
            rule = entry.type_name.removeprefix("SCHEMAV_").replace("_", "-").lower()
            raise SchemaViolation(f"{_path(element, entry.path)}: {rule}")


@cache
def contract(name: str, version: str = "v1-0") -> Contract:
    """The contract of a system or, as `spolis/<service>`, of a service of ours.

    Raises: ConfigurationError naming the folder when there is none or its WSDL cannot be read.
    """
    folder = (ROOT / name / version).resolve()
    path = folder / f"{folder.parent.name}.wsdl"
    if not path.is_relative_to(ROOT) or not path.is_file():
        raise ConfigurationError(f"no contract in wsdl/{name}/{version}")
    try:
        return _read(name, version, path)
    except (InvalidRequest, KeyError, ValueError) as error:
        raise ConfigurationError(f"wsdl/{name}/{version}/{path.name} is not a WSDL of ours") from error


def contracts() -> Iterator[Contract]:
    """Every contract of a system and of a service of ours, sorted by folder; `TRANSPORTS` are none of them."""
    for path in sorted(ROOT.glob("**/*.wsdl")):
        folder = path.parent
        name = folder.parent.relative_to(ROOT).as_posix()
        if name not in TRANSPORTS:
            yield contract(name, folder.name)


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file of a contract: version, name, the SHA-256 that was published ("" for none), and what is wrong with it.

    `wrong` is "" for a file that is as published, else changed, missing or not listed.
    """

    version: str
    name: str
    sha256: str
    wrong: str


def published_files(name: str, root: Path = ROOT) -> tuple[PublishedFile, ...]:
    """The files of every version of a contract, by version and name."""
    folders = sorted(path for path in (root / name).glob("*") if path.is_dir())
    return tuple(
        PublishedFile(folder.name, file, sha256, wrong)
        for folder in folders
        for file, sha256, wrong in _compared(folder)
    )


def changed_files(root: Path = ROOT) -> tuple[str, ...]:
    """What no longer is as published, one line a file: `pmlp/v1-0/pmlp.xsd: changed`, `… missing`, `… not listed`."""
    found: list[str] = []
    folders = sorted({path.parent for pattern in ("**/*.xsd", "**/*.wsdl") for path in root.glob(pattern)})
    listed_in = {path.parent for path in root.glob(f"**/{CHECKSUMS}")}
    for folder in sorted({*folders, *listed_in}):
        name = folder.relative_to(root).as_posix()
        if folder not in listed_in:
            found.append(f"{name}/{CHECKSUMS}: missing")
            continue
        found += [f"{name}/{file}: {wrong}" for file, _sha256, wrong in _compared(folder) if wrong]
    return tuple(found)


def _compared(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Each file of a folder with the digest that was published, and what is wrong with it."""
    sums = folder / CHECKSUMS
    listed = _listed(sums) if sums.is_file() else {}
    present = {path.name: path for path in sorted(folder.iterdir()) if path.name != CHECKSUMS}
    for file in sorted({*listed, *present}):
        sha256 = listed.get(file, "")
        if file not in present:
            yield file, sha256, "missing"
        elif not sha256:
            yield file, sha256, "not listed"
        elif hashlib.sha256(present[file].read_bytes()).hexdigest() != sha256:
            yield file, sha256, "changed"
        else:
            yield file, sha256, ""


def checksums(folder: Path) -> str:
    """The text of `SHA256SUMS` for the files of a contract folder, in the form that `sha256sum -c` reads."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != CHECKSUMS)
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def _listed(path: Path) -> dict[str, str]:
    pairs = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
    return {pair[1].lstrip("*"): pair[0] for pair in pairs if len(pair) == 2}


def _read(name: str, version: str, path: Path) -> Contract:
    root = parse(path.read_bytes())
    service = root.find(f"{{{_WSDL}}}service")
    if service is None:
        raise ValueError("no service")
    ports: dict[str, str] = {}
    for port in service.iterfind(f"{{{_WSDL}}}port"):
        for child in port:
            soap_version = _SOAP_VERSIONS.get(etree.QName(child).namespace or "")
            if soap_version:
                ports[soap_version] = port.attrib["name"]
    actions: dict[str, str] = {}
    for operation in root.iterfind(f"{{{_WSDL}}}binding/{{{_WSDL}}}operation"):
        for child in operation:
            if etree.QName(child).localname == "operation":
                actions[operation.attrib["name"]] = child.attrib["soapAction"]
    if not ports:
        raise ValueError("no port for SOAP")
    return Contract(
        system=name,
        version=version,
        wsdl=path,
        xsd=_schema_of(root, path),
        namespace=root.attrib["targetNamespace"],
        service=service.attrib["name"],
        ports=ports,
        actions=actions,
    )


def _schema_of(root: Element, path: Path) -> Path:
    """The schema of the contract's namespace: under the name that the WSDL refers to, else beside it as its own."""
    for reference in root.iterfind(f"{{{_WSDL}}}types/{{{_XS}}}schema/{{{_XS}}}import"):
        location = reference.get("schemaLocation")
        if location and reference.get("namespace") == root.attrib["targetNamespace"]:
            return path.parent / Path(unquote(location)).name
    return path.with_suffix(".xsd")


class _OwnFilesOnly(etree.Resolver):  # type: ignore[misc] # — lxml publishes no types
    """Loads what a schema refers to from one folder; any other reference is refused."""

    def __init__(self, within: Path) -> None:
        super().__init__()
        self._within = within

    def resolve(self, url: str | None, public_id: str | None, context: object) -> object:
        parts = urlsplit(url or "")
        path = Path(unquote(parts.path)).resolve()
        if parts.scheme not in ("", "file") or not path.is_relative_to(self._within) or not path.is_file():
            raise ConfigurationError(f"a schema refers to a file outside its folder: {path.name}")
        return self.resolve_string(_hardened(path), context, base_url=str(path))


def _hardened(path: Path) -> bytes:
    """A file as the door for XML lets it in. Raises: InvalidRequest."""
    return serialise(parse(path.read_bytes()))


def compiled(path: Path, *, within: Path = ROOT, inline: Element | None = None) -> etree.XMLSchema:
    """Compile the schema of a file, or one that stands inline in it; what it refers to must lie in the folder `within`.

    Raises: ConfigurationError naming the file and what is wrong in it.
    """
    # Not the parser of the door: it must know where the file lies, and ask us for what the schema refers to.
    parser = etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False)
    parser.resolvers.add(_OwnFilesOnly(within.resolve()))
    try:
        text = _hardened(path) if inline is None else serialise(inline)
        return etree.XMLSchema(etree.fromstring(text, parser, base_url=str(path)))
    except (OSError, InvalidRequest, etree.LxmlError) as error:
        raise ConfigurationError(f"{'/'.join(path.parts[-3:])} cannot be compiled: {error}") from error


def _path(element: Element, found: str | None) -> str:
    """Local names down to the element in which an error was found.

    libxml2 writes `/*/*[3]` where the namespace is a default one, and `/p:A/p:B[2]` where it has a prefix.
    """
    names, here = [_name(element)], element
    for step in (found or "").split("/")[2:]:
        match = _STEP.fullmatch(step)
        if match is None:
            break
        name, position = match["name"].rpartition(":")[2], int(match["position"] or 1)
        alike = [child for child in here.iterchildren("*") if name == "*" or _name(child, limit=None) == name]
        if len(alike) < position:
            break
        here = alike[position - 1]
        names.append(_name(here))
    return "/" + "/".join(names)


def _name(element: Element, limit: int | None = _NAME_LIMIT) -> str:
    return str(etree.QName(element).localname)[:limit]
