"""`decisions` and `social-enterprises` over real sockets: what NPAIS hands in is kept, what VID may read it gets."""

from __future__ import annotations

import dataclasses
import json
import shutil
import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import select
from zeep.exceptions import Fault

import config
import registers
from audit.tables import log_records
from endpoints.soap import application
from errors import InvalidRequest
from exchange import RIGA, Environment, Provenance, new_id, today_in_riga, utc_now
from gateway import Gateway, wire
from mappings.npais import Decision, Decisions
from mappings.social_enterprises import STATUS, SocialEnterprise
from registers import Row
from routing.parties import add_partner
from security.keys import issue, new_keys
from tests.conftest import Template, _postgresql
from tests.endpoints.soap.conftest import on_a_socket
from tests.endpoints.soap.messages import FAULT
from tests.endpoints.soap.test_soap_zeep import Signature, client, konteksts
from tests.registers.invented import code, person_code


@dataclasses.dataclass(frozen=True)
class Site:
    """A gateway on a real socket, and a zeep client of each partner by service."""

    gateway: Gateway
    address: str
    keys: Path

    def service(self, partner: str, name: str) -> Any:
        address = self.address.replace("/persons/", f"/{name}/")
        return client(address, Signature(self.keys, partner)).service

    def rows(self, register: str, child: str) -> tuple[Row, ...]:
        with self.gateway.engine.begin() as connection:
            return registers.search(connection, register, {"person_code": child}, 200)

    def history(self, register: str, row: uuid.UUID) -> tuple[Row, ...]:
        with self.gateway.engine.begin() as connection:
            return registers.read(connection, register, row, history=True)

    def last_outcome(self) -> dict[str, Any]:
        query = select(log_records.c.leaf).order_by(log_records.c.id.desc())
        with self.gateway.engine.connect() as connection:
            leaves = (json.loads(leaf) for leaf in connection.execute(query).scalars())
            return next(leaf for leaf in leaves if leaf["kind"] == "outcome")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, template: Template
) -> Iterator[str]:
    """A database for all tests here, with a log of its own."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("handed-in") / "gateway.db"
        shutil.copy(template("sqlite"), path)
        yield f"sqlite:///{path}"
    else:
        with _postgresql(template("postgresql")) as url:
            yield url


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Site]:
    """One gateway with the rights as shipped, on each database; each test has children and enterprises of its own."""
    folder = tmp_path_factory.mktemp("handed-in")
    for name in ("trust", "crl"):
        (folder / name).mkdir()
    new_keys(folder / "keys", [])
    known = config.load({})
    settings = dataclasses.replace(
        known,
        environment=Environment.TEST,
        state=folder,
        database_url=database,
        trust=folder / "trust",
        crl=folder / "crl",
        limits=dataclasses.replace(known.limits, requests_per_s=10_000),
    )
    gateway = wire(settings, profile=lambda _system: pytest.fail("no system is asked"))
    for name in ("npais", "vid", "siva"):
        identity = issue(folder / "keys", name)
        with gateway.engine.begin() as connection:
            add_partner(connection, name, name, identity.certificate, utc_now())
    with on_a_socket(application(gateway)) as address:
        yield Site(gateway, address, folder / "keys")
    gateway.log.close()
    gateway.engine.dispose()


def kluda(fault: Fault) -> dict[str, str]:
    return {etree.QName(child).localname: child.text for child in fault.detail.find(f"{{{FAULT}}}Kluda")}


def npais(**values: str) -> dict[str, object]:
    return konteksts(**({"Merkis": "child-protection", "Tiesibas": "p10.11"} | values))


def vid() -> dict[str, object]:
    return konteksts(Merkis="tax-administration", Tiesibas="p18.8")


def coded(value: str) -> dict[str, str]:
    return {"Kods": value, "Nosaukums": "-"}


def decision(child: str, number: str = "1-6/17", **changes: object) -> dict[str, object]:
    known = {
        "PersonasKods": child,
        "Numurs": number,
        "Datums": date(2026, 3, 2),
        "Barintiesa": "Talsu novada bāriņtiesa",
        "Veids": coded("PLACE_INSTITUTION"),
        "SpekaNo": date(2026, 3, 2),
    }
    return known | changes


def placement(child: str, **changes: object) -> dict[str, object]:
    known = {"PersonasKods": child, "Iestade": "Bērnu ciemats", "IestasanasDatums": date(2026, 3, 5)}
    return known | changes


def test_decisions_on_several_children_are_kept_and_end_no_others(site: Site) -> None:
    service = site.service("npais", "decisions")
    one, other = person_code(), person_code()
    before = Decision(
        person_code=one,
        number="1-6/1",
        decided_on=date(2025, 1, 2),
        court="Rīgas bāriņtiesa",
        kind=code("SUSPEND_CUSTODY"),
        effective_from=date(2025, 1, 2),
        effective_to=None,
    )
    with site.gateway.engine.begin() as connection:
        origin = Provenance(new_id(), "npais", "v1-0", "test", utc_now())
        registers.feed(connection, Decisions(person_code=one, decisions=(before,)), origin)
    answer = service.DeliverDecisions(
        Konteksts=npais(),
        Lemumi={"Lemums": [decision(one), decision(other), decision(other, "1-6/18")]},
    )
    kept = site.rows("decisions", one)
    assert [row.values["number"] for row in kept] == ["1-6/1", "1-6/17"]
    assert [row.values["number"] for row in site.rows("decisions", other)] == ["1-6/17", "1-6/18"]
    told = kept[1].provenance
    assert (str(told.exchange_id), told.source, told.contract_version) == (answer, "npais", "v1-0")
    assert site.last_outcome()["outcome"] == "ok"


def test_the_same_number_and_court_correct_a_decision(site: Site) -> None:
    service, child = site.service("npais", "decisions"), person_code()
    service.DeliverDecisions(Konteksts=npais(), Lemumi={"Lemums": [decision(child)]})
    (first,) = site.rows("decisions", child)
    service.DeliverDecisions(
        Konteksts=npais(), Lemumi={"Lemums": [decision(child, SpekaLidz=date(2026, 9, 1))]}
    )
    (corrected,) = site.rows("decisions", child)
    assert (corrected.id, corrected.values["effective_to"]) == (first.id, date(2026, 9, 1))
    assert [row.values["effective_to"] for row in site.history("decisions", first.id)] == [
        date(2026, 9, 1),
        None,
    ]


def test_an_annulled_decision_is_in_force_no_more_and_its_history_stays(site: Site) -> None:
    service, child = site.service("npais", "decisions"), person_code()
    service.DeliverDecisions(
        Konteksts=npais(), Lemumi={"Lemums": [decision(child), decision(child, "1-6/18")]}
    )
    first, _ = site.rows("decisions", child)
    named = {"PersonasKods": child, "Numurs": "1-6/17", "Barintiesa": "Talsu novada bāriņtiesa"}
    service.AnnulDecision(Konteksts=npais(), AtceltaisLemums=named)
    assert [row.values["number"] for row in site.rows("decisions", child)] == ["1-6/18"]
    (ended,) = site.history("decisions", first.id)
    assert ended.superseded_at is not None
    service.AnnulDecision(Konteksts=npais(), AtceltaisLemums=named)
    assert site.history("decisions", first.id) == (ended,)
    with pytest.raises(Fault) as unknown:
        service.AnnulDecision(Konteksts=npais(), AtceltaisLemums=named | {"Numurs": "9-9/9"})
    assert kluda(unknown.value)["Kods"] == "not_found"
    with pytest.raises(Fault) as unknown:
        service.AnnulDecision(Konteksts=npais(), AtceltaisLemums=named | {"PersonasKods": person_code()})
    assert kluda(unknown.value)["Kods"] == "not_found"


@pytest.mark.parametrize(
    "decisions",
    [
        [decision("320000-00001"), decision("320000-00001")],
        [decision("320000-00001", SpekaLidz=date(2026, 3, 1))],
    ],
)
def test_decisions_that_contradict_themselves_are_refused(site: Site, decisions: object) -> None:
    service = site.service("npais", "decisions")
    with pytest.raises(Fault) as refused:
        service.DeliverDecisions(Konteksts=npais(), Lemumi={"Lemums": decisions})
    assert kluda(refused.value)["Kods"] == "invalid_request"
    assert site.rows("decisions", "320000-00001") == ()


def test_a_placement_is_kept_ended_and_ends_no_other(site: Site) -> None:
    service, child = site.service("npais", "decisions"), person_code()
    earlier = placement(child, Iestade="Krīzes centrs", IestasanasDatums=date(2026, 1, 2))
    service.DeliverPlacement(Konteksts=npais(), Ievietosana=earlier)
    service.DeliverPlacement(Konteksts=npais(), Ievietosana=placement(child))
    stopped = placement(
        child,
        PartrauksanasDatums=date(2026, 6, 1),
        PartrauksanasIemesls=coded("RETURNED_TO_FAMILY"),
    )
    service.DeliverPlacement(Konteksts=npais(), Ievietosana=stopped)
    crisis, village = site.rows("placements", child)
    assert crisis.values["stopped_on"] is None
    assert (village.values["stopped_on"], village.values["stop_reason"]) == (
        date(2026, 6, 1),
        "RETURNED_TO_FAMILY",
    )
    assert len(site.history("placements", village.id)) == 2
    for wrong in (
        placement(child, PartrauksanasDatums=date(2026, 6, 1)),
        stopped | {"PartrauksanasDatums": date(2026, 3, 4)},
    ):
        with pytest.raises(Fault) as refused:
            service.DeliverPlacement(Konteksts=npais(), Ievietosana=wrong)
        assert kluda(refused.value)["Kods"] == "invalid_request"


def test_only_npais_hands_in_decisions(site: Site) -> None:
    with pytest.raises(Fault) as refused:
        site.service("siva", "decisions").DeliverDecisions(
            Konteksts=npais(), Lemumi={"Lemums": [decision(person_code())]}
        )
    assert kluda(refused.value)["Kods"] == "access_denied"
    with pytest.raises(Fault) as refused:
        site.service("npais", "decisions").DeliverDecisions(
            Konteksts=npais(Merkis="curiosity"), Lemumi={"Lemums": [decision(person_code())]}
        )
    assert kluda(refused.value)["Kods"] == "purpose_not_allowed"


def enterprise(number: str, **changes: Any) -> SocialEnterprise:
    known = SocialEnterprise(
        registration_number=number,
        name="SIA Paraugs",
        status=STATUS["GRANTED"],
        decided_on=date(2026, 2, 3),
        decision_number="SU-17",
        valid_from=date(2026, 2, 4),
    )
    return dataclasses.replace(known, **changes)


def kept(site: Site, *enterprises: SocialEnterprise, at: datetime | None = None) -> None:
    with site.gateway.engine.begin() as connection:
        for one in enterprises:
            origin = Provenance(new_id(), "spolis", "v1-0", "test", at or utc_now())
            registers.feed(connection, one, origin)


def test_vid_reads_the_status_of_an_enterprise(site: Site) -> None:
    service = site.service("vid", "social-enterprises")
    kept(site, enterprise("40000000001"))
    granted = service.GetSocialEnterprise(Konteksts=vid(), RegistracijasNumurs="40000000001")
    assert granted.Uznemums.Statuss.Nosaukums == "Piešķirts"
    assert (granted.Uznemums.LemumaNumurs, granted.Uznemums.SpekaLidz) == ("SU-17", None)
    withdrawn = enterprise("40000000001", status=STATUS["WITHDRAWN"], valid_to=date(2026, 5, 1))
    kept(site, withdrawn)
    again = service.GetSocialEnterprise(Konteksts=vid(), RegistracijasNumurs="40000000001")
    assert (again.Uznemums.Statuss.Kods, again.Uznemums.SpekaLidz) == ("WITHDRAWN", date(2026, 5, 1))
    none = service.GetSocialEnterprise(Konteksts=vid(), RegistracijasNumurs="40000000999")
    assert (none.Uznemums, none.Aizturets) == (None, [])


def followed(service: Any, since: date, **more: object) -> list[Any]:
    """All pages of what changed since a day."""
    found: list[Any] = []
    answer = service.ListSocialEnterprises(Konteksts=vid(), KopsDatuma=since, **more)
    while True:
        found += answer.Uznemumi.Uznemums if answer.Uznemumi else []
        if answer.Turpinajums is None:
            return found
        answer = service.ListSocialEnterprises(
            Konteksts=vid(), KopsDatuma=since, Turpinajums=answer.Turpinajums, **more
        )


def test_vid_follows_what_changed_since_a_day_page_by_page(site: Site) -> None:
    service = site.service("vid", "social-enterprises")
    long_ago = datetime(2020, 1, 1, tzinfo=RIGA)
    kept(site, enterprise("41000000000"), at=long_ago)
    numbers = [f"4100000000{last}" for last in range(1, 8)]
    kept(site, *(enterprise(number) for number in numbers), at=utc_now())
    seen = [one.RegistracijasNumurs for one in followed(service, today_in_riga(), Skaits=3)]
    assert sorted(number for number in seen if number in numbers) == numbers
    assert len(seen) == len(set(seen))
    assert "41000000000" not in seen
    tomorrow = today_in_riga() + timedelta(days=1)
    assert followed(service, tomorrow) == []


def test_a_row_that_changes_between_two_pages_hides_no_other(site: Site) -> None:
    service = site.service("vid", "social-enterprises")
    numbers = [f"4200000000{last}" for last in range(1, 5)]
    kept(site, *(enterprise(number) for number in numbers))
    first: list[Any] = []
    after: dict[str, object] = {}
    while numbers[1] not in [one.RegistracijasNumurs for one in first]:
        page = service.ListSocialEnterprises(Konteksts=vid(), KopsDatuma=today_in_riga(), Skaits=1, **after)
        first += page.Uznemumi.Uznemums
        after = {"Turpinajums": page.Turpinajums}
    # The row at which the page ended, and one that was told before it, become new versions meanwhile.
    kept(site, *(enterprise(number, name="SIA Cits") for number in numbers[:2]))
    rest: list[Any] = []
    while True:
        page = service.ListSocialEnterprises(Konteksts=vid(), KopsDatuma=today_in_riga(), Skaits=1, **after)
        rest += page.Uznemumi.Uznemums
        if page.Turpinajums is None:
            break
        after = {"Turpinajums": page.Turpinajums}
    told = [(one.RegistracijasNumurs, one.Nosaukums) for one in rest]
    assert told == [
        (numbers[2], "SIA Paraugs"),
        (numbers[3], "SIA Paraugs"),
        (numbers[0], "SIA Cits"),
        (numbers[1], "SIA Cits"),
    ]


def test_the_end_of_no_answer_is_refused_and_so_is_who_is_not_vid(site: Site) -> None:
    with pytest.raises(Fault) as refused:
        site.service("vid", "social-enterprises").ListSocialEnterprises(
            Konteksts=vid(), KopsDatuma=today_in_riga(), Turpinajums=str(uuid.uuid4())
        )
    assert kluda(refused.value)["Kods"] == "invalid_request"
    with pytest.raises(Fault) as refused:
        site.service("npais", "social-enterprises").GetSocialEnterprise(
            Konteksts=vid(), RegistracijasNumurs="40000000001"
        )
    assert kluda(refused.value)["Kods"] == "access_denied"


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": STATUS["REFUSED"]},
        {"status": STATUS["WITHDRAWN"]},
        {"valid_from": None},
        {"valid_to": date(2026, 2, 3)},
    ],
)
def test_a_status_that_contradicts_itself_is_refused(site: Site, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        kept(site, enterprise("43000000000", **wrong))
