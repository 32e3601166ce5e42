"""What municipalities and planning regions hand in over sockets: kept, corrected, deleted, and read by the right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from exchange import Context, Environment, Grant, Json, Official, new_id
from registers import Pseudonyms, Row, disclose_nameless
from tests.conftest import Template, _postgresql
from tests.endpoints.soap.municipal import KEPT, Household, Refused, Site, coded, serving


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, template: Template
) -> Iterator[Site]:
    """One gateway for all tests here, on each database: each test speaks of persons of its own."""
    folder = tmp_path_factory.mktemp("municipal")
    if request.param == "sqlite":
        shutil.copy(template("sqlite"), folder / "gateway.db")
        with serving(folder, f"sqlite:///{folder / 'gateway.db'}") as made:
            yield made
    else:
        with _postgresql(template("postgresql")) as url, serving(folder, url) as made:
            yield made


@pytest.fixture
def home() -> Household:
    return Household()


def handed_in(site: Site, home: Household, partner: str = "sopa") -> None:
    """Hand in every record of a household."""
    for operation, (element, record) in home.every().items():
        site.take(partner, operation, **{element: record})


def nameless(site: Site, operation: str, row: Row) -> tuple[dict[str, Json], tuple[str, ...]]:
    """What LabIS gets of a row by the rights as shipped."""
    context = Context("statistics", "p18.6", Official("", "", ""), "", new_id(), Environment.TEST)
    grant: Grant = site.gateway.access.decide("labis", operation, context).grant
    assert grant.pseudonyms_of == "labis"
    return disclose_nameless(row, grant.permits, Pseudonyms.of(b"secret", "labis"))


def test_every_record_is_kept_with_its_source_and_deleted_by_its_id(site: Site, home: Household) -> None:
    handed_in(site, home)
    for operation in KEPT:
        (row,) = site.kept(operation, home)
        assert (row.provenance.source, row.provenance.contract_version) == ("municipality", "v1-0")
        if "supplier" in row.values:
            assert row.values["supplier"] == "sopa"
    (declaration,) = site.rows("means-declarations", person_code=home.person)
    assert declaration.values["average_income"] == Decimal("410.20")
    (member,) = site.rows("declared-persons", person_code=home.person)
    assert (member.values["member_code"], member.values["kinship"]) == (home.other, "CHILD")
    assert member.values["income_kinds"] == ("MAINTENANCE", "STATE_BENEFIT")
    estate = member.values["real_estate"]
    assert estate == [{"cadastre_no": "88010010001", "folio_no": None, "share": "1/2"}]
    (payment,) = site.rows("support-payments", person_code=home.person)
    assert (payment.values["paid_for"], payment.values["amount"]) == (date(2026, 2, 1), Decimal("95.40"))
    (victim,) = site.rows("victim-services", person_code=home.person)
    given = victim.values["given"]
    assert isinstance(given, list)
    assert isinstance(given[0], dict)
    assert (given[0]["consultations"], given[0]["kind"]) == (
        4,
        {
            "code": "PSYCHOLOGIST",
            "text_lv": "Psihologa konsultācija",
            "text_en": "Consultation of a psychologist",
        },
    )
    for operation, (_, record) in home.every().items():
        register, kind = KEPT[operation]
        (row,) = site.kept(operation, home)
        site.take("sopa", "DeleteMunicipalRecord", Dzesana=home.deletion(record, kind))
        assert site.kept(operation, home) == ()
        (last,) = site.history(register, row.id)
        assert last.superseded_at is not None
        (why,) = site.rows("municipal-deletions", object_no=record["ObjektaNumurs"], kind=kind)
        assert why.values["reason"] == "SENT_TWICE"
    assert site.rows("declared-persons", person_code=home.person) == ()


def test_the_same_id_again_confirms_or_corrects(site: Site, home: Household) -> None:
    for changes in ({}, {}, {"Statuss": coded("LOW_INCOME")}):
        site.take("sopa", "SubmitStatus", MaterialaStavoklaStatuss=home.status() | changes)
    (now,) = site.rows("means-statuses", person_code=home.person)
    newest, oldest = site.history("means-statuses", now.id)
    assert (newest.values["status"], oldest.values["status"]) == ("LOW_INCOME", "NEEDY")
    site.take("sopa", "SubmitDeclaration", Deklaracija=home.declaration())
    site.take("sopa", "SubmitDeclaration", Deklaracija=home.declaration() | {"NoraditaPersona": []})
    assert site.rows("declared-persons", person_code=home.person) == ()
    stranger = Household(number=home.number)
    refused = site.post("sopa", "SubmitStatus", MaterialaStavoklaStatuss=stranger.status())
    assert isinstance(refused, Refused)
    assert "object_no is of another person" in refused.reason


def test_what_another_handed_in_is_out_of_reach(site: Site, home: Household) -> None:
    handed_in(site, home)
    for operation, (_, record) in home.every().items():
        refused = site.post(
            "other-system", "DeleteMunicipalRecord", Dzesana=home.deletion(record, KEPT[operation][1])
        )
        assert isinstance(refused, Refused)
        assert refused.code == "not_found"
        assert len(site.kept(operation, home)) == 1
    changed = home.status() | {"Statuss": coded("LOW_INCOME")}
    site.take("other-system", "SubmitStatus", MaterialaStavoklaStatuss=changed)
    statuses = {row.values["supplier"]: row.values["status"] for row in site.kept("SubmitStatus", home)}
    assert statuses == {"sopa": "NEEDY", "other-system": "LOW_INCOME"}
    for operation, element in (
        ("SubmitService", "PakalpojumaIeraksts"),
        ("SubmitPlacement", "IevietosanasIeraksts"),
    ):
        refused = site.post("other-system", operation, **{element: home.every()[operation][1]})
        assert isinstance(refused, Refused)
        assert "the case was handed in by another" in refused.reason


@pytest.mark.parametrize(
    ("partner", "service", "operation"),
    [
        ("kurzeme", "municipal", "SubmitStatus"),
        ("talsi", "municipal", "SubmitVictimService"),
        ("sopa", "deinstitutionalisation", "SubmitRegionPlan"),
        ("sopa", "deinstitutionalisation", "GetAssessments"),
    ],
)
def test_nobody_hands_in_or_reads_what_is_not_his(
    site: Site, home: Household, partner: str, service: str, operation: str
) -> None:
    element, record = {
        "SubmitRegionPlan": ("RegionaPlans", home.plan()),
        "GetAssessments": ("PersonasKods", home.person),
    }.get(operation) or home.every()[operation]
    refused = site.post(partner, f"{service}.{operation}", **{element: record})
    assert isinstance(refused, Refused)
    assert (refused.code, f"{service}.{operation}" in refused.reason) == ("access_denied", True)
    assert site.rows("region-plans", person_code=home.person) == ()


def test_planning_regions_read_whoever_handed_it_in(site: Site, home: Household) -> None:
    site.take("sopa", "SubmitAssessment", Izvertejums=home.assessment())
    site.take("sopa", "SubmitCommunityService", SabiedribaBalstitsPakalpojums=home.community_service())
    di = "deinstitutionalisation"
    own = home.assessment() | {"ObjektaNumurs": "K-1", "IzvertesanasDatums": date(2026, 1, 16)}
    site.take("kurzeme", f"{di}.SubmitAssessment", Izvertejums=own)
    site.take("kurzeme", f"{di}.SubmitRegionPlan", RegionaPlans=home.plan())
    sources = [row.provenance.source for row in site.kept("SubmitAssessment", home)]
    assert sources == ["municipality", "planning-region"]
    told = site.take("kurzeme", f"{di}.GetAssessments", PersonasKods=home.person)
    assert [one.IzvertesanasDatums for one in told.IzvertejumaZinas] == [date(2026, 1, 15), date(2026, 1, 16)]
    assert told.IzvertejumaZinas[0].AtbalstaPlanaPakalpojums[1].Nosaukums.startswith("Speciālistu")
    plans = site.take("kurzeme", f"{di}.GetRegionPlans", PersonasKods=home.person)
    assert [one.PlanaNumurs for one in plans.PlanaZinas] == ["DI-2026/1"]
    services = site.take("kurzeme", f"{di}.GetCommunityServices", PersonasKods=home.person)
    assert [one.Sniedzejs for one in services.PakalpojumaZinas] == ["Dienas centrs, biedrība"]
    assert [answer.Aizturets for answer in (told, plans, services)] == [[], [], []]
    for record, kind in ((own, "ASSESSMENT"), (home.plan(), "PLAN")):
        site.take("kurzeme", f"{di}.DeleteRegionRecord", Dzesana=home.deletion(record, kind))
    refused = site.post(
        "kurzeme", f"{di}.DeleteRegionRecord", Dzesana=home.deletion(home.assessment(), "ASSESSMENT")
    )
    assert isinstance(refused, Refused)
    assert refused.code == "not_found"
    assert len(site.kept("SubmitAssessment", home)) == 1


def test_a_service_is_on_the_one_card_and_not_given_twice(site: Site, home: Household) -> None:
    site.take("sopa", "SubmitService", PakalpojumaIeraksts=home.service())
    told = site.take("talsi", "persons.GetServices", PersonasKods=home.person)
    (card,) = told.PasvaldibuPakalpojumi.Pakalpojums
    assert (card.LietasNumurs, card.Sniedzejs) == (home.number, "Aprūpe mājās, SIA")
    twice = Household(person=home.person)
    refused = site.post("other-system", "SubmitService", PakalpojumaIeraksts=twice.service(Sniedzejs="Cits"))
    assert isinstance(refused, Refused)
    assert "another provider gives the person this service" in refused.reason
    moved = home.service(LietasNumurs=f"{home.number}-b", Sniedzejs="Cits")
    site.take("sopa", "SubmitService", PakalpojumaIeraksts=moved)
    (row,) = site.kept("SubmitService", home)
    assert (row.values["case_number"], row.values["provider"]) == (f"{home.number}-b", "Cits")


@pytest.mark.parametrize(
    ("operation", "changes", "detail"),
    [
        ("SubmitStatus", {"BeiguDatums": date(2026, 1, 4)}, "valid_to is before valid_from"),
        ("SubmitBenefit", {"LemumaDatums": None}, "decided_on belongs to"),
        ("SubmitBenefit", {"IesniegumaVeids": coded("SERVICE")}, "application_kind of a benefit"),
        ("SubmitPayment", {"AtbalstaNumurs": "nowhere"}, "support_no is of no benefit or service"),
        ("SubmitAssistantDelivery", {"PakalpojumaNumurs": "nowhere"}, "service_no is of no assistant"),
        ("SubmitAssessment", {"AtbalstaPlanaDatums": None}, "planned_on and planned_services"),
        ("SubmitVictimService", {"PabeigsanasDatums": date(2026, 1, 31)}, "ended_on is before started_on"),
    ],
)
def test_a_record_that_contradicts_itself_or_others_is_refused(
    site: Site, home: Household, operation: str, changes: dict[str, object], detail: str
) -> None:
    element, record = home.every()[operation]
    refused = site.post("sopa", operation, **{element: record | changes})
    assert isinstance(refused, Refused)
    assert refused.code == "invalid_request"
    assert detail in refused.reason
    assert home.person not in refused.reason
    assert site.kept(operation, home) == ()


def test_labis_gets_what_its_point_gives_and_nobody_by_name(site: Site, home: Household) -> None:
    handed_in(site, home)
    (row,) = site.rows("victim-services", person_code=home.person)
    given, withheld = nameless(site, "registers.SearchVictimServices", row)
    assert {"granted", "costs", "granted_on"} <= given.keys()
    assert {"municipality", "providers", "object_no"} <= set(withheld)
    for register, operation in (
        ("declared-persons", "SearchDeclaredPersons"),
        ("assistants", "SearchAssistants"),
        ("benefits", "SearchBenefits"),
    ):
        (row,) = site.rows(register, person_code=home.person)
        given, withheld = nameless(site, f"registers.{operation}", row)
        assert not {home.person, home.other, "Paraugs", "Palīgs", str(row.person_id)} & set(
            map(str, given.values())
        )
        assert {"kinship", "repeated", "means_tested"} & given.keys()
        assert {"family_name", "assistant_family_name", "refusal_reason"} & set(withheld)
