"""The service `social-enterprises`: VID reads the status of social enterprises, one by one or what has changed.

Source: wsdl/spolis/social-enterprises/v1-0, rules p6^1, p18.8.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import date

from exchange import Context, Disclosed
from mappings import answers
from mappings.context import context
from mappings.fields import date as day
from mappings.fields import identifier, integer, text
from mappings.mapping import Mapping
from mappings.services import Service, ServiceOperation
from mappings.social_enterprises import NAMESPACE, SOCIAL_ENTERPRISE, SocialEnterprise


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSocialEnterpriseRequest:
    """Which enterprise (GetSocialEnterprise)."""

    context: Context
    registration_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSocialEnterprisesRequest:
    """Changed since which day, and from where in the list (ListSocialEnterprises)."""

    context: Context
    since: date
    after: uuid.UUID | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Enterprises that changed, those that did first come first; `next` is where the next page begins."""

    exchange_id: uuid.UUID
    rows: tuple[SocialEnterprise, ...]
    next: uuid.UUID | None
    withheld: tuple[str, ...]


GET_SOCIAL_ENTERPRISE_REQUEST = Mapping(
    GetSocialEnterpriseRequest,
    NAMESPACE,
    "GetSocialEnterprise",
    (context(NAMESPACE), text("registration_number", "RegistracijasNumurs", rule="p6^1", pattern=r"\d{11}")),
    request=True,
)

LIST_SOCIAL_ENTERPRISES_REQUEST = Mapping(
    ListSocialEnterprisesRequest,
    NAMESPACE,
    "ListSocialEnterprises",
    (
        context(NAMESPACE),
        day("since", "KopsDatuma", rule="p18.8"),
        identifier("after", "Turpinajums", rule="p18.8", optional=True),
        integer("limit", "Skaits", rule="p18.8", least=1, most=200, optional=True),
    ),
    request=True,
)

GET_SOCIAL_ENTERPRISE_ANSWER, _enterprise = answers.one(
    NAMESPACE, "GetSocialEnterpriseResponse", "Uznemums", SOCIAL_ENTERPRISE
)
LIST_SOCIAL_ENTERPRISES_ANSWER, _changed = answers.several(
    Changed,
    NAMESPACE,
    "ListSocialEnterprisesResponse",
    {"rows": ("Uznemumi/Uznemums", SOCIAL_ENTERPRISE)},
    identifier("next", "Turpinajums", rule="p18.8", optional=True, always=True),
)


def _found(exchange_id: uuid.UUID, disclosed: Disclosed) -> object:
    """The one enterprise of a search by registration number, if there is one."""
    rows = disclosed.record.get("rows") if isinstance(disclosed.record, dict) else None
    row = rows[0] if isinstance(rows, list) and rows else None
    return _enterprise(exchange_id, replace(disclosed, record=row))


SERVICE = Service(
    name="social-enterprises",
    version="v1-0",
    operations=(
        ServiceOperation(
            name="GetSocialEnterprise",
            request=GET_SOCIAL_ENTERPRISE_REQUEST,
            answer=GET_SOCIAL_ENTERPRISE_ANSWER,
            via=("registers", "SearchSocialEnterprises"),
            compose=_found,
        ),
        ServiceOperation(
            name="ListSocialEnterprises",
            request=LIST_SOCIAL_ENTERPRISES_REQUEST,
            answer=LIST_SOCIAL_ENTERPRISES_ANSWER,
            via=("registers", "FollowSocialEnterprises"),
            compose=_changed,
        ),
    ),
)
