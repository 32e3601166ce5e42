"""Operations that hand in a record: their requests and answers, the same for every record and service.

The record stands beside the context; the answer says by which exchange it is kept, and nothing of what it says.
Only who handed a record in corrects and deletes it. Source: p17, p19.2, p20.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from exchange import Context, Disclosed
from mappings.context import context
from mappings.fields import identifier, nested
from mappings.mapping import Mapping
from mappings.services import ServiceOperation, Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRequest:
    """A record that is handed in, or the deletion of one."""

    context: Context
    record: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitAnswer:
    """The exchange by which the record is kept."""

    exchange_id: uuid.UUID


def compose_kept(exchange_id: uuid.UUID, _disclosed: Disclosed) -> SubmitAnswer:
    """Our answer to a record: the exchange by which it is kept."""
    return SubmitAnswer(exchange_id=exchange_id)


def handed_in(namespace: str, operation: str, table: Mapping[Any], source: str) -> ServiceOperation:
    """An operation that hands in one record, which is looked at as a whole like the record by itself."""
    own = table.check
    return ServiceOperation(
        name=operation,
        request=Mapping(
            SubmitRequest,
            namespace,
            operation,
            (context(namespace), nested("record", table.element, table)),
            request=True,
            check=None if own is None else lambda request: own(request.record),
        ),
        answer=Mapping(
            SubmitAnswer,
            namespace,
            f"{operation}Response",
            (identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),),
        ),
        via=Submission("record", table, source, supplier="supplier"),
        compose=compose_kept,
    )
