"""Contracts are loaded from our own folder: whatever a file in it says, nothing else is read and nobody is called."""

from __future__ import annotations

from pathlib import Path

import pytest
import zeep

import wsdl
from errors import ConfigurationError, GatewayError
from tests.calls import Calls
from wsdl import ROOT, _read, compiled

XS = "http://www.w3.org/2001/XMLSchema"
XI = "http://www.w3.org/2001/XInclude"
# A document type, or a WSDL without a service: `contract` tells either as a ConfigurationError.
REFUSED = (GatewayError, ValueError)


def schema(inside: str, before: str = "") -> str:
    return (
        f'{before}<xs:schema xmlns:xs="{XS}" xmlns:xi="{XI}" targetNamespace="urn:t" xmlns="urn:t">'
        f'{inside}<xs:element name="a" type="xs:string"/></xs:schema>'
    )


OUTSIDE = {
    "import by HTTP": ('<xs:import namespace="urn:o" schemaLocation="URL/o.xsd"/>', ""),
    "include by HTTP": ('<xs:include schemaLocation="URL/o.xsd"/>', ""),
    "redefine by HTTP": ('<xs:redefine schemaLocation="URL/o.xsd"/>', ""),
    "by FTP": ('<xs:include schemaLocation="ftp://127.0.0.1:1/o.xsd"/>', ""),
    "a file by its address": ('<xs:include schemaLocation="file:///etc/hostname"/>', ""),
    "a file by its path": ('<xs:include schemaLocation="/etc/hostname"/>', ""),
    "a file up from here": ('<xs:include schemaLocation="../outside.xsd"/>', ""),
    "a file up from here, hidden": ('<xs:include schemaLocation="%2e%2e/outside.xsd"/>', ""),
    "a document type": ("", '<!DOCTYPE x SYSTEM "URL/x.dtd">'),
    "an entity": ("", '<!DOCTYPE x [<!ENTITY e SYSTEM "URL/e">]>'),
    "XInclude": ('<xi:include href="URL/o.xsd"/>', ""),
}


@pytest.mark.parametrize(("inside", "before"), OUTSIDE.values(), ids=OUTSIDE)
def test_a_contract_that_refers_outside_does_not_load(
    inside: str, before: str, calls: Calls, tmp_path: Path
) -> None:
    url = calls.url
    folder = tmp_path / "v1-0"
    folder.mkdir()
    (tmp_path / "outside.xsd").write_text(schema(""))
    text = schema(inside, before).replace("URL", url)
    (folder / "t.xsd").write_text(text)
    with pytest.raises(ConfigurationError):
        compiled(folder / "t.xsd")
    types = f"<wsdl:types>{text.removeprefix(before.replace('URL', url))}</wsdl:types>"
    (folder / "t.wsdl").write_text(
        f'{before.replace("URL", url)}<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" '
        f'targetNamespace="urn:t">{types}</wsdl:definitions>'
    )
    with pytest.raises(REFUSED):
        _read("t", "v1-0", folder / "t.wsdl")
    (folder / "t.wsdl").write_text(
        '<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:t">'
        f'<wsdl:import namespace="urn:o" location="{url}/o.wsdl"/></wsdl:definitions>'
    )
    with pytest.raises(REFUSED):
        _read("t", "v1-0", folder / "t.wsdl")
    assert calls.heard == []


def test_every_contract_of_an_external_system_is_one_for_another_reader_too() -> None:
    for contract in wsdl.contracts():
        contract.schema()
        if not contract.system.startswith("spolis/"):
            assert zeep.Client(str(contract.wsdl)).wsdl.services  # type: ignore[no-untyped-call] # zeep types a part of itself


def test_a_file_that_is_too_large_or_no_xml_is_no_contract(tmp_path: Path) -> None:
    assert not tmp_path.is_relative_to(ROOT)
    for content in (b"", b"\x00", b"<a>" * 300, b"<a>" + b" " * 4_194_304 + b"</a>"):
        (tmp_path / "t.xsd").write_bytes(content)
        (tmp_path / "t.wsdl").write_bytes(content)
        with pytest.raises(GatewayError):
            compiled(tmp_path / "t.xsd")
        with pytest.raises(GatewayError):
            _read("t", "v1-0", tmp_path / "t.wsdl")
