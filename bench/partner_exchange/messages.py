"""The bodies of the exchange, as text: the same for all three contestants."""

from __future__ import annotations

import uuid

PERSONS = "urn:spolis:gateway:persons:v1-0"
PMLP = "http://ivis.eps.gov.lv/XMLSchemas/100010/Pmlp/v1-0"
GET_PERSON = f"{PERSONS}/GetPerson"
PMLP_GET_PERSON = f"{PMLP}/GetPerson"
FAMILY_NAME = "Mērījuma"
PURPOSES = ("social-service", "social-assistance")
DATA_SET = "<DatuKopas><DatuKopa><Kods>NAME_AND_CODE</Kods><Nosaukums>Vārds, uzvārds un personas kods</Nosaukums></DatuKopa></DatuKopas>"  # noqa: E501 — one line of XML

_PERSON = (
    f"<Persona><Vards>Anna</Vards><Uzvards>{FAMILY_NAME}</Uzvards><PersonasKods>%s</PersonasKods></Persona>"
)


def person_code(number: int) -> str:
    """An invented code in the new form, which says nothing of its person."""
    return f"32{number % 500:04d}-{number % 500 * 7:05d}"


def _context(institution: str, request_id: str) -> str:
    return (
        "<Konteksts><Merkis>social-service</Merkis><Tiesibas>p8.1</Tiesibas><Darbinieks>"
        f"<Identifikators>PK:390000-00001</Identifikators><Iestade>{institution}</Iestade>"
        f"<Loma>social worker</Loma></Darbinieks><PieprasijumaId>{request_id}</PieprasijumaId>"
        "<Vide>test</Vide></Konteksts>"
    )


def asked(code: str) -> str:
    """What a partner asks."""
    context = _context("90000000001", str(uuid.uuid4()))
    return f'<GetPerson xmlns="{PERSONS}">{context}<PersonasKods>{code}</PersonasKods></GetPerson>'


def asked_of_pmlp(code: str, request_id: str) -> str:
    """What PMLP is asked."""
    context = _context("90000022632", request_id)
    return f'<GetPerson xmlns="{PMLP}">{context}<PersonasKods>{code}</PersonasKods>{DATA_SET}</GetPerson>'


def told_by_pmlp(code: str) -> str:
    """What PMLP answers."""
    return f'<GetPersonResponse xmlns="{PMLP}">{DATA_SET}{_PERSON % code}</GetPersonResponse>'


def told(exchange_id: str, given_name: str, family_name: str, code: str) -> str:
    """What a partner is answered."""
    return (
        f'<GetPersonResponse xmlns="{PERSONS}"><ApmainasId>{exchange_id}</ApmainasId><Persona>'
        f"<Vards>{given_name}</Vards><Uzvards>{family_name}</Uzvards><PersonasKods>{code}</PersonasKods>"
        "</Persona></GetPersonResponse>"
    )
