"""Long-term care as suppliers and readers speak of it: bodies, partners, a gateway, and SAIS on a socket."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from lxml import etree
from sqlalchemy import update

import config
import registers
from audit.tables import log_records
from endpoints.soap import application
from endpoints.work.bell import Bell
from endpoints.work.deliveries import Deliveries
from exchange import Environment, utc_now
from gateway import Gateway, wire
from routing import outbox
from routing.parties import add_partner
from security import wsse
from security.certificates import load_authorities
from security.keys import Identity, issue, new_keys
from security.xml import Element
from simulators.population import Population
from simulators.server import Task, path_of, serve
from storage import database_now
from tests.endpoints.soap.conftest import on_a_socket
from tests.endpoints.soap.messages import CONTENT_TYPE, SOAP, Message, heard
from wsdl import contract

NAMESPACE = contract("spolis/care-stays").namespace
PERSONS, SEED = 400, 7
# Partner by name: the recipient whose rights it has. Two institutions have the rights of one kind.
PARTNERS = {
    "siva": "siva",
    "centre": "care-centre",
    "organisation": "care-centre",
    "vsaa": "vsaa",
    "iem-ic": "iem-ic",
    "nvd": "nvd",
    "siva-everywhere": "siva-everywhere",
    "centre-everywhere": "centre-everywhere",
}
_RULE = {
    "siva": "p17.4",
    "centre": "p17.13",
    "organisation": "p17.13",
    "vsaa": "p18.7",
    "iem-ic": "p18.9",
    "nvd": "p18.10",
    "siva-everywhere": "p12",
    "centre-everywhere": "p12",
}
PURPOSES = {"vsaa": "care-payment", "iem-ic": "public-security", "nvd": "health-care"}
SUBMISSIONS = (
    "SubmitApplication",
    "SubmitDecision",
    "SubmitPlacement",
    "SubmitContract",
    "SubmitAbsence",
    "SubmitChange",
    "SubmitTermination",
    "SubmitStay",
    "SubmitCare",
)
# The operation is open to these two, for either source: what they may not hand in is decided by the rule of a field.
_EVERYWHERE = """
[[grant]]
recipient = "{recipient}"
operations = {operations}
purposes = ["care-placement"]
rules = {rules}
sources = ["siva", "vsac"]
requests_day = 10000
persons_day = 1000
"""
_RULES = {
    "siva-everywhere": ["p8.3", "p12.1", "p12.2", "p12.3", "p12.4", "p12.5", "p12.6", "p12.7"]
    + [f"p12.8.{number}" for number in (1, 2, 4, 5, 6, 7, 8, 9)],
    "centre-everywhere": ["p8.3", "p15^1.1", *(f"p12.8.{number}" for number in range(10, 16))],
}


def code(value: str) -> str:
    """A code with some text; what the text says does not count."""
    return f"<Kods>{value}</Kods><Nosaukums>teksts</Nosaukums>"


@dataclass(frozen=True)
class Case:
    """One person's case: records about the person under numbers that nobody else has."""

    person: str
    number: str = field(default_factory=lambda: f"L-{uuid.uuid4().hex[:8]}")

    def key(self, record: str) -> str:
        return f"<LietasNumurs>{self.number}</LietasNumurs><IerakstaNumurs>{self.number}-{record}</IerakstaNumurs>"

    def _head(self, record: str) -> str:
        return f"{self.key(record)}<PersonasKods>{self.person}</PersonasKods>"

    def application(self, on: str = "2026-01-05", service: str = "MENTAL_ADULT") -> str:
        return (
            f"<Iesniegums>{self.key('1')}<Iesniedzejs><Vards>Anna</Vards><Vards>Marija</Vards>"
            f"<Uzvards>Paraudziņa</Uzvards><PersonasKods>{self.person}</PersonasKods></Iesniedzejs>"
            f"<IesniegsanasDatums>{on}</IesniegsanasDatums><PakalpojumaVeids>{code(service)}</PakalpojumaVeids>"
            "<VelamaisSniedzejs>VSAC Paraugs</VelamaisSniedzejs>"
            "<Parstavis><Vards>Ilze</Vards><Uzvards>Paraudziņa</Uzvards>"
            "<PersonasKods>321234-56789</PersonasKods>"
            f"<Adrese><Veids>{code('DECLARED')}</Veids><Teksts>Krasta iela 1, Rīga</Teksts></Adrese>"
            "<Talrunis>+371 20000000</Talrunis><SazinasLidzeklis>ilze@paraugs.example</SazinasLidzeklis></Parstavis>"
            "<Pasvaldiba><Nosaukums>Talsu novads</Nosaukums><Adrese>Kareivju iela 7, Talsi</Adrese></Pasvaldiba>"
            "<Dokuments>Ārsta atzinums</Dokuments><Dokuments>Sociālā darbinieka novērtējums</Dokuments>"
            "<PapilduPieprasijums><PieprasijumaDatums>2026-01-06</PieprasijumaDatums>"
            "<Dokuments>Izraksts</Dokuments></PapilduPieprasijums></Iesniegums>"
        )

    def decision(self, on: str = "2026-01-12", kind: str = "Pieskirsana") -> str:
        begins = {"Pieskirsana": "PieskirtsNo", "Rinda": "UznemtsNo"}[kind]
        return (
            f"<Lemums>{self._head('2')}<{kind}><Datums>{on}</Datums><Numurs>12-3/44</Numurs>"
            f"<Sniedzejs>VSAC Paraugs</Sniedzejs><{begins}>2026-02-01</{begins}></{kind}></Lemums>"
        )

    def placement(self, on: str = "2026-01-20", entered: str = "2026-02-01") -> str:
        return (
            f"<Norikojums>{self._head('3')}<Dokuments><Datums>{on}</Datums><Numurs>N-7</Numurs>"
            "<NoraditaisDatums>2026-02-01</NoraditaisDatums></Dokuments><Institucija>VSAC Paraugs</Institucija>"
            + (f"<IestasanasDatums>{entered}</IestasanasDatums>" if entered else "")
            + "</Norikojums>"
        )

    def contract(self, on: str = "2026-01-28") -> str:
        return (
            f"<Ligums>{self._head('4')}<Datums>{on}</Datums><Numurs>LG-9</Numurs><Sledzejs><Vards>Ilze</Vards>"
            "<Uzvards>Paraudziņa</Uzvards><PersonasKods>321234-56789</PersonasKods>"
            f"<Adrese><Veids>{code('INDICATED')}</Veids><Teksts>Krasta iela 1, Rīga</Teksts></Adrese>"
            "</Sledzejs></Ligums>"
        )

    def absence(self, begins: str = "2026-03-01", ends: str = "2026-03-05", kind: str = "HOSPITAL") -> str:
        return (
            f"<Prombutne>{self._head('5')}<Veids>{code(kind)}</Veids><SakumaDatums>{begins}</SakumaDatums>"
            f"<BeiguDatums>{ends}</BeiguDatums><Iemesls>Plānota operācija</Iemesls></Prombutne>"
        )

    def change(self, on: str = "2026-04-01") -> str:
        return (
            f"<Izmaina>{self._head('6')}<SniedzejaMaina><Datums>{on}</Datums><Sniedzejs>VSAC Cits</Sniedzejs>"
            "<CitaInformacija>Tuvāk ģimenei</CitaInformacija></SniedzejaMaina></Izmaina>"
        )

    def termination(self, on: str = "2026-06-01") -> str:
        return (
            f"<Izbeigsana>{self._head('7')}<Datums>{on}</Datums><Numurs>12-3/99</Numurs>"
            "<SpekaNo>2026-06-15</SpekaNo></Izbeigsana>"
        )

    def stay(
        self, begins: str = "2026-02-01", ends: str = "", record: str = "8", institution: str = "VSAC Paraugs"
    ) -> str:
        return (
            f"<UzturesanasIeraksts>{self.key(record)}<Uzturesanas><PersonasKods>{self.person}</PersonasKods>"
            f"<Institucija><Nosaukums>{institution}</Nosaukums><Adrese>Skolas iela 3, Talsi</Adrese>"
            f"<Veids>{code('STATE_CARE_CENTRE')}</Veids><Regions>Kurzeme</Regions></Institucija>"
            f"<IestasanasDatums>{begins}</IestasanasDatums><FinansejumaAvots>{code('STATE')}</FinansejumaAvots>"
            + (
                f"<BeiguDatums>{ends}</BeiguDatums><BeiguIemesls>{code('OWN_REQUEST')}</BeiguIemesls>"
                if ends
                else ""
            )
            + "</Uzturesanas></UzturesanasIeraksts>"
        )

    def care(self, level: str = "3", begins: str = "2026-02-01", ends: str = "2026-05-01") -> str:
        return (
            f"<Aprupe>{self._head('9')}<AprupesLimenis>{code(level)}</AprupesLimenis>"
            f"<FunkcionalaisTraucejums>{code('VISION')}</FunkcionalaisTraucejums>"
            f"<FunkcionalaisTraucejums>{code('MENTAL')}</FunkcionalaisTraucejums>"
            f"<PsihiskaVeseliba>{code('SEVERE')}</PsihiskaVeseliba><PuscelaMaja><Atrodas>true</Atrodas>"
            f"<SakumaDatums>{begins}</SakumaDatums><BeiguDatums>{ends}</BeiguDatums></PuscelaMaja></Aprupe>"
        )

    def deletion(self, record: str, kind: str, reason: str = "WRONG_PERSON") -> str:
        return f"<Dzesana>{self._head(record)}<Veids>{code(kind)}</Veids><Iemesls>{code(reason)}</Iemesls></Dzesana>"

    def every(self) -> dict[str, tuple[str, str]]:
        """By operation, who hands in a right record and the record, in the order of a life."""
        return {
            "SubmitApplication": ("siva", self.application()),
            "SubmitDecision": ("siva", self.decision()),
            "SubmitPlacement": ("siva", self.placement()),
            "SubmitContract": ("siva", self.contract()),
            "SubmitStay": ("centre", self.stay()),
            "SubmitAbsence": ("siva", self.absence()),
            "SubmitChange": ("siva", self.change()),
            "SubmitTermination": ("siva", self.termination()),
            "SubmitCare": ("centre", self.care()),
        }


