"""The published contracts: what they promise, that they have not changed, and that errors tell no values."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest
import zeep
from lxml import etree

import adapters
import wsdl
from errors import ConfigurationError, SchemaViolation
from mappings import regulation, services
from security.xml import parse
from wsdl import Contract, contract, contracts

ALL = {found.system: found for found in contracts()}
XS = "{http://www.w3.org/2001/XMLSchema}"
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
ADDRESSING = "{http://www.w3.org/2006/05/addressing/wsdl}"
EXTERNAL = set(adapters.discover())
OURS = {f"spolis/{name}" for name in services.discover()}


class LocalOnly(zeep.Transport):
    """Loads files of the contracts' folder and nothing else."""

    def load(self, url: str) -> bytes:
        path = Path(url).resolve()
        assert path.is_relative_to(wsdl.ROOT)
        return path.read_bytes()


def context(namespace: str, code: str, prefix: str = "") -> str:
    return (
        f'<GetPerson xmlns="{namespace}"><Konteksts><Merkis>m</Merkis><Tiesibas>p8</Tiesibas><Darbinieks>'
        "<Identifikators>u</Identifikators><Iestade>i</Iestade><Loma>l</Loma></Darbinieks>"
        "<PieprasijumaId>00000000-0000-0000-0000-000000000001</PieprasijumaId><Vide>test</Vide></Konteksts>"
        f"<PersonasKods>{prefix}{code}</PersonasKods></GetPerson>"
    )


def test_the_contracts_of_all_systems_and_services_are_there() -> None:
    assert set(ALL) == EXTERNAL | OURS
    assert ALL["pmlp"].namespace == "http://ivis.eps.gov.lv/XMLSchemas/100010/Pmlp/v1-0"
    assert ALL["spolis/persons"].namespace == "urn:spolis:gateway:persons:v1-0"
    assert all(set(ALL[name].ports) == {"1.1", "1.2"} for name in OURS)


@pytest.mark.parametrize("system", ALL)
def test_zeep_loads_every_contract_and_finds_its_operations_and_faults(system: str) -> None:
    found = ALL[system]
    client = zeep.Client(str(found.wsdl), transport=LocalOnly())  # type: ignore[no-untyped-call] # — zeep's own
    (service,) = client.wsdl.services.values()
    assert service.name == found.service
    assert set(service.ports) == set(found.ports.values())
    for port in service.ports.values():
        operations = port.binding._operations
        assert {name: one.soapaction for name, one in operations.items()} == dict(found.actions)
        for operation in operations.values():
            assert operation.input.body.type.elements[0][0] == "Konteksts"
            assert set(operation.faults) == {"Kluda"}


@pytest.mark.parametrize("system", ALL)
def test_the_form_of_a_contract(system: str) -> None:
    found = ALL[system]
    root = parse(found.wsdl.read_bytes())
    assert not [
        element for element in root.iter() if any(name.startswith(ADDRESSING) for name in element.attrib)
    ]
    for operation, action in found.actions.items():
        assert action == f"{found.namespace}/{operation}"
    schema = parse(found.xsd.read_bytes())
    assert schema.get("elementFormDefault") == "qualified"
    assert schema.get("targetNamespace") == found.namespace
    assert all(kind.get("name").endswith("Structure") for kind in schema.iter(f"{XS}complexType"))
    assert all(kind.get("name").endswith("Type") for kind in schema.iter(f"{XS}simpleType"))
    for element in schema.iter(f"{XS}element"):
        assert re.fullmatch(r"[A-Za-z]+", element.get("name")), element.get("name")
        languages = {
            text.get("{http://www.w3.org/XML/1998/namespace}lang")
            for text in element.iter(f"{XS}documentation")
        }
        assert languages == {"lv", "en"}
    for kind in schema.iter(f"{XS}simpleType"):
        assert len(kind.find(f"{XS}restriction")), f"{kind.get('name')} restricts nothing"


@pytest.mark.parametrize("system", ALL)
def test_every_field_names_a_rule_of_the_regulation(system: str) -> None:
    own = {"Kods", "Nosaukums", "Apraksts"}  # the parts of a code and of a fault
    for element in parse(ALL[system].xsd.read_bytes()).iterfind(f".//{XS}sequence//{XS}element"):
        rule = re.search(r"\[(p[^\]]+)\]$", element.findtext(f".//{XS}documentation"))
        assert rule or element.get("name") in own, element.get("name")
        assert rule is None or rule[1] in regulation.rules()


