"""Real gateways on Unix sockets, a simulated PMLP behind them, and nginx as it is shipped in front."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree
from sqlalchemy import select

from audit.tables import log_records, log_values
from exchange import utc_now
from routing.parties import add_caller, add_partner
from security.keys import Identity, issue, new_keys
from storage import migrate, open_engine
from tests.commands.processes import simulators
from tests.deploy.proxy import Nginx, running
from tests.endpoints.serving import Served, configure, serving
from tests.endpoints.soap.messages import CONTENT_TYPE, FAULT, Message, get_person

SERVICE = "/soap/persons/v1-0"
BODY_BYTES = 4_194_304


@dataclass
class Site:
    """One installation: two gateways over one database, nginx in front of both."""

    folder: Path
    keys: Path
    partner: Identity
    key: str
    nginx: Nginx
    gateways: list[Served]
    persons: list[str]

    def session(self, name: str | None = "partner") -> requests.Session:
        """A client with the certificate of a name, or none."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.keys / "authority.pem")
        if name is not None:
            session.cert = (str(self.keys / f"{name}.pem"), str(self.keys / f"{name}.key"))
        return session

    def message(self, request_id: str = "") -> bytes:
        """A signed request for one person."""
        body = get_person(self.persons[0], PieprasijumaId=request_id or str(uuid.uuid4()))
        return Message(self.partner, body=body).signed()

    def call(self, session: requests.Session, content: bytes, **headers: str) -> requests.Response:
        """Post a message through nginx."""
        known = {"Content-Type": CONTENT_TYPE["1.1"], **headers}
        return session.post(f"{self.nginx.partners}{SERVICE}", content, headers=known, timeout=60)

    def leaves(self) -> list[dict[str, Any]]:
        """Every record of the log, oldest first."""
        engine = open_engine(f"sqlite:///{self.folder / 'state' / 'gateway.db'}")
        with engine.connect() as connection:
            found = connection.execute(select(log_records.c.leaf).order_by(log_records.c.id)).scalars().all()
        engine.dispose()
        return [json.loads(leaf) for leaf in found]

    def addresses(self, exchange_id: str) -> set[str]:
        """The peer's addresses in the records of an exchange."""
        engine = open_engine(f"sqlite:///{self.folder / 'state' / 'gateway.db'}")
        query = (
            select(log_values.c.value)
            .join(log_records, log_records.c.id == log_values.c.record_id)
            .where(log_records.c.exchange_id == exchange_id, log_values.c.name == "address")
        )
        with engine.connect() as connection:
            found = {json.loads(value) for value in connection.execute(query).scalars()}
        engine.dispose()
        return found


def fault_code(answer: requests.Response) -> str | None:
    """The code of a fault, None when it is none."""
    found: str | None = etree.fromstring(answer.content).findtext(f".//{{{FAULT}}}Kods")
    return found


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short path, for sockets, with the keys of everybody."""
    folder = Path(tempfile.mkdtemp(prefix="gw-"))
    keys = folder / "state" / "keys"
    new_keys(keys, ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    for name in ("partner", "other"):
        issue(keys, name)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    keys = folder / "state" / "keys"
    partner = Identity.load(keys / "partner.pem", keys / "partner.key")
    engine = open_engine(f"sqlite:///{folder / 'state' / 'gateway.db'}")
    migrate.upgrade(engine)
    with engine.begin() as connection:
        add_partner(connection, "partner", "riga-social-service", partner.certificate, utc_now())
        key = add_caller(connection, "core", "spolis-core", utc_now())
    engine.dispose()
    with ExitStack() as end:
        (folder / "simulators").mkdir()
        first = configure(folder / "simulators", state={"directory": str(folder / "state")})
        said = end.enter_context(
            simulators(folder, {"GATEWAY_CONFIG": str(first)}, "pmlp", "--persons", "20")
        )
        nginx = end.enter_context(running(folder, keys))
        gateways = []
        for name in ("first", "second"):
            (folder / name).mkdir()
            config = configure(
                folder / name,
                **{
                    "state": {"directory": str(folder / "state")},
                    "listen.partners": {"socket": str(nginx.folder / "run" / name / "partners.sock")},
                    "listen.internal": {"socket": str(nginx.folder / "run" / name / "internal.sock")},
                    "systems.pmlp": {"url": said["systems"]["pmlp"], "timeout_s": 5.0},
                },
            )
            gateways.append(end.enter_context(serving(config, "--embedded", "--threads", "4")))
        yield Site(folder, keys, partner, key, nginx, gateways, said["persons"])
