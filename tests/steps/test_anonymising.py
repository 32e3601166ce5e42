"""When a purpose has ended nothing of the person is left in any table, and what is kept tells nothing of him."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import delete, insert, select, update

from gateway import Gateway
from registers.anonymising import ANONYMISED, due
from registers.persons import PERSON
from registers.purposes import purposes
from routing import anonymising
from routing.reconciliation import ITEM, RUN
from storage import metadata
from tests.steps.wired import CODE, Door, Wire, arrive, count, leaves, person, stay

TODAY = date(2026, 11, 28)


def run(gateway: Gateway) -> dict[str, int]:
    acting = gateway.settings.environment, TODAY, "plan of 2026"
    return dict(anonymising.anonymise(gateway.engine, gateway.log, *acting))


def where(gateway: Gateway, needle: str) -> set[str]:
    """The tables of registers and reconciliation in which any column of any row holds a text."""
    found = set()
    with gateway.engine.begin() as connection:
        for table in metadata.sorted_tables:
            if table.schema in ("log", "archive", "routing", None):
                continue
            for row in connection.execute(select(table)):
                if any(needle in str(value) for value in row):
                    found.add(table.fullname)
    return found


def fill(gateway: Gateway, transport: Wire, **values: object) -> str:
    """A person with names and codes and a stay that ended long ago; gives the internal id."""
    transport.answers = [person()]
    assert arrive(gateway, Door()).status == 200
    old = {"entered_on": "2010-01-02", "ended_on": "2012-05-05", "end_reason": "OWN_REQUEST"}
    reply = arrive(gateway, stay(**(old | values)))
    assert reply.status == 200, reply.body
    with gateway.engine.begin() as connection:
        return str(connection.execute(select(PERSON.c.id)).scalar_one())


def reconciled(gateway: Gateway, id_: str) -> None:
    """As if the person had been compared with a source."""
    run = {"id": uuid.uuid4(), "system": "pmlp", "selection": "x", "actor": "x", "reason": "x"}
    item = {"id": uuid.uuid4(), "run_id": run["id"], "person_id": uuid.UUID(id_), "state": "same"}
    none = dict.fromkeys(("ours", "theirs", "opened", "standing", "settled"), 0)
    with gateway.engine.begin() as connection:
        begun = datetime(2014, 1, 1, tzinfo=UTC)
        connection.execute(insert(RUN).values(**run, persons=1, not_held=0, begun_at=begun, ended_at=begun))
        connection.execute(insert(ITEM).values(**item, **none, arguments={"person_code": CODE}))


def grow_old(gateway: Gateway) -> None:
    """As if all of it had been recorded twelve years ago."""
    with gateway.engine.begin() as connection:
        for table in metadata.sorted_tables:
            if table.schema not in ("log", "archive", "routing") and "recorded_at" in table.c:
                connection.execute(update(table).values(recorded_at=datetime(2014, 1, 1, tzinfo=UTC)))


def test_a_row_goes_and_the_person_stays(gateway: Gateway, transport: Wire) -> None:
    id_ = fill(gateway, transport)
    with gateway.engine.begin() as connection:
        assert due(connection, purposes(), TODAY) == {"spolis.spolis_care_stay": 1}
    assert run(gateway) == {"spolis.spolis_care_stay": 1, "archived": 1}
    assert (count(gateway, "spolis_care_stay"), count(gateway, "spolis_person")) == (0, 1)
    with gateway.engine.begin() as connection:
        (kept,) = connection.execute(select(ANONYMISED)).all()
    assert (kept.register_table, kept.birth_year) == ("spolis.spolis_care_stay", 1980)
    content = json.loads(kept.content)
    assert (content["entered_on"], content["ended_on"], content["institution_kind"]) == (
        2010,
        2012,
        "STATE_CARE_CENTRE",
    )
    assert id_ not in str(kept)
    record = leaves(gateway)[-1]
    assert (record["act"], record["archived"]) == ("registers anonymise", 1)
    assert record["erased"] == {"spolis.spolis_care_stay": 1}
    assert record["years"] == {"spolis.spolis_care_stay": 10}
    assert run(gateway) == {}


def test_of_a_person_without_a_purpose_nothing_is_left(gateway: Gateway, transport: Wire) -> None:
    id_ = fill(gateway, transport)
    reconciled(gateway, id_)
    for needle in (CODE.replace("-", ""), "Paraudziņa", id_):
        assert where(gateway, needle) or needle == CODE.replace("-", "")
    grow_old(gateway)
    gone = run(gateway)
    assert (gone["persons"], gone["spolis.spolis_person_code"], gone["pmlp.pmlp_identity"]) == (1, 1, 1)
    assert gone["reconciliation.reconciliation_item"] == 1
    for needle in (CODE, CODE.replace("-", ""), "Paraudziņa", "1980-02-03", id_, str(uuid.UUID(id_).hex)):
        assert not where(gateway, needle)
    if gateway.engine.dialect.name == "sqlite":
        file = Path(str(gateway.engine.url.database))
        assert not any("Paraudziņa".encode() in path.read_bytes() for path in file.parent.glob("*.db*"))
    assert count(gateway, "spolis_anonymised") >= 1


def test_a_purpose_that_goes_on_keeps_the_person(gateway: Gateway, transport: Wire) -> None:
    fill(gateway, transport, ended_on=None, end_reason=None)
    grow_old(gateway)
    assert run(gateway) == {}
    assert count(gateway, "pmlp_identity") == 1


def test_the_dead_go_with_all_that_is_left(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [person(deceased=True, death_date=date(2015, 3, 4))]
    assert arrive(gateway, Door()).status == 200
    assert arrive(gateway, stay(ended_on="2026-01-05", end_reason="OWN_REQUEST")).status == 200
    assert run(gateway)["persons"] == 1
    assert not where(gateway, "Paraudziņa")


def test_the_archive_is_checked_against_the_records(gateway: Gateway, transport: Wire) -> None:
    fill(gateway, transport)
    run(gateway)
    assert anonymising.disproved(gateway.engine) == []
    with gateway.engine.begin() as connection:
        (run_id,) = connection.execute(select(ANONYMISED.c.run)).scalars()
        connection.execute(delete(ANONYMISED))
    assert anonymising.disproved(gateway.engine) == [run_id]
