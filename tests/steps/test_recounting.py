"""Runs counted a second time, from the bytes of the answers as the archive keeps them."""

from __future__ import annotations

from datetime import date

import pytest
from lxml import etree

from adapters.profiles import Message
from audit.tables import archive_payloads
from errors import GatewayFailure
from gateway import Gateway
from mappings.vdeavk import DisabilityChange, DisabilityChanges
from routing import recounting
from tests.registers.invented import person_code
from tests.steps.test_following import ask, deliver, newest
from tests.steps.wired import Wire
from wsdl import contract

NS = f"{{{contract('vdeavk').namespace}}}"


def raw(cursor: str, *codes: str) -> bytes:
    """An answer of VDEAVK as it comes, with a change of each code."""
    root = etree.Element(f"{NS}GetChangesResponse")
    changes = etree.SubElement(root, f"{NS}Izmainas")
    for code in codes:
        change = etree.SubElement(changes, f"{NS}Izmaina")
        etree.SubElement(change, f"{NS}PersonasKods").text = code
        etree.SubElement(change, f"{NS}MainitsDatums").text = "2026-04-01"
    etree.SubElement(root, f"{NS}Kursors").text = cursor
    content: bytes = etree.tostring(root)
    return content


class Telling(Wire):
    """A transport whose answers are kept as bytes of their own, whatever was read of them."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bytes] = []

    def send(self, message: Message, deadline: float) -> bytes:
        super().send(message, deadline)
        return self.told.pop(0)


def read_of(cursor: str, *codes: str, more: bool) -> DisabilityChanges:
    changes = tuple(DisabilityChange(person_code=code, changed_on=date(2026, 4, 1)) for code in codes)
    return DisabilityChanges(changes=changes, cursor=cursor, more=more)


def recounted(gateway: Gateway) -> recounting.Recount:
    vdeavk = gateway.adapters["vdeavk"].operation("GetChanges")
    assert vdeavk is not None
    run = newest(gateway)
    with gateway.engine.begin() as connection:
        return recounting.recount(connection, gateway.archive, vdeavk, run)


@pytest.fixture
def transport() -> Wire:
    return Telling()


def test_a_run_is_counted_again_from_the_bytes_of_its_answers(gateway: Gateway, transport: Wire) -> None:
    assert isinstance(transport, Telling)
    one, two, three = sorted(person_code() for _ in range(3))
    ask(gateway)
    transport.told = [raw("a", one, two), raw("b", two, three)]
    deliver(gateway, transport, read_of("a", one, two, more=True), read_of("b", two, three, more=False))
    found = recounted(gateway)
    assert found == recounting.Recount(pages=2, entries=4, distinct=3)
    assert (found.doubled, found.agrees(newest(gateway))) == (1, True), "two is told on both pages"


def test_what_a_table_left_out_shows_and_so_does_an_answer_that_was_changed(
    gateway: Gateway, transport: Wire
) -> None:
    assert isinstance(transport, Telling)
    one, two = sorted(person_code() for _ in range(2))
    ask(gateway)
    transport.told = [raw("a", one, two)]
    deliver(gateway, transport, read_of("a", one, more=False))
    assert newest(gateway).counted.missing == 0
    assert not recounted(gateway).agrees(newest(gateway))
    with gateway.engine.begin() as connection:
        connection.execute(
            archive_payloads.update().where(archive_payloads.c.name == "received-1").values(digest=b"0" * 32)
        )
    with pytest.raises(GatewayFailure):
        recounted(gateway)
