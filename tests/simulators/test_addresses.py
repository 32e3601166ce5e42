"""The real rows of the State Address Register, as VZD gives them."""

from __future__ import annotations

import pytest

from simulators.addresses import ROOT, address_register


def test_resolvable_addresses_are_rebuilt_from_their_chain() -> None:
    register = address_register()
    assert len(register.resolvable()) == 10
    for place in register.resolvable():
        chain = register.chain(place.code)
        assert chain[-1].parent == ROOT
        names = [link.name for link in chain]
        on_a_street = chain[1].kind == "107"
        # A house that is named rather than numbered on a street stands in quotes.
        house = [f"{names[1]} {names[0]}", *names[2:]] if on_a_street else [f'"{names[0]}"', *names[1:]]
        assert ", ".join([*house, place.postcode or ""]) == place.text


def test_a_missing_street_ends_the_chain_and_the_address_is_whole() -> None:
    register = address_register()
    assert [link.code for link in register.chain("101109572")] == ["101109572"]
    assert register.places["101109572"].text == "Brīvības iela 100, Rīga, LV-1001"
    assert "101109572" not in {place.code for place in register.resolvable()}


@pytest.mark.parametrize(
    ("code", "status"), [("101001003", "DEL"), ("101000018", "ERR"), ("101101001", None)]
)
def test_deleted_and_wrong_objects_keep_their_status(code: str, status: str | None) -> None:
    place = address_register().places.get(code)
    assert (place.status if place else None) == status


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("brivibas iela 100", "101109572"),
        ("KEKAVA ierasti", "105156152"),
        ("krišjāņa barona 1 riga", "101844053"),
        ("Ozolu iela 18", "101003948"),
        ("LV-4211", "101000034"),
        ("stacija biksti", "102748756"),
    ],
)
def test_search_minds_neither_case_nor_diacritics(text: str, first: str) -> None:
    assert address_register().search(text, 5)[0].code == first


def test_search_puts_existing_objects_first_and_keeps_the_limit() -> None:
    found = address_register().search("iela", 100)
    statuses = [place.status == "EKS" for place in found]
    assert statuses == sorted(statuses, reverse=True)
    assert False in statuses
    assert address_register().search("iela", 3) == found[:3]


@pytest.mark.parametrize("text", ["", "  ,. ", "nekas tāds nav"])
def test_search_without_a_match_is_empty(text: str) -> None:
    assert address_register().search(text, 10) == ()
