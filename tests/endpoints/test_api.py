"""/api/v1 on a real gateway: what is given, and what every bad request gets."""

from __future__ import annotations

import base64
import dataclasses
import json
import uuid
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some
from werkzeug.test import Client, TestResponse

from endpoints import api, problems
from endpoints.arrivals import Limiter
from errors import Busy, every_error
from tests.endpoints.conftest import BROKEN, CODE, DEAD, STAY, Site, asking, context

PERSON = "/pmlp/get-person"
STAYS = "/registers/care-stays"


def placing(**changes: object) -> dict[str, object]:
    return context(purpose="care-placement", **changes)


def person_code(number: int) -> str:
    return f"33{number:04d}-11111"


def is_problem(response: TestResponse, status: int, code: str) -> None:
    """The form that every refusal has, and that nothing of the message is in it."""
    assert (response.status_code, response.content_type) == (status, "application/problem+json"), (
        response.text
    )
    content = response.json
    assert content is not None
    assert content["code"] == code
    assert content["status"] == status
    assert content["type"] == f"/problems/{code}"
    assert (
        content["exchange_id"] == response.headers["X-Exchange-Id"] == str(uuid.UUID(content["exchange_id"]))
    )
    assert set(content) - {"detail"} == {
        "type", "title", "status", "code", "exchange_id", "retryable", "retry_after",
    }  # fmt: skip
    assert response.headers.get("Retry-After") == (
        str(content["retry_after"]) if content["retry_after"] else None
    )
    for secret in ("SECRET", CODE, "Traceback", "sqlite", "/work", "RuntimeError"):
        assert secret not in response.text


def test_a_person_is_given_as_canonical_json_with_the_id_of_the_exchange(site: Site) -> None:
    response = site.post(PERSON, asking())
    assert (response.status_code, response.content_type) == (200, "application/json")
    content = json.loads(response.data)
    assert set(content) == {"exchange_id", "record", "withheld"}
    assert content["record"]["family_name"] == "Paraudziņa"
    assert content["record"]["given_names"] == ["Ilze", "Anna"]
    assert content["exchange_id"] == response.headers["X-Exchange-Id"]
    assert response.data == rfc8785.dumps(content)
    opened, attempt, outcome = site.leaves(response)
    assert (opened["kind"], attempt["kind"], outcome["kind"]) == ("opened", "attempt", "outcome")
    assert outcome["withheld"] == content["withheld"]


def test_a_repeat_of_a_read_is_a_new_exchange(site: Site) -> None:
    message = asking()
    first, second = site.post(PERSON, message), site.post(PERSON, message)
    assert first.status_code == second.status_code == 200
    assert first.headers["X-Exchange-Id"] != second.headers["X-Exchange-Id"]


def test_what_changes_a_system_is_sent_once(site: Site) -> None:
    message = asking({"person_codes": [CODE]}, rule="p17.2")
    first, again = (site.post("/pmlp/subscribe", message) for _ in range(2))
    assert first.status_code == 200, first.text
    assert again.data == first.data
    assert json.loads(first.data)["record"]["subscriptions"] == [{"person_code": CODE, "subscribed": True}]
    assert site.leaves(again)[-1]["repeats"] == first.headers["X-Exchange-Id"]


def test_a_stay_is_written_once_and_read_back(site: Site) -> None:
    message = {"context": placing(), "arguments": STAY}
    first, again = site.post(STAYS, message), site.post(STAYS, message)
    assert first.status_code == 200, first.text
    assert again.data == first.data
    assert again.headers["X-Exchange-Id"] != first.headers["X-Exchange-Id"]
    assert site.leaves(again)[-1]["repeats"] == first.headers["X-Exchange-Id"]

    other = {**message, "arguments": {**STAY, "institution": "Cita"}}
    is_problem(site.post(STAYS, other), 409, "message_id_reused")

    found = site.post(f"{STAYS}/search", asking({"person_code": CODE, "limit": 5}))
    assert found.status_code == 200, found.text
    stays = json.loads(found.data)["record"]["rows"]
    assert [stay["institution"] for stay in stays] == ["VSAC Paraugs"]

    path, header = f"{STAYS}/{stays[0]['id']}", json.dumps(context())
    read = site.get(path, X_Context=header)
    assert read.status_code == 200, read.text
    assert json.loads(read.data)["record"] == stays[0]
    encoded = base64.b64encode(header.encode()).decode()
    versions = site.get(f"{path}?history=true", X_Context=encoded)
    assert [row["id"] for row in json.loads(versions.data)["record"]["rows"]] == [stays[0]["id"]]


def test_a_search_takes_a_span_of_days(site: Site) -> None:
    site.post(STAYS, {"context": placing(), "arguments": {**STAY, "person_code": person_code(1)}})
    span = {"person_code": person_code(1), "entered_on": {"from": "2026-01-01", "to": "2026-01-31"}}
    found = site.post(f"{STAYS}/search", asking(span))
    assert len(json.loads(found.data)["record"]["rows"]) == 1
    before = site.post(f"{STAYS}/search", asking({**span, "entered_on": {"to": "2026-01-30"}}))
    assert json.loads(before.data)["record"]["rows"] == []