@dataclass(frozen=True)
class Refused:
    """A Fault: its code, and the sentence with the detail."""

    code: str
    reason: str


@dataclass(frozen=True)
class Care:
    """A gateway on a socket, its partners, and SAIS on another socket with its journal."""

    gateway: Gateway
    address: str
    partners: Mapping[str, Identity]
    policy: wsse.Policy
    journal: Path
    codes: Iterator[str]

    def case(self) -> Case:
        """A case of a person whom no other test speaks of."""
        return Case(next(self.codes))

    def post(self, partner: str, operation: str, record: str, request_id: str = "", **context: str) -> Any:
        """Sign and post a request; the answer's element, or Refused."""
        return self.read(self.send(self.message(partner, operation, record, request_id, **context)))

    def message(
        self, partner: str, operation: str, record: str, request_id: str = "", **context: str
    ) -> Message:
        known = {
            "Merkis": PURPOSES.get(partner, "care-placement"),
            "Tiesibas": "p20" if operation.startswith("Delete") else _RULE[partner],
            "PieprasijumaId": request_id or str(uuid.uuid4()),
        } | context
        konteksts = (
            f"<Konteksts><Merkis>{known['Merkis']}</Merkis><Tiesibas>{known['Tiesibas']}</Tiesibas><Darbinieks>"
            "<Identifikators>PK:390000-00001</Identifikators><Iestade>90000000001</Iestade><Loma>social worker</Loma>"
            f"</Darbinieks><PieprasijumaId>{known['PieprasijumaId']}</PieprasijumaId><Vide>test</Vide></Konteksts>"
        )
        body = f'<{operation} xmlns="{NAMESPACE}">{konteksts}{record}</{operation}>'
        return Message(self.partners[partner], body=body)

    def send(self, message: Message) -> requests.Response:
        session = requests.Session()
        session.trust_env = False
        with session:
            headers = {"Content-Type": CONTENT_TYPE[message.version]}
            return session.post(self.address, data=message.signed(), headers=headers, timeout=30)

    def read(self, response: requests.Response) -> Any:
        envelope = wsse.verify(response.content, self.policy, now=utc_now()).envelope
        if response.status_code != 200:
            fault = heard(envelope)
            return Refused(str(fault.kluda["Kods"]), fault.reason)
        (answer,) = envelope.find(f"{{{SOAP['1.1']}}}Body")
        return answer

    def stays(self, partner: str, person: str) -> tuple[list[dict[str, str]], set[str]]:
        """What GetStays tells a reader: the values of each stay by element, and the fields withheld."""
        return told(self.post(partner, "GetStays", f"<PersonasKods>{person}</PersonasKods>"), "Uzturesanas")

    def rows(self, register: str, person: str) -> Sequence[registers.Row]:
        with self.gateway.engine.connect() as connection:
            return registers.search(connection, register, {"person_code": person})

    def history(self, register: str, row_id: uuid.UUID) -> Sequence[registers.Row]:
        with self.gateway.engine.connect() as connection:
            return registers.read(connection, register, row_id, history=True)

    def deliver(self) -> None:
        """Deliver all that waits in the outbox."""
        deliveries = Deliveries(self.gateway, Bell(self.gateway.settings.database_url), 2)
        while True:
            with self.gateway.engine.begin() as connection:
                now = database_now(connection)
                table = outbox.outbox
                connection.execute(update(table).where(table.c.state == "waiting").values(due=now))
            lease = deliveries.lease()
            if lease is None:
                return
            deliveries.deliver(lease)

    def effects(self) -> list[str]:
        """What SAIS did with each notice until now."""
        lines = map(json.loads, self.journal.read_text().splitlines())
        return [line["effect"] for line in lines if line["operation"] == "NotifyCareStay"]

    def outcome(self, response: requests.Response) -> dict[str, Any]:
        """The outcome's record of an exchange."""
        number = response.headers["X-Exchange-Id"]
        query = log_records.select().where(log_records.c.exchange_id == number)
        with self.gateway.engine.connect() as connection:
            leaves = [json.loads(record.leaf) for record in connection.execute(query)]
        return next(leaf for leaf in leaves if leaf["kind"] == "outcome")


