"""The job that shows checkpoints to the witness follows, pins, stops nothing, and tells of a fork at once."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, func, select

import config
from audit import asking, notes, submission, witnessed
from audit.log import ExchangeLog, open_log
from audit.notes import VerifierKey
from audit.sequencer import Sequencer
from audit.tables import log_cosignatures, log_records, log_values
from audit.verify import Report, verify
from audit.witness import State, Trusted, Witness
from audit.witness_client import Said, WitnessClient
from config import Settings
from endpoints.work.cosigning import Cosigning
from errors import AnswerRefused, ConfigurationError, RequestRefused, SystemUnavailable
from exchange import Environment
from routing import incidents
from security.keys import load_log_key, load_secret, new_keys
from tests.audit.logs import KEY, WITNESS, WITNESS_KEY, opened, unguard
from tests.audit.test_anchoring import back_to
from tests.commands.conftest import closed_port
from tests.endpoints.witnessing import serving

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class Home:
    """An installation with a log, and its witness."""

    def __init__(self, engine: Engine, settings: Settings, state: Path) -> None:
        self.engine = engine
        self.settings = settings
        self.log: ExchangeLog = open_log(settings, engine)
        self.log_key = load_log_key(settings.keys / "log.key")
        kept = State(state)
        if not state.exists():
            kept.begin(WITNESS)
        self.witness = Witness(
            kept, WITNESS_KEY, Trusted(gateways=((self.log_key.public_key(), Environment.TEST),))
        )

    def at(self, url: str, key: str = "") -> None:
        self.settings = dataclasses.replace(
            self.settings, log=dataclasses.replace(self.settings.log, witness_url=url, witness_key=key)
        )

    def job(self) -> Cosigning:
        return Cosigning(self.settings, self.engine, self.log)

    def write(self, count: int = 1) -> None:
        self.log.write(*(opened() for _ in range(count)))
        one = Sequencer(self.engine, self.log_key, environment=Environment.TEST)
        one.run_once()
        one.release()

    def verified(self, *, offline: bool = False) -> Report:
        public = self.log_key.public_key()
        outside = asking.ask(self.settings, self.engine, public, offline=offline)
        return verify(self.engine, public, load_secret(self.settings.keys / "subject.key"), outside=outside)

    def acts(self) -> int:
        with self.engine.begin() as connection:
            return connection.execute(
                select(func.count()).where(log_records.c.leaf.like('%"act":"witness"%'))
            ).scalar_one()

    def incidents(self) -> list[tuple[str, str]]:
        with self.engine.begin() as connection:
            return [(one.kind, one.detail) for one in incidents.listed(connection, limit=10)]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "keys"
    new_keys(folder, ())
    return folder


@pytest.fixture
def home(engine: Engine, tmp_path: Path, keys: Path) -> Iterator[Home]:
    """With the witness's address in its settings, and not its key."""
    shutil.copytree(keys, tmp_path / "state" / "keys")
    settings = dataclasses.replace(config.load({}), state=tmp_path / "state")
    home = Home(engine, settings, tmp_path / "witness.json")
    with serving(home.witness) as url:
        home.at(url)
        yield home


def test_it_follows_the_log(home: Home) -> None:
    job = home.job()
    home.write(3)
    assert job.run_once()
    assert home.acts() == 1, "the log itself says whose signature it is"
    home.write()
    assert job.run_once()
    assert not job.run_once(), "nothing new"
    report = home.verified()
    assert (report.status, report.exposure.records) == ("anchored", 0)
    assert "pinned on first use" in report.reason
    assert home.acts() == 1
    home.write()
    other = home.job()
    assert not other.run_once(), "another process has the lease"
    job.last()
    assert home.verified().exposure.records == 0, "at its end it shows what is new, and gives the lease back"
    home.write()
    assert other.run_once()
    assert home.acts() == 1


def test_the_key_is_pinned_and_no_other_will_do_then(home: Home, tmp_path: Path) -> None:
    home.write()
    job = home.job()
    job.run_once()
    pin = home.settings.keys / witnessed.PIN
    assert pin.read_text() == f"{WITNESS}\n"
    assert pin.stat().st_mode & 0o777 == 0o600
    assert home.verified(offline=True).witness == {
        "name": WITNESS.name,
        "key": str(WITNESS),
        "pinned_on_first_use": True,
        "asked": False,
        "size": None,
        "error": None,
    }
    other = State(tmp_path / "other.json")
    stranger = VerifierKey(WITNESS.name, WITNESS.kind, KEY.public_key())
    other.begin(stranger)
    replaced = Witness(other, KEY, Trusted(gateways=((home.log_key.public_key(), Environment.TEST),)))
    with serving(replaced) as url:
        home.at(url)
        job.last()
        home.write()
        with pytest.raises(AnswerRefused, match="does not hold"):
            home.job().run_once()
        report = home.verified()
        assert (report.status, report.witness is not None) == ("anchored", True)
        assert isinstance(report.witness, dict)
        assert "does not bear" in str(report.witness["error"])


