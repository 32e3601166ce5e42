"""SPOLIS core in a demonstration: what it asks about a person, in its order, over /api/v1."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import requests

from exchange import Json, today_in_riga

ADULT_YEARS = 18
_TIMEOUT_S = 60.0
_STAYS_SINCE = date(2025, 1, 6)
_INSTITUTION = "VSAC „Demonstrācija”"
_INSTITUTION_ADDRESS = "Skolas iela 28, Rīga, LV-1331"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of /api/v1: HTTP status, exchange id, and the record or the error code."""

    status: int
    exchange_id: uuid.UUID
    record: dict[str, Json]
    code: str


@dataclass(slots=True)
class Core:
    """A client of /api/v1 with a key of its own; usable from many threads."""

    url: str
    key: str
    environment: str
    institution: str
    heard: Callable[[Answer], None] = field(default=lambda _answer: None)
    _session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self._session.trust_env = False  # no proxy stands between us and the loopback address

    def context(self, purpose: str, rule: str) -> dict[str, Json]:
        """Why and for whom a request is made, with a new request id."""
        return {
            "purpose": purpose,
            "rule": rule,
            "official": {"id": "demo-official", "institution": self.institution, "role": "social worker"},
            "case": "demo",
            "request_id": str(uuid.uuid4()),
            "environment": self.environment,
        }

    def ask(self, path: str, arguments: dict[str, Json], purpose: str, rule: str) -> Answer:
        """One request; `path` below /api/v1.

        Raises: requests.RequestException when no answer of the gateway comes.
        """
        response = self._session.post(
            f"{self.url}/api/v1/{path}",
            json={"context": self.context(purpose, rule), "arguments": arguments},
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=_TIMEOUT_S,
        )
        content = response.json()
        answer = Answer(
            status=response.status_code,
            exchange_id=uuid.UUID(response.headers["X-Exchange-Id"]),
            record=content.get("record") or {},
            code=content.get("code", ""),
        )
        self.heard(answer)
        return answer


def ask_about(core: Core, code: str, say: Callable[[str], None]) -> bool:
    """Take one person through all five systems; False when PMLP says that there is no more to ask.

    `say` hears each answer that is not as it should be.
    """

    def asked(path: str, arguments: dict[str, Json], purpose: str, rule: str) -> dict[str, Json]:
        answer = core.ask(path, arguments, purpose, rule)
        if answer.status != 200:
            say(f"{path}: {answer.status} {answer.code} in exchange {answer.exchange_id}")
        return answer.record

    about: dict[str, Json] = {"person_code": code}
    person = asked("pmlp/get-person", about, "social-service", "p8")
    if person.get("deceased"):
        return False
    asked("vdeavk/get-disability", about, "social-service", "p8.13")
    born = person.get("birth_date")
    entered = max(_STAYS_SINCE, date.fromisoformat(born) if isinstance(born, str) else _STAYS_SINCE)
    stay: dict[str, Json] = {
        **about,
        "institution": _INSTITUTION,
        "institution_address": _INSTITUTION_ADDRESS,
        "institution_kind": "STATE_CARE_CENTRE",
        "region": "Rīga",
        "entered_on": entered.isoformat(),
        "funding_source": "STATE",
    }
    asked("registers/care-stays", stay, "care-placement", "p12.8.13")
    asked("sais/get-payments", about, "care-payment", "p12.8.3")
    asked("npais/get-decisions", about, "child-protection", "p10.11")
    if isinstance(born, str) and is_child(date.fromisoformat(born)):
        asked("npais/get-child-placement", about, "child-protection", "p10.11")
    home = first_address(person)
    if home is not None:
        asked("vzd/resolve-code", {"varis_code": home[0]}, "address-check", "p17.10")
        asked("vzd/search-address", {"text": home[1], "limit": 5}, "address-check", "p17.10")
    return True


def is_child(born: date) -> bool:
    """Whether a person is under eighteen today in Riga, by whole years as near as a demonstration needs."""
    return born + timedelta(days=round(ADULT_YEARS * 365.25)) > today_in_riga()


def first_address(person: dict[str, Json]) -> tuple[str, str] | None:
    """VARIS code and text of the first address that has a code."""
    addresses = person.get("addresses")
    for address in addresses if isinstance(addresses, list) else []:
        if isinstance(address, dict) and isinstance(code := address.get("varis_code"), str):
            return code, str(address.get("text"))
    return None
