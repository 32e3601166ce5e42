"""The service `decisions`: NPAIS hands in orphan-court decisions, their annulment and placements of children.

Source: wsdl/spolis/decisions/v1-0, rules p10.11.1–p10.11.3, p17.5.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from exchange import Context, Disclosed
from mappings.context import context
from mappings.court_decisions import ANNULLED_DECISION, DELIVERED_DECISIONS, DELIVERED_PLACEMENT, NAMESPACE
from mappings.fields import identifier, nested
from mappings.mapping import Mapping
from mappings.services import Service, ServiceOperation, Submission

SOURCE = "npais"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverRequest:
    """What is handed in."""

    context: Context
    record: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverAnswer:
    """The exchange by which it is kept."""

    exchange_id: uuid.UUID


def _request(operation: str, table: Mapping[Any]) -> Mapping[DeliverRequest]:
    """A request with one record, which is looked at as a whole like the record by itself."""
    own = table.check
    return Mapping(
        DeliverRequest,
        NAMESPACE,
        operation,
        (context(NAMESPACE), nested("record", table.element, table)),
        request=True,
        check=None if own is None else lambda request: own(request.record),
    )


def _answer(operation: str) -> Mapping[DeliverAnswer]:
    return Mapping(
        DeliverAnswer,
        NAMESPACE,
        f"{operation}Response",
        (identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),),
    )


DELIVER_DECISIONS_REQUEST = _request("DeliverDecisions", DELIVERED_DECISIONS)
DELIVER_DECISIONS_ANSWER = _answer("DeliverDecisions")
ANNUL_DECISION_REQUEST = _request("AnnulDecision", ANNULLED_DECISION)
ANNUL_DECISION_ANSWER = _answer("AnnulDecision")
DELIVER_PLACEMENT_REQUEST = _request("DeliverPlacement", DELIVERED_PLACEMENT)
DELIVER_PLACEMENT_ANSWER = _answer("DeliverPlacement")


def _kept(exchange_id: uuid.UUID, _disclosed: Disclosed) -> DeliverAnswer:
    """The exchange by which a record is kept, and nothing of what it says."""
    return DeliverAnswer(exchange_id=exchange_id)


SERVICE = Service(
    name="decisions",
    version="v1-0",
    operations=(
        ServiceOperation(
            name="DeliverDecisions",
            request=DELIVER_DECISIONS_REQUEST,
            answer=DELIVER_DECISIONS_ANSWER,
            via=Submission("record", DELIVERED_DECISIONS, SOURCE),
            compose=_kept,
        ),
        ServiceOperation(
            name="AnnulDecision",
            request=ANNUL_DECISION_REQUEST,
            answer=ANNUL_DECISION_ANSWER,
            via=Submission("record", ANNULLED_DECISION, SOURCE),
            compose=_kept,
        ),
        ServiceOperation(
            name="DeliverPlacement",
            request=DELIVER_PLACEMENT_REQUEST,
            answer=DELIVER_PLACEMENT_ANSWER,
            via=Submission("record", DELIVERED_PLACEMENT, SOURCE),
            compose=_kept,
        ),
    ),
)