@dataclasses.dataclass(frozen=True)
class Bad:
    """A bad request and what it gets. A dictionary is sent as JSON with the usual headers changed by `headers`."""

    status: int
    code: str
    path: str = PERSON
    content: bytes | dict[str, Any] = dataclasses.field(default_factory=asking)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    method: str = "POST"

    def send(self, site: Site) -> TestResponse:
        return site.send(self.method, self.path, self.content, self.headers)


def bad(status: int, code: str, **changes: object) -> Bad:
    """A bad request about a person, with something of its context changed."""
    return Bad(status, code, content=asking(**changes))


def bad_arguments(status: int, code: str, arguments: dict[str, object], path: str = PERSON) -> Bad:
    return Bad(status, code, path, asking(arguments))


def bad_read(status: int, code: str, what: str, context_header: str = "") -> Bad:
    header = context_header or json.dumps(context())
    return Bad(status, code, f"/registers/persons/{what}", b"", {"X-Context": header}, "GET")


SOMEBODY = str(uuid.uuid4())

# Bad requests that are exchanges: each has its outcome in the log.
ON_RECORD = {
    "no key": Bad(401, "not_authenticated", headers={"Authorization": ""}),
    "wrong key": Bad(401, "not_authenticated", headers={"Authorization": "Bearer SECRET"}),
    "other scheme": Bad(401, "not_authenticated", headers={"Authorization": "Basic SECRET"}),
    "key not ascii": Bad(401, "not_authenticated", headers={"Authorization": "Bearer \u00e4"}),
    "no key and no json": Bad(401, "not_authenticated", PERSON, b"SECRET", {"Authorization": ""}),
    "empty body": Bad(400, "malformed_message", content=b""),
    "no json": Bad(400, "malformed_message", content=b"{SECRET"),
    "duplicate key": Bad(400, "invalid_request", content=b'{"context": 1, "context": 2}'),
    "unknown member": Bad(400, "invalid_request", content={**asking(), "extra": "SECRET"}),
    "unknown argument": bad_arguments(400, "invalid_request", {"person_code": CODE, "x": "SECRET"}),
    "argument of another kind": bad_arguments(400, "invalid_request", {"person_code": CODE, "data_sets": {}}),
    "argument missing": bad_arguments(400, "invalid_request", {}),
    "wrong personal code": bad_arguments(400, "invalid_person_code", {"person_code": "SECRET"}),
    "unknown system": Bad(404, "unknown_operation", "/nowhere/get-person"),
    "unknown operation": Bad(404, "unknown_operation", "/pmlp/get-nothing"),
    "a service of partners": Bad(404, "unknown_operation", "/persons/get-person"),
    "the gateway itself": Bad(404, "unknown_operation", "/gateway/ping"),
    "operation in Pascal case": Bad(404, "unknown_operation", "/pmlp/GetPerson"),
    "unknown register": Bad(404, "unknown_operation", "/registers/nothing/search"),
    "an operation of the registers by name": Bad(404, "unknown_operation", "/registers/search-persons"),
    "no operation": Bad(404, "unknown_operation", ""),
    "deep url": Bad(404, "unknown_operation", "/a/b/c/d"),
    "unknown url without a body": Bad(404, "unknown_operation", "/SECRET", b"", method="GET"),
    "query": Bad(400, "invalid_request", f"{PERSON}?person_code=SECRET"),
    "other environment": bad(400, "wrong_environment", environment="production"),
    "purpose not granted": bad(403, "purpose_not_allowed", purpose="SECRET"),
    "rule not granted": bad(403, "purpose_not_allowed", rule="p6"),
    "no open stay": Bad(
        403,
        "no_open_stay",
        "/sais/get-payments",
        asking({"person_code": "380000-00000"}, purpose="care-payment", rule="p12.8.3"),
    ),
    "system refuses": bad_arguments(502, "system_refused", {"person_code": DEAD}),
    "nobody foresaw it": bad_arguments(500, "internal_error", {"person_code": BROKEN}),
    "personal code in the url": bad_read(400, "invalid_request", CODE),
    "id in braces": bad_read(400, "invalid_request", f"{{{SOMEBODY}}}"),
    "unknown id": bad_read(404, "not_found", SOMEBODY),
    "unknown query": bad_read(400, "invalid_request", f"{SOMEBODY}?at=SECRET"),
    "context is no json": bad_read(400, "malformed_message", SOMEBODY, "!"),
    "no context": Bad(400, "invalid_request", f"/registers/persons/{SOMEBODY}", b"", method="GET"),
    "no criterion": bad_arguments(400, "invalid_request", {}, f"{STAYS}/search"),
    "unknown criterion": bad_arguments(400, "invalid_request", {"SECRET": "SECRET"}, f"{STAYS}/search"),
}

