"""A page of children feeds the register of addresses."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Engine

import registers
from mappings.vzd import (
    AddressChildren,
    AddressHistory,
    AddressSpan,
    GetChildrenRequest,
    GetHistoryRequest,
    children_answered,
    same_object,
)
from registers import Fed
from tests.exchanges.test_golden import CONTEXT
from tests.registers.invented import code, day, provenance
from tests.registers.test_feeds import STREET


def page(above: str, *codes: str) -> AddressChildren:
    addresses = tuple(replace(STREET, varis_code=one) for one in codes)
    return AddressChildren(varis_code=above, addresses=addresses, more=False)


def test_a_page_of_children_is_kept_and_ends_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        first = page("199000001", "199000002", "199000003")
        assert registers.feed(connection, first, provenance(source="vzd")) == Fed(2, 0)
        again = page("199000001", "199000003")
        assert registers.feed(connection, again, provenance(1, "vzd")) == Fed(0, 1)
        for one in ("199000002", "199000003"):
            assert len(registers.search(connection, "addresses", {"varis_code": one})) == 1


def history(of: str) -> AddressHistory:
    span = AddressSpan(valid_from=None, valid_to=day("2021-06-30"), text="Vecā iela 1", status=code("EKS"))
    return AddressHistory(varis_code=of, spans=(span,), successors=())


def test_an_answer_about_another_object_is_named() -> None:
    asked = GetChildrenRequest(context=CONTEXT, varis_code="199000001", ended=False, limit=1, offset=0)
    assert children_answered(asked, page("199000001", "199000002")) == ""
    assert children_answered(asked, page("199000004")) == "varis_code"
    assert children_answered(asked, page("199000001", "199000002", "199000003")) == "addresses"
    of_one = GetHistoryRequest(context=CONTEXT, varis_code="199000001")
    assert same_object(of_one, history("199000001")) == ""
    assert same_object(of_one, history("199000002")) == "varis_code"