def test_a_key_that_is_set_is_not_pinned(home: Home) -> None:
    home.at(home.settings.log.witness_url, str(WITNESS))
    home.write()
    home.job().run_once()
    assert not (home.settings.keys / witnessed.PIN).exists()
    report = home.verified()
    assert report.status == "anchored"
    assert "pinned" not in report.reason
    home.at(home.settings.log.witness_url, "nonsense")
    with pytest.raises(ConfigurationError, match="witness_key"):
        home.job().run_once()


def test_a_witness_that_is_away_stops_nothing(home: Home) -> None:
    home.write()
    job = home.job()
    job.run_once()
    home.at(f"http://127.0.0.1:{closed_port()}")
    job.last()
    home.write(2)
    away = home.job()
    with pytest.raises(SystemUnavailable):
        away.run_once()
    away.last()
    home.write()
    report = home.verified()
    assert (report.status, report.exposure.records) == ("anchored", 4)
    assert isinstance(report.witness, dict)
    assert report.witness["asked"] is False
    assert report.witness["error"]
    assert home.incidents() == []


def test_one_that_does_not_know_the_log_is_told_of(home: Home, tmp_path: Path) -> None:
    state = State(tmp_path / "nobody.json")
    state.begin(WITNESS)
    home.write()
    with serving(Witness(state, WITNESS_KEY, Trusted())) as url:
        home.at(url)
        with pytest.raises(RequestRefused, match=r"give it log\.pub"):
            home.job().run_once()


@pytest.mark.parametrize("grown", [0, 9])
def test_an_old_state_of_the_database_is_an_incident_at_once(home: Home, grown: int) -> None:
    """Put back without `gateway recover`: smaller than what the witness saw, or grown past it another way."""
    job = home.job()
    for _ in range(3):
        home.write(2)
        job.run_once()
    job.last()
    with home.engine.begin() as connection:
        sizes = (
            connection.execute(select(log_cosignatures.c.size).order_by(log_cosignatures.c.size))
            .scalars()
            .all()
        )
    unguard(home.engine)
    back_to(home.engine, sizes[0])
    home.write(1 + grown)
    again = home.job()
    again.run_once()
    ((kind, detail),) = home.incidents()
    assert kind == "fork"
    assert ("has seen" in detail) if not grown else ("do not go on" in detail)
    again.run_once()
    assert len(home.incidents()) == 1, "one alarm, however often it is heard"
    report = home.verified()
    assert (report.status, report.last_good_checkpoint) == ("bad", sizes[0])


def test_rows_that_were_lost_are_made_up_for(home: Home) -> None:
    """The witness says which size it has, and signs the same checkpoint again."""
    home.write(4)
    job = home.job()
    job.run_once()
    home.write(4)
    job.run_once()
    unguard(home.engine)
    with home.engine.begin() as connection:
        connection.execute(delete(log_cosignatures))
        connection.execute(delete(log_values).where(log_values.c.record_id == ""))
    assert home.verified(offline=True).status == "unanchored"
    assert job.run_once()
    assert home.verified(offline=True).status == "anchored"
    assert home.incidents() == []


def test_a_cosignature_that_does_not_hold_is_not_kept(home: Home) -> None:
    """In the right name and with the right key id, over something else."""
    home.write()

    def ask(body: bytes) -> Said:
        del body
        return Said(200, "text/plain", notes.cosign("another text\n", WITNESS.name, WITNESS_KEY, 1).line())

    with pytest.raises(AnswerRefused, match="does not hold"):
        submission.submit(home.engine, WITNESS, ask)
    assert home.verified(offline=True).status == "unanchored"


def test_only_what_the_log_and_its_witness_have_signed_counts(home: Home) -> None:
    home.write()
    home.job().run_once()
    client = WitnessClient(home.settings.log.witness_url)
    (held,) = client.held(home.log_key.public_key(), client.key(), ())
    assert held.tree.vouched_by(home.log_key.public_key())
    assert client.held(KEY.public_key(), client.key(), ()) == (), "another log's"