# Refused before an exchange begins: nothing of it is in the log.
BEFORE = {
    "method": Bad(405, "invalid_request", method="GET"),
    "method of a read": Bad(405, "invalid_request", f"/registers/persons/{CODE}"),
    "method unknown to HTTP": Bad(405, "invalid_request", method="SECRET"),
    "form": Bad(415, "invalid_request", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    "no content type": Bad(415, "invalid_request", headers={"Content-Type": ""}),
    "other charset": Bad(
        415, "invalid_request", headers={"Content-Type": "application/json; charset=latin-1"}
    ),
    "compressed": Bad(415, "invalid_request", headers={"Content-Encoding": "gzip"}),
    "too large": Bad(413, "too_large", content=b" " * 20_001),
    "declared too large": Bad(413, "too_large", content=b"{}", headers={"Content-Length": "999999999999"}),
    "length is no number": Bad(400, "malformed_message", content=b"{}", headers={"Content-Length": "-5"}),
    "cut short": Bad(400, "malformed_message", content=b"{}", headers={"Content-Length": "500"}),
}


@pytest.mark.parametrize("bad", ON_RECORD.values(), ids=ON_RECORD)
def test_a_bad_request_gets_its_problem_and_is_on_record(site: Site, bad: Bad) -> None:
    response = bad.send(site)
    is_problem(response, bad.status, bad.code)
    records = site.leaves(response)
    assert (records[0]["kind"], records[-1]["kind"]) == ("opened", "outcome")
    assert records[-1]["code"] == bad.code
    for secret in ("SECRET", CODE):
        assert secret not in json.dumps([{**record, "purpose": ""} for record in records])


@pytest.mark.parametrize("bad", BEFORE.values(), ids=BEFORE)
def test_what_http_itself_forbids_is_refused_before_an_exchange(site: Site, bad: Bad) -> None:
    response = bad.send(site)
    is_problem(response, bad.status, bad.code)
    assert site.leaves(response) == []
    if bad.status == 405:
        assert response.headers["Allow"]


def test_a_body_of_exactly_the_limit_is_taken(site: Site) -> None:
    content = json.dumps(asking()).encode()
    assert site.post(PERSON, content + b" " * (20_000 - len(content))).status_code == 200


def test_a_key_that_is_refused_says_how_to_send_one(site: Site) -> None:
    assert site.post(PERSON, asking(), Authorization="").headers["WWW-Authenticate"].startswith("Bearer")


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    some.binary(max_size=60)
    | some.recursive(
        some.none() | some.integers() | some.floats() | some.text(max_size=8),
        lambda inner: (
            some.lists(inner, max_size=3)
            | some.dictionaries(
                some.sampled_from(["context", "arguments", "official", "purpose", "x"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_body_is_sent_the_answer_is_a_problem_of_the_caller(site: Site, body: bytes) -> None:
    response = site.post(PERSON, body)
    assert response.json is not None
    is_problem(response, 400, response.json["code"])


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(some.text(max_size=30))
def test_whatever_url_is_asked_the_answer_has_an_id(site: Site, path: str) -> None:
    response = site.client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {site.key}"})
    assert response.status_code in (200, 400, 404, 405, 415)
    assert uuid.UUID(response.headers["X-Exchange-Id"])


def test_too_many_requests_of_one_address_are_told_to_wait(site: Site) -> None:
    settings = dataclasses.replace(
        site.gateway.settings, limits=dataclasses.replace(site.gateway.settings.limits, requests_per_s=2)
    )
    narrow = dataclasses.replace(
        site, client=Client(api.application(dataclasses.replace(site.gateway, settings=settings)))
    )
    answers = [narrow.post(PERSON, b"{}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    is_problem(answers[-1], 429, "busy")
    assert answers[-1].headers["Retry-After"] == "1"
    assert site.leaves(answers[-1]) == []


def test_a_bucket_fills_again_and_each_address_has_its_own() -> None:
    now = [0.0]
    limiter = Limiter(2, clock=lambda: now[0])
    for _ in range(2):
        limiter.check("192.0.2.1")
    with pytest.raises(Busy):
        limiter.check("192.0.2.1")
    limiter.check("192.0.2.2")
    now[0] = 0.5
    limiter.check("192.0.2.1")
    with pytest.raises(Busy):
        limiter.check("192.0.2.1")
    now[0] = 100.0
    for _ in range(2):
        limiter.check("192.0.2.1")
    with pytest.raises(Busy):
        limiter.check("192.0.2.1")


def test_every_code_has_a_page_in_both_languages(site: Site) -> None:
    assert set(problems.LATVIAN) == {error.code for error in every_error()}
    for code, latvian in problems.LATVIAN.items():
        content = site.client.get(f"/problems/{code}", headers={"Accept": "application/json"})
        assert content.json is not None
        assert (content.json["code"], content.json["title_lv"]) == (code, latvian)
        page = site.client.get(f"/problems/{code}", headers={"Accept": "text/html"})
        assert page.content_type.startswith("text/html")
        assert content.json["title_en"].partition(".")[0] in page.text.replace("&#x27;", "'")
    assert site.client.get("/problems/SECRET").status_code == 404