def told(answer: Element, element: str) -> tuple[list[dict[str, str]], set[str]]:
    """The records of an answer, each leaf by its element, and what is withheld."""
    records = [
        {
            etree.QName(leaf).localname: str(leaf.text)
            for leaf in record.iter()
            if not len(leaf) and etree.QName(leaf).localname != "Nosaukums"
        }
        for record in answer.iterfind(f"{{*}}{element}")
    ]
    return records, {str(one.text) for one in answer.iterfind("{*}Aizturets")}


@contextmanager
def caring(folder: Path, database_url: str) -> Iterator[Care]:
    """A gateway with the rights as they are shipped, and two partners of the test's own besides."""
    new_keys(folder / "keys", ["sais"])
    partners = {name: issue(folder / "keys", name) for name in PARTNERS}
    shutil.copytree(config.load({}).access, folder / "access")
    (folder / "access" / "everywhere.toml").write_text(
        "".join(
            _EVERYWHERE.format(
                recipient=name,
                operations=json.dumps([f"care-stays.{one}" for one in SUBMISSIONS]),
                rules=json.dumps(rules),
            )
            for name, rules in _RULES.items()
        )
    )
    for name in ("trust", "crl"):
        (folder / name).mkdir()
    journal = folder / "journal.jsonl"
    journal.touch()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = serve(Task("sais", listening.detach(), PERSONS, SEED, str(journal), str(folder / "keys")))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    known = config.load({})
    sais = dataclasses.replace(known.systems["sais"], url=f"http://127.0.0.1:{port}{path_of('sais')}")
    settings = dataclasses.replace(
        known,
        environment=Environment.TEST,
        state=folder,
        database_url=database_url,
        access=folder / "access",
        trust=folder / "trust",
        crl=folder / "crl",
        systems={**known.systems, "sais": dataclasses.replace(sais, trust=folder / "keys" / "sais.pem")},
        limits=dataclasses.replace(known.limits, requests_per_s=100_000),
    )
    gateway = wire(settings)
    try:
        with gateway.engine.begin() as connection:
            for name, recipient in PARTNERS.items():
                add_partner(connection, name, recipient, partners[name].certificate, utc_now())
        policy = wsse.Policy(load_authorities(folder / "keys" / "authority.pem"))
        codes = itertools.chain(person.code for person in Population(PERSONS, SEED))
        with on_a_socket(application(gateway)) as address:
            own = address.replace("/persons/", "/care-stays/")
            yield Care(gateway, own, partners, policy, journal, codes)
    finally:
        gateway.log.close()
        gateway.engine.dispose()
        server.shutdown()
        server.server_close()
        thread.join()
