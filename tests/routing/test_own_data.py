"""Who is told of whom: what the Register of Natural Persons says of another person opens nothing."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

import errors
import registers
from adapters import discover
from exchange import Caller, Context, Environment, Grant, Official, Request
from mappings import services
from mappings.codes import REPRESENTATIVE_KIND
from mappings.pmlp import GET_PERSON_ANSWER, Person, Representative
from mappings.services import OwnReading
from routing.own_data import OwnDataRoute, refused
from routing.routes import SystemAnswer, SystemRoute
from storage import open_engine
from tests.conftest import Template
from tests.registers.invented import minimal, provenance

ASKER, WARD, OTHER, FORMER = "321111-11111", "322222-22222", "323333-33333", "324444-44444"
KINDS = frozenset({"GUARDIAN", "TRUSTEE"})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, template: Template) -> Iterator[Engine]:
    """Registers that know that FORMER is an earlier code of ASKER."""
    path = tmp_path_factory.mktemp("own-data") / "gateway.db"
    shutil.copy(template("sqlite"), path)
    engine = open_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        registers.feed(connection, minimal(ASKER), provenance(), asked=FORMER)
    yield engine
    engine.dispose()


def test_a_message_that_is_not_signed_is_told_nothing(engine: Engine) -> None:
    (operation,) = services.discover()["own-data"].operations
    assert isinstance(operation.via, OwnReading)
    pmlp = discover()["pmlp"]
    get_person = pmlp.operation("GetPerson")
    assert get_person is not None
    route = OwnDataRoute(engine, operation.via, SystemRoute(pmlp, get_person, lambda name: pytest.fail(name)))
    official = Official(ASKER, "90000000001", "person")
    context = Context("own-data", "p18.1", official, "", uuid.uuid4(), Environment.TEST)
    caller = Caller("portal", "private-person")
    request = Request(caller, context, "own-data", "GetOwnData", {}, "m", b"", sealed=None)
    with pytest.raises(errors.InvalidRequest, match="signed"):
        route.plan(request, Grant(frozenset()))


def asked(of: str, by: str, kind: str = "TRUSTEE", error: errors.GatewayError | None = None) -> SystemAnswer:
    person = Person(
        given_names=("Anna",),
        family_name="Paraudziņa",
        person_code=of,
        representatives=(Representative(person_code=by, kind=REPRESENTATIVE_KIND[kind]),),
        data_sets=("REPRESENTATIVES",),
    )
    record = None if error else person
    return SystemAnswer((), (), error, True, True, ("pmlp", "v1-0", "m"), GET_PERSON_ANSWER, record, WARD)


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (asked(WARD, ASKER), None),
        (asked(WARD, ASKER, "GUARDIAN"), None),
        (asked(WARD, FORMER), None),  # known under an earlier code
        (asked(WARD, ASKER, "FOSTER_FAMILY"), errors.NotOwnData),
        (asked(WARD, OTHER), errors.NotOwnData),
        (asked(OTHER, ASKER), errors.AnswerMismatch),
        (asked(WARD, ASKER, error=errors.NotFound()), errors.NotOwnData),
        (asked(WARD, ASKER, error=errors.SystemTimeout()), errors.SystemTimeout),
    ],
)
def test_only_of_the_person_asked_about_and_only_by_who_asks(
    engine: Engine, answer: SystemAnswer, refusal: type[errors.GatewayError] | None
) -> None:
    with engine.begin() as connection:
        found = refused(connection, answer, KINDS, ASKER, WARD)
    assert (found if refusal is None else type(found)) is refusal