def test_the_fault_of_our_services() -> None:
    fault = (
        '<Kluda xmlns="urn:spolis:gateway:fault:v1-0"><Kods>access_denied</Kods>'
        "<ApmainasId>00000000-0000-7000-8000-000000000001</ApmainasId>"
        "<AtkartotVar>false</AtkartotVar><AtkartotPec>30</AtkartotPec></Kluda>"
    )
    contract("spolis/persons").validate(parse(fault.encode()))
    with pytest.raises(SchemaViolation, match=r"/Kluda/Kods: cvc-pattern-valid\)"):
        contract("spolis/persons").validate(parse(fault.replace("access_denied", "Slepens").encode()))


def test_the_fault_of_external_systems() -> None:
    for system in EXTERNAL:
        fault = (
            f'<Kluda xmlns="{ALL[system].namespace}"><Kods>NAV_ATRASTS</Kods><Apraksts>a</Apraksts></Kluda>'
        )
        ALL[system].validate(parse(fault.encode()))


@pytest.mark.parametrize("prefix", ["", "p:"])
def test_a_violation_tells_path_and_rule_and_no_value(prefix: str) -> None:
    found = contract("spolis/persons")
    message = context(found.namespace, "SLEPENS")
    if prefix:
        message = re.sub(r"<(/?)(?=[A-Z])", r"<\1p:", message).replace("xmlns=", "xmlns:p=")
    with pytest.raises(SchemaViolation) as caught:
        found.validate(parse(message.encode()))
    assert caught.value.detail == "/GetPerson/PersonasKods: cvc-pattern-valid"
    envelope = parse(f"<Envelope><Body>{message}</Body></Envelope>".encode())
    with pytest.raises(SchemaViolation, match=r"\(/GetPerson/PersonasKods: cvc-pattern-valid\)"):
        found.validate(envelope[0][0])


def test_threads_never_see_the_errors_of_others() -> None:
    found = contract("spolis/persons")
    places = {
        "PersonasKods": context(found.namespace, "1"),
        "Konteksts/Merkis": context(found.namespace, "32123412345").replace("<Merkis>m", "<Merkis>"),
        "Konteksts/Vide": context(found.namespace, "32123412345").replace("test<", "other<"),
        "": context(found.namespace, "32123412345"),
    }
    wrong: list[str] = []
    schemas: set[int] = set()
    start = threading.Barrier(len(places) * 2)

    def check(place: str, message: str) -> None:
        start.wait()
        schemas.add(id(found.schema()))
        element = parse(message.encode())
        for _ in range(150):
            detail = ""
            try:
                found.validate(element)
            except SchemaViolation as error:
                detail = error.detail.partition(":")[0]
            if detail != (f"/GetPerson/{place}" if place else ""):
                wrong.append(f"{place}: {detail}")
        start.wait()

    threads = [threading.Thread(target=check, args=pair) for pair in places.items() for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(schemas) == len(threads)


def test_nothing_has_changed_since_it_was_published() -> None:
    assert wsdl.changed_files() == ()


def test_a_changed_missing_or_added_file_is_named(tmp_path: Path) -> None:
    for system in ("pmlp", "sais", "vzd"):
        shutil.copytree(wsdl.ROOT / system, tmp_path / system)
    assert wsdl.changed_files(tmp_path) == ()
    xsd = tmp_path / "pmlp/v1-0/pmlp.xsd"
    xsd.write_bytes(xsd.read_bytes().replace(b'value="100"', b'value="101"'))
    (tmp_path / "pmlp/v1-0/extra.xsd").write_text("<x/>")
    (tmp_path / "sais/v1-0/sais.wsdl").unlink()
    (tmp_path / "vzd/v1-0" / wsdl.CHECKSUMS).unlink()
    assert wsdl.changed_files(tmp_path) == (
        "pmlp/v1-0/extra.xsd: not listed",
        "pmlp/v1-0/pmlp.xsd: changed",
        "sais/v1-0/sais.wsdl: missing",
        "vzd/v1-0/SHA256SUMS: missing",
    )


@pytest.mark.parametrize("name", ["nowhere", "../config", "spolis/fault", "", "/etc"])
def test_a_contract_that_is_not_there(name: str) -> None:
    with pytest.raises(ConfigurationError):
        contract(name)


@pytest.mark.parametrize("location", ["/etc/hostname", "http://127.0.0.1:1/x.xsd", "../../../config/x.xsd"])
def test_a_schema_never_leads_out_of_the_folder(location: str, tmp_path: Path) -> None:
    path = tmp_path / "own.xsd"
    path.write_text(
        f'<xs:schema xmlns:xs="{XS[1:-1]}"><xs:import namespace="urn:x" schemaLocation="{location}"/>'
        '<xs:element name="a" xmlns:x="urn:x" type="x:T"/></xs:schema>'
    )
    found = Contract("own", "v1-0", path, path, "urn:own", "Own", {"1.1": "Own"}, {})
    with pytest.raises(ConfigurationError):
        found.validate(etree.Element("a"))
