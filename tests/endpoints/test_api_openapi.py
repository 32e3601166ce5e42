"""The OpenAPI document: valid, whole, true to what is given, and each example accepted by its own schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from endpoints.envelope import read_envelope
from endpoints.paths import REGISTERS, find_target, kebab, pascal
from errors import every_error
from exchange import Context
from mappings.mapping import Mapping
from registers import WRITES
from routing.register_routes import operation_name
from tests.endpoints.conftest import CODE, DEAD, STAY, Site, asking, context


@pytest.fixture(scope="module")
def document(site: Site) -> dict[str, Any]:
    response = site.client.get("/api/v1/openapi.json")
    assert response.headers["X-Exchange-Id"]
    content: dict[str, Any] = json.loads(response.data)
    return content


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def whole(document: dict[str, Any], part: Any) -> Any:
    """A part of the document with what it refers to in its place."""
    if isinstance(part, list):
        return [whole(document, each) for each in part]
    if not isinstance(part, dict):
        return part
    if isinstance(reference := part.get("$ref"), str):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return whole(document, found)
    return {key: whole(document, value) for key, value in part.items()}


def fits(document: dict[str, Any], schema: Any, value: Any) -> None:
    OAS31Validator(whole(document, schema), format_checker=OAS31Validator.FORMAT_CHECKER).validate(value)


def bodies(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every schema of a body or a header that has an example, with each of its examples."""

    def within(part: Any) -> Iterator[tuple[dict[str, Any], Any]]:
        if isinstance(part, list):
            for each in part:
                yield from within(each)
        elif isinstance(part, dict):
            if "schema" in part and "example" in part:
                yield part["schema"], part["example"]
            if "schema" in part:
                yield from ((part["schema"], each["value"]) for each in part.get("examples", {}).values())
            for each in part.values():
                yield from within(each)

    yield from within(document["paths"])
    yield from within(document["components"])


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_stands_in_it_under_the_url_that_names_it(
    site: Site, document: dict[str, Any]
) -> None:
    described = set()
    for path, method, operation in operations(document):
        target = find_target(path.removeprefix("/api/v1/").split("/"))
        assert target is not None
        assert target.method == method.upper()
        assert operation["operationId"] == f"{target.system}.{target.operation}"
        described.add((target.system, target.operation))
    routes = {name for name in site.gateway.routes.names() if name[0] in {*site.gateway.adapters, REGISTERS}}
    assert described == routes


def test_each_example_is_accepted_by_its_own_schema(document: dict[str, Any]) -> None:
    examples = list(bodies(document))
    assert len(examples) > 40
    for schema, example in examples:
        fits(document, schema, example)


def test_each_example_of_arguments_is_accepted_by_its_mapping_table(
    site: Site, document: dict[str, Any]
) -> None:
    tables: dict[str, Mapping[Any]] = {
        f"{adapter.name}.{operation.name}": operation.request
        for adapter in site.gateway.adapters.values()
        for operation in adapter.operations
    }
    tables |= {f"registers.{operation_name('Write', name)}": one.table for name, one in WRITES.items()}
    for _path, _method, operation in operations(document):
        if (table := tables.pop(operation["operationId"], None)) is not None:
            example = operation["requestBody"]["content"]["application/json"]["example"]
            envelope = read_envelope(json.dumps(example).encode())
            assert isinstance(envelope.context, Context)
            assert table.from_json(envelope.arguments, context=envelope.context)
    assert tables == {}


def searching(site: Site, register: str) -> dict[str, str]:
    """What of the usual context is to be changed for a register that is searched for a purpose of its own."""
    name, usual = f"registers.{operation_name('Search', register)}", context()
    rights = [one for one in site.gateway.access.rights_of("spolis-core") if name in one.operations]
    if any(usual["purpose"] in one.purposes and one.covers(usual["rule"]) for one in rights):
        return {}
    return {"purpose": rights[0].purposes[0], "rule": rights[0].rules[-1]}


def test_each_example_of_a_search_is_answered(site: Site, document: dict[str, Any]) -> None:
    for path, _method, operation in operations(document):
        if path.endswith("/search"):
            example = operation["requestBody"]["content"]["application/json"]["example"]
            right = searching(site, path.split("/")[-2])
            found = site.post(path.removeprefix("/api/v1"), example | {"context": context(**right)})
            assert found.status_code == 200, found.text


def test_what_is_given_fits_what_is_described(site: Site, document: dict[str, Any]) -> None:
    def given(path: str, method: str = "post") -> Any:
        return document["paths"][f"/api/v1{path}"][method]["responses"]["200"]["content"]["application/json"][
            "schema"
        ]

    person = site.post("/pmlp/get-person", asking())
    fits(document, given("/pmlp/get-person"), json.loads(person.data))
    stay = {
        "context": context(purpose="care-placement"),
        "arguments": {**STAY, "person_code": "331111-22222"},
    }
    fits(document, given("/registers/care-stays"), json.loads(site.post("/registers/care-stays", stay).data))
    for register, code in (("care-stays", "331111-22222"), ("persons", CODE)):
        found = json.loads(site.post(f"/registers/{register}/search", asking({"person_code": code})).data)
        assert found["record"]["rows"]
        fits(document, given(f"/registers/{register}/search"), found)
        path = f"/registers/{register}/{found['record']['rows'][0]['id']}"
        for query in ("", "?history=true"):
            read = site.get(f"{path}{query}", X_Context=json.dumps(context()))
            fits(document, given(f"/registers/{register}/{{id}}", "get"), json.loads(read.data))
    refused = site.post("/pmlp/get-person", asking({"person_code": DEAD}))
    fits(document, {"$ref": "#/components/schemas/Problem"}, json.loads(refused.data))


def test_the_table_of_errors_is_closed_and_whole(document: dict[str, Any]) -> None:
    told = {
        (int(name.removeprefix("Problem")), code)
        for name, response in document["components"]["responses"].items()
        for code in response["content"]["application/problem+json"]["examples"]
    }
    assert {(error.status, error.code) for error in every_error()} <= told
    codes = set(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    assert codes == {error.code for error in every_error()}


def test_every_field_of_a_record_names_its_rule(document: dict[str, Any]) -> None:
    path = document["paths"]["/api/v1/pmlp/get-person"]["post"]
    record = path["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["record"]
    assert record["properties"]["birth_date"]["x-rule"] == "p8.4"
    assert record["properties"]["documents"]["items"]["properties"]["number"]["x-rule"] == "p8.11.2"


def test_the_page_for_people_needs_nothing_from_elsewhere(site: Site, document: dict[str, Any]) -> None:
    page = site.client.get("/api/v1/docs")
    assert page.content_type.startswith("text/html")
    for path, _method, _operation in operations(document):
        assert path in page.text
    for word in ("<script", "src=", "@import", "http://", "https://"):
        assert word not in page.text


@pytest.mark.parametrize(
    ("name", "url"),
    [("GetPerson", "get-person"), ("Get", "get"), ("GetChildPlacement", "get-child-placement")],
)
def test_names_of_operations_in_urls(name: str, url: str) -> None:
    assert kebab(name) == url
    assert pascal(url) == name
