"""The contract at ?wsdl: the published bytes, with the address in use and nothing else changed."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from lxml import etree
from werkzeug.test import Client, EnvironBuilder

from endpoints.published_contracts import PublishedContract
from errors import ConfigurationError
from tests.endpoints.soap.conftest import PATH, World
from wsdl import ROOT, contract

PERSONS = contract("spolis/persons")
FAULT_XSD = ROOT / "spolis" / "fault" / "v1-0" / "fault.xsd"
HERE = f"http://localhost{PATH}"


@pytest.fixture
def world(shared: World) -> World:
    return shared


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "wsdl="])
def test_the_wsdl_is_the_published_file_but_for_addresses(world: World, query: str) -> None:
    response = Client(world.app).get(f"{PATH}?{query}")
    assert (response.status_code, response.mimetype) == (200, "text/xml")
    back = (
        response.data.replace(f'"{HERE}"'.encode(), b'"https://localhost/soap/persons/v1-0"')
        .replace(f"{HERE}?xsd=persons".encode(), b"persons.xsd")
        .replace(f"{HERE}?xsd=fault".encode(), b"../../fault/v1-0/fault.xsd")
    )
    assert response.data != PERSONS.wsdl.read_bytes()
    assert back == PERSONS.wsdl.read_bytes()


@pytest.mark.parametrize(("name", "path"), [("persons", PERSONS.xsd), ("fault", FAULT_XSD)])
def test_the_schemas_are_the_published_files(world: World, name: str, path: Path) -> None:
    response = Client(world.app).get(f"{PATH}?xsd={name}")
    assert response.status_code == 200
    back = response.data.replace(f"{HERE}?xsd=fault".encode(), b"../../fault/v1-0/fault.xsd")
    assert back == path.read_bytes()


def test_every_address_in_the_wsdl_answers(world: World) -> None:
    seen: set[str] = set()
    waiting = [f"{HERE}?wsdl"]
    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        seen.add(url)
        response = Client(world.app).get(url.removeprefix("http://localhost"))
        assert response.status_code == 200
        etree.fromstring(response.data)
        waiting += [found.decode() for found in re.findall(rb'schemaLocation="([^"]*)"', response.data)]
    assert seen == {f"{HERE}?wsdl", f"{HERE}?xsd=persons", f"{HERE}?xsd=fault"}


@pytest.mark.parametrize(
    ("host", "scheme", "address"),
    [
        ("gateway.example", "https", "https://gateway.example"),
        ("gateway.example:8443", "https", "https://gateway.example:8443"),
        ("127.0.0.1:1", "http", "http://127.0.0.1:1"),
        ("[::1]:8080", "http", "http://[::1]:8080"),
    ],
)
def test_the_address_is_the_one_in_use(world: World, host: str, scheme: str, address: str) -> None:
    response = Client(world.app).get(f"{PATH}?wsdl", base_url=f"{scheme}://{host}")
    assert response.data.count(f'location="{address}{PATH}"'.encode()) == 2
    assert b"https://localhost/" not in response.data


@pytest.mark.parametrize(
    "host",
    ['a"b', "a b", "a/b", "a<b", "user@host", "a:b", "a:123456", "-a", "a?b", "[::1", "ā.lv", "a" * 300],
)
def test_a_host_that_is_none_is_refused(world: World, host: str) -> None:
    environ = EnvironBuilder(PATH, query_string="wsdl").get_environ() | {"HTTP_HOST": host}
    status, content = world.call(environ)
    assert status == 400
    assert host.encode() not in content


def test_mounted_below_a_prefix_it_is_the_same(world: World) -> None:
    environ = EnvironBuilder(PATH, query_string="wsdl").get_environ()
    environ |= {"SCRIPT_NAME": "/soap", "PATH_INFO": PATH.removeprefix("/soap")}
    assert world.call(environ)[1] == Client(world.app).get(f"{PATH}?wsdl").data


@pytest.mark.parametrize("query", ["", "?", "?a=b", "?wsdl&xsd=fault", "?singleWsdl"])
def test_get_without_wsdl(world: World, query: str) -> None:
    response = Client(world.app).get(f"{PATH}{query}")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert "?wsdl" in response.text


@pytest.mark.parametrize(
    "name", ["", "nobody", "../../../pmlp/v1-0/pmlp", "persons.xsd/..", "/etc/passwd", "pmlp"]
)
def test_only_the_schemas_of_the_contract_are_served(world: World, name: str) -> None:
    assert Client(world.app).get(PATH, query_string={"xsd": name}).status_code == 404


def test_a_contract_that_refers_outside_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "persons.wsdl"
    changed.write_bytes(PERSONS.wsdl.read_bytes())
    with pytest.raises(ConfigurationError):
        PublishedContract(dataclasses.replace(PERSONS, wsdl=changed))
