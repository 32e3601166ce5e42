"""Right records of municipalities and planning regions as a client writes them, and a gateway that takes them."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from zeep.exceptions import Fault

import config
import registers
from endpoints.soap import application
from exchange import Environment, utc_now
from gateway import Gateway, wire
from routing.parties import add_partner
from security.keys import issue, new_keys
from tests.endpoints.soap.conftest import on_a_socket
from tests.endpoints.soap.messages import FAULT
from tests.endpoints.soap.test_soap_zeep import Signature, client, konteksts
from tests.registers.invented import person_code

# Partner by name: the recipient whose rights it has. Two municipal systems have the rights of one kind.
PARTNERS = {
    "sopa": "municipality",
    "other-system": "municipality",
    "kurzeme": "planning-region",
    "talsi": "talsi-social-service",
}
_CONTEXT = {
    "sopa": ("social-service", "p17.3"),
    "other-system": ("social-service", "p17.3"),
    "kurzeme": ("deinstitutionalisation", "p17.11"),
    "talsi": ("social-service", "p10.8"),
}
MEANS = ("SubmitStatus", "SubmitDeclaration", "SubmitSurvey", "SubmitSupportFund")
# By operation: the register that keeps it, and the code of the record that is deleted.
KEPT = {
    "SubmitStatus": ("means-statuses", "STATUS"),
    "SubmitDeclaration": ("means-declarations", "DECLARATION"),
    "SubmitSurvey": ("home-surveys", "SURVEY"),
    "SubmitSupportFund": ("support-fund-statuses", "SUPPORT_FUND"),
    "SubmitService": ("services", "SERVICE"),
    "SubmitBenefit": ("benefits", "BENEFIT"),
    "SubmitPayment": ("support-payments", "PAYMENT"),
    "SubmitPlacement": ("municipal-placements", "PLACEMENT"),
    "SubmitAssessment": ("support-assessments", "ASSESSMENT"),
    "SubmitCommunityService": ("community-services", "COMMUNITY_SERVICE"),
    "SubmitAssistant": ("assistants", "ASSISTANT"),
    "SubmitAssistantDelivery": ("assistant-deliveries", "ASSISTANT_DELIVERY"),
    "SubmitAssistantReport": ("assistant-reports", "ASSISTANT_REPORT"),
    "SubmitVictimService": ("victim-services", "VICTIM_SERVICE"),
    "SubmitVictimReport": ("victim-reports", "VICTIM_REPORT"),
}

Record = dict[str, Any]


def coded(value: str) -> dict[str, str]:
    """A code with some text; what the text says does not count."""
    return {"Kods": value, "Nosaukums": "-"}


@dataclass(frozen=True)
class Refused:
    """A Fault: its code, and the sentence with the detail."""

    code: str
    reason: str


@dataclass(frozen=True)
class Household:
    """Right records about one person under ids that nobody else has."""

    person: str = field(default_factory=person_code)
    other: str = field(default_factory=person_code)
    number: str = field(default_factory=lambda: f"O-{uuid.uuid4().hex[:8]}")

    def _of(self, record: str) -> Record:
        return {
            "ObjektaNumurs": f"{self.number}-{record}",
            "PersonasKods": self.person,
            "Pasvaldiba": "0051000",
        }

    def _report(self) -> Record:
        return {
            "ObjektaNumurs": f"{self.number}-report",
            "Pasvaldiba": "0051000",
            "PeriodaSakums": date(2026, 1, 1),
            "PeriodaBeigas": date(2026, 3, 31),
            "FinansuIzlietojums": "1200.50",
            "RezultativaisRaditajs": [{"RaditajaNosaukums": "Personas", "Planots": 10, "Sasniegts": 8}],
            "Parskats": "Izpildīts.",
        }

    def status(self) -> Record:
        return self._of("status") | {
            "Statuss": coded("NEEDY"),
            "LemumaDatums": date(2026, 1, 5),
            "LemumaNumurs": "3-1/17",
            "SakumaDatums": date(2026, 1, 5),
            "BeiguDatums": date(2026, 6, 30),
        }

    def declaration(self) -> Record:
        member = {
            "Vards": ["Jānis"],
            "Uzvards": "Paraugs",
            "PersonasKods": self.other,
            "Radnieciba": coded("CHILD"),
            "NodarbinatibasStatuss": coded("STUDENT"),
            "VidejieIenakumi": "0",
            "IenakumuVeids": [coded("MAINTENANCE"), coded("STATE_BENEFIT")],
            "NekustamaisIpasums": [{"KadastraNumurs": "88010010001", "DomajamaDala": "1/2"}],
            "KustamaManta": [{"Apraksts": "Velosipēds"}],
            "UzturaLigums": [{"NoslegsanasDatums": date(2020, 5, 1), "OtraPuse": "Anna Paraudziņa"}],
        }
        return self._of("declaration") | {
            "Vards": ["Anna", "Marija"],
            "Uzvards": "Paraudziņa",
            "IesniegsanasDatums": date(2026, 1, 4),
            "Iestade": "Talsu novada Sociālais dienests",
            "VidejieIenakumi": "410.20",
            "MajsaimniecibasIenakumi": "205.10",
            "NoraditaPersona": [member],
        }

    def survey(self) -> Record:
        return self._of("survey") | {
            "ApsekotaAdrese": "Kareivju iela 7, Talsi",
            "ApsekosanasDatums": date(2026, 1, 8),
            "ApsekotajsDarbinieks": [
                {"Vards": ["Ilze"], "Uzvards": "Piemēra", "Amats": "Sociālā darbiniece"}
            ],
            "ApsekosanasIemesls": "Iesniegums par pabalstu",
        }

    def support_fund(self) -> Record:
        return self._of("fund") | {"SakumaDatums": date(2026, 1, 5), "BeiguDatums": date(2026, 6, 30)}

    def service(self, **changes: object) -> Record:
        service = {
            "PersonasKods": self.person,
            "Pasvaldiba": "0051000",
            "LietasNumurs": self.number,
            "IesniegumaDatums": date(2026, 1, 10),
            "Statuss": coded("GRANTED"),
            "LemumaDatums": date(2026, 1, 20),
            "PakalpojumaVeids": coded("HOME_CARE"),
            "Sniedzejs": "Aprūpe mājās, SIA",
            "Nodrosinatajs": coded("MERCHANT"),
            "FinansejumaAvots": coded("MUNICIPALITY"),
            "ValstsAtbalsts": False,
            "Deinstitucionalizacija": True,
            "SakumaDatums": date(2026, 2, 1),
        }
        return {
            "ObjektaNumurs": f"{self.number}-service",
            "IesniegumaVeids": coded("SERVICE"),
            "Iestade": "Talsu novada Sociālais dienests",
            "Pakalpojums": service | changes,
        }

    def benefit(self) -> Record:
        return self._of("benefit") | {
            "IesniegumaDatums": date(2026, 1, 4),
            "IesniegumaVeids": coded("BENEFIT"),
            "Statuss": coded("GRANTED"),
            "LemumaDatums": date(2026, 1, 12),
            "IenakumuTestets": True,
            "PabalstaVeids": coded("HOUSING"),
        }

    def payment(self, of: str = "benefit") -> Record:
        return self._of("payment") | {
            "AtbalstaNumurs": f"{self.number}-{of}",
            "PieskirsanasVeids": coded("MONEY"),
            "Menesis": "2026-02",
            "Summa": "95.40",
            "IzpildesDatums": date(2026, 2, 10),
        }

    def placement(self) -> Record:
        placement = {
            "PersonasKods": self.person,
            "Pasvaldiba": "0051000",
            "LietasNumurs": self.number,
            "Iestade": "Bērnu ciemats",
            "IestasanasDatums": date(2026, 1, 2),
        }
        return {"ObjektaNumurs": f"{self.number}-placement", "Ievietosana": placement}

    def assessment(self) -> Record:
        return self._of("assessment") | {
            "Merkgrupa": coded("CHILD_IMPAIRMENT"),
            "IzvertesanasDatums": date(2026, 1, 15),
            "Izvertetajs": "Kurzemes plānošanas reģiona komanda",
            "Vajadzibas": "Atbalsts ikdienā",
            "AtbalstaPlanaDatums": date(2026, 2, 1),
            "AtbalstaPlanaPakalpojums": [coded("DAY_CENTRE"), coded("SPECIALIST_CONSULTATION")],
        }

    def plan(self) -> Record:
        return self._of("plan") | {
            "PlanosanasRegions": coded("KURZEME"),
            "PlanaNumurs": "DI-2026/1",
            "ApstiprinasanasDatums": date(2025, 12, 1),
            "Merkgrupa": coded("CHILD_IMPAIRMENT"),
            "PlanotaisPakalpojums": [coded("DAY_CENTRE")],
            "SakumaDatums": date(2026, 1, 1),
            "BeiguDatums": date(2026, 12, 31),
        }

    def community_service(self) -> Record:
        return self._of("community") | {
            "Merkgrupa": coded("CHILD_IMPAIRMENT"),
            "PakalpojumaVeids": coded("DAY_CENTRE"),
            "Sniedzejs": "Dienas centrs, biedrība",
            "FinansejumaAvots": coded("OTHER"),
            "SakumaDatums": date(2026, 3, 1),
        }

    def assistant(self) -> Record:
        return self._of("assistant") | {
            "RegistracijasDatums": date(2026, 1, 5),
            "LemumaDatums": date(2026, 1, 12),
            "Atkartoti": False,
            "TransportaKompensacija": True,
            "Asistents": {
                "Vards": ["Kārlis"],
                "Uzvards": "Palīgs",
                "PersonasKods": self.other,
                "Dzimums": coded("M"),
                "Radnieciba": coded("NOT_RELATED"),
                "NodarbinatibasVeids": coded("WORK_CONTRACT"),
            },
        }

    def assistant_delivery(self) -> Record:
        return {
            "ObjektaNumurs": f"{self.number}-delivery",
            "PersonasKods": self.person,
            "PakalpojumaNumurs": f"{self.number}-assistant",
            "Menesis": "2026-02",
            "Darbiba": coded("WORK"),
            "PieskirtasStundasNedela": "10",
            "NostradatasStundasNedela": "8.5",
            "NostradatasStundasMenesi": "34",
            "StundasCena": "4.75",
            "BrutoAlga": "161.50",
            "SamaksatsParTransportu": "12.00",
            "KopejaSumma": "173.50",
            "LigumaNumurs": "A-7",
            "LigumsNo": date(2026, 1, 15),
            "UzsaksanasDatums": date(2026, 1, 15),
            "IemaksuLikme": "34.09",
        }

    def victim_service(self) -> Record:
        kind = coded("PSYCHOLOGIST")
        return self._of("victim") | {
            "PieskirtaisApjoms": [{"PakalpojumaVeids": kind, "KonsultacijuSkaits": 10, "DienuSkaits": 0}],
            "SniegtaisApjoms": [{"PakalpojumaVeids": kind, "KonsultacijuSkaits": 4, "DienuSkaits": 0}],
            "Izmaksas": [
                {"PakalpojumaVeids": kind, "KonsultacijasCena": "30.00", "KopejasIzmaksas": "120.00"}
            ],
            "SamaksatsParTransportu": "8.20",
            "PieskirsanasDatums": date(2026, 1, 20),
            "UzsaksanasDatums": date(2026, 2, 1),
            "PakalpojumaSniedzejs": [
                {
                    "SniedzejaNosaukums": "Atbalsta centrs",
                    "Vards": ["Laima"],
                    "Uzvards": "Piemēra",
                    "Profesija": kind,
                    "DarbibasForma": coded("EMPLOYEE"),
                }
            ],
        }

    def every(self) -> dict[str, tuple[str, Record]]:
        """By operation of `municipal`: the element and a right record; what others name comes before them."""
        return {
            "SubmitStatus": ("MaterialaStavoklaStatuss", self.status()),
            "SubmitDeclaration": ("Deklaracija", self.declaration()),
            "SubmitSurvey": ("Apsekosana", self.survey()),
            "SubmitSupportFund": ("AtbalstaFonds", self.support_fund()),
            "SubmitService": ("PakalpojumaIeraksts", self.service()),
            "SubmitBenefit": ("Pabalsts", self.benefit()),
            "SubmitPayment": ("Izmaksa", self.payment()),
            "SubmitPlacement": ("IevietosanasIeraksts", self.placement()),
            "SubmitAssessment": ("Izvertejums", self.assessment()),
            "SubmitCommunityService": ("SabiedribaBalstitsPakalpojums", self.community_service()),
            "SubmitAssistant": ("AsistentaPakalpojums", self.assistant()),
            "SubmitAssistantDelivery": ("SniegtaisPakalpojums", self.assistant_delivery()),
            "SubmitAssistantReport": (
                "AsistentaParskats",
                self._report() | {"PrognozetaisFinansejums": "1500.00"},
            ),
            "SubmitVictimService": ("CietusasPersonasRehabilitacija", self.victim_service()),
            "SubmitVictimReport": (
                "RehabilitacijasParskats",
                self._report()
                | {"PersonasRinda": 4, "PersonasRindaSteidzami": 1, "KopejasIzmaksasPerioda": "900.00"},
            ),
        }

    def deletion(self, record: Mapping[str, Any], kind: str) -> Record:
        """The deletion of a record; a report is of no person."""
        whose = {} if kind.endswith("REPORT") else {"PersonasKods": self.person}
        return {
            "ObjektaNumurs": record["ObjektaNumurs"],
            **whose,
            "Veids": coded(kind),
            "Iemesls": coded("SENT_TWICE"),
        }


@dataclass(frozen=True)
class Site:
    """A gateway on a real socket, and a zeep client of each partner by service."""

    gateway: Gateway
    address: str
    keys: Path

    def post(self, partner: str, name: str, **record: object) -> Any:
        """Sign and post a request, of `municipal` unless the operation names its service: the answer, or Refused."""
        service, _, operation = name.rpartition(".")
        service = service or "municipal"
        purpose, rule = _CONTEXT[partner]
        if operation.startswith("Delete"):
            rule = "p20"
        elif operation.startswith("Get") and service == "deinstitutionalisation":
            rule = "p18.5"
        if operation in MEANS:
            purpose = "social-assistance"
        context = konteksts(Merkis=purpose, Tiesibas=rule)
        address = self.address.replace("/persons/", f"/{service}/")
        try:
            return getattr(_client(address, self.keys, partner), operation)(Konteksts=context, **record)
        except Fault as fault:
            kluda = fault.detail.find(f"{{{FAULT}}}Kluda")
            told = {etree.QName(child).localname: child.text for child in kluda}
            return Refused(str(told["Kods"]), str(fault.message))

    def take(self, partner: str, name: str, **record: object) -> Any:
        """Post what must be taken."""
        answer = self.post(partner, name, **record)
        assert not isinstance(answer, Refused), (name, answer)
        return answer

    def rows(self, register: str, **criteria: str) -> tuple[registers.Row, ...]:
        """The rows of a register that meet the criteria, whoever may read them."""
        with self.gateway.engine.begin() as connection:
            return registers.search(connection, register, criteria, 200)

    def kept(self, operation: str, household: Household) -> tuple[registers.Row, ...]:
        """What is kept of a record of the household now."""
        register, kind = KEPT[operation]
        if kind.endswith("REPORT"):
            return self.rows(register, object_no=f"{household.number}-report")
        return self.rows(register, person_code=household.person)

    def history(self, register: str, row: uuid.UUID) -> tuple[registers.Row, ...]:
        """All versions of one thing, newest first."""
        with self.gateway.engine.begin() as connection:
            return registers.read(connection, register, row, history=True)


@cache
def _client(address: str, keys: Path, partner: str) -> Any:
    return client(address, Signature(keys, partner)).service


@contextmanager
def serving(folder: Path, database: str) -> Iterator[Site]:
    """A gateway with the rights as they are shipped."""
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
    for name, recipient in PARTNERS.items():
        identity = issue(folder / "keys", name)
        with gateway.engine.begin() as connection:
            add_partner(connection, name, recipient, identity.certificate, utc_now())
    with on_a_socket(application(gateway)) as address:
        yield Site(gateway, address, folder / "keys")
    gateway.log.close()
    gateway.engine.dispose()
