"""`gateway reconcile` against simulators over HTTP, on both databases: nothing is overwritten, lost or asked twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, Engine, func, select

import registers
from audit import search
from commands.reconcile_run import MOST_FAILURES, read_codes
from errors import Busy, InvalidPersonCode
from mappings.pmlp import Address
from registers import differences
from registers.persons import ADDRESS, IDENTITY, codes_of, person_by_code
from routing import reconciliation
from routing.comparisons import discover
from routing.reconciliation import ITEM, Item
from security.keys import load_secret
from storage import open_engine
from tests.commands.conftest import Home, closed_port
from tests.commands.processes import GATEWAY, gateway, simulators
from tests.registers.invented import code, minimal, person_code, provenance
from tests.registers.test_differences import register_of
from tests.registers.test_persons import full

pytestmark = pytest.mark.long

OLD_NAME = "Vecaisuzvārds"
WHO = ("--actor", "A. Ozola", "--reason", "pase uzrādīta")


@dataclass(frozen=True)
class Place(Home):
    """An installation with a database of its own."""

    database: str = ""

    @property
    def environ(self) -> dict[str, str]:
        return {"GATEWAY_CONFIG": str(self.folder), "GATEWAY_DATABASE_URL": self.database}

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        engine = open_engine(self.database)
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    def json_any(self, *arguments: str) -> Any:
        """What a command prints with --json, whatever its exit code."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def codes_file(self, codes: Sequence[str]) -> str:
        path = self.folder / f"{uuid.uuid4()}.txt"
        path.write_text("# persons\n\n" + "\n".join(codes) + "\n", encoding="utf-8")
        return str(path)

    def reconcile(self, system: str, codes: Sequence[str], *more: str) -> Any:
        return self.json("reconcile", "run", "--system", system, "--persons", self.codes_file(codes), *more)

    def differences(self) -> list[Any]:
        listed: list[Any] = self.json("reconcile", "list", "--values", "--reason", "tests")
        return listed


@dataclass(frozen=True)
class Town:
    """The simulated systems, the persons in them and what the systems were asked."""

    folder: Path
    urls: dict[str, str]
    codes: list[str]
    journal: Path

    def asked(self, operation: str) -> list[Any]:
        lines = self.journal.read_text(encoding="utf-8").splitlines()
        return [line for line in map(json.loads, lines) if line["operation"] == operation]

    def behave(self, system: str, mode: str, **more: object) -> None:
        requests.post(
            f"{self.urls[system]}/_control", json={"mode": mode, **more}, timeout=5
        ).raise_for_status()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, made_keys: Path) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    shutil.copytree(made_keys, folder / "state" / "keys")
    Home(folder).configure({})
    journal = folder / "journal"
    with simulators(
        folder, Home(folder).environ, "pmlp", "vdeavk", "vzd", "--persons", "40", "--journal", str(journal)
    ) as said:
        yield Town(folder, said["systems"], said["persons"], journal)


@pytest.fixture
def place(town: Town, database: str, tmp_path: Path) -> Place:
    """A fresh installation on each database, with the keys of the town."""
    shutil.copytree(town.folder / "state" / "keys", tmp_path / "state" / "keys")
    place = Place(tmp_path, database)
    place.configure(town.urls)
    for system in town.urls:
        town.behave(system, "ok")
    return place


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    engine = open_engine(place.database)
    yield engine
    engine.dispose()


def known(place: Place, codes: Sequence[str]) -> None:
    """What PMLP says of these persons comes into the register as always."""
    for of in codes:
        place.json(
            "call", "pmlp", "get-person", f"person_code={of}", "--purpose", "social-service", "--rule", "p8"
        )


def stale(place: Place, codes: Sequence[str]) -> None:
    """What the register holds of these persons is another name than PMLP has."""
    with place.connection() as connection:
        for of in codes:
            registers.feed(connection, minimal(of, OLD_NAME, ("Anna",)), provenance())


def name_of(connection: Connection, of: str) -> str:
    mine = select(IDENTITY.c.family_name).where(
        IDENTITY.c.person_id == person_by_code(connection, of), IDENTITY.c.superseded_at.is_(None)
    )
    return str(connection.execute(mine).scalar_one())


def admin(engine: Engine, act: str) -> list[Any]:
    found = [one for one in search.search(engine, limit=10_000) if one.leaf["kind"] == "admin"]
    return [one.leaf for one in found if one.leaf["act"] == f"reconcile {act}"]


def test_what_differs_is_listed_and_nothing_is_overwritten(place: Place, town: Town, engine: Engine) -> None:
    one, two = town.codes[:2]
    known(place, (one, two))
    stale(place, (one,))
    with engine.connect() as connection:
        before = register_of(connection, one), register_of(connection, two)
    counted = place.reconcile("pmlp", (one, two, "320000-00009"))
    assert {
        name: counted[name] for name in ("persons", "not_held", "asked", "same", "different", "ended")
    } == {
        "persons": 3,
        "not_held": 1,
        "asked": 2,
        "same": 1,
        "different": 1,
        "ended": True,
    }
    assert counted["rows"]["ours"] == counted["rows"]["theirs"] > 2
    with engine.connect() as connection:
        assert (register_of(connection, one), register_of(connection, two)) == before
    found = {row["field"]: row for row in place.differences()}
    assert set(found) <= {"family_name", "given_names"}
    name = found["family_name"]
    assert (name["ours"], name["rule"], name["state"]) == (OLD_NAME, "p8.2", "open")
    assert name["theirs"] not in (OLD_NAME, None)
    assert name["person_code"].replace("-", "") == one
    for side in ("ours", "theirs"):
        assert uuid.UUID(name[f"{side}_exchange_id"])
        assert name[f"{side}_recorded_at"].endswith("Z")
        assert name[f"{side}_source"] == "pmlp"
    # An official's ordinary question meanwhile gets PMLP's answer, and does not write it over ours.
    known(place, (one,))
    with engine.connect() as connection:
        assert name_of(connection, one) == OLD_NAME
    assert place.reconcile("pmlp", (one, two))["differences"] == {
        "opened": 0,
        "standing": len(found),
        "settled": 0,
    }


def test_a_comparison_is_an_exchange_like_any_other_and_gives_nothing_away(
    place: Place, town: Town, engine: Engine
) -> None:
    (one,) = town.codes[:1]
    known(place, (one,))
    stale(place, (one,))
    place.reconcile("pmlp", (one,))
    records = search.search(engine, operation="ComparePmlp", limit=100)
    assert {record.leaf["kind"] for record in records} == {"attempt", "outcome"}
    assert len(records) == 2
    outcome = next(record.leaf for record in records if record.leaf["kind"] == "outcome")
    assert (outcome["outcome"], outcome["purpose"], outcome["source"], outcome["answer_signed"]) == (
        "ok",
        "reconciliation",
        "pmlp",
        True,
    )
    assert (outcome["given"], outcome["written"]) == ([], 0)
    assert "subject" in _committed(outcome)
    found = place.differences()[0]
    assert found["theirs_exchange_id"] == outcome["exchange"]
    verified = place.json_any("audit", "verify")
    assert (verified["status"], verified["pending"]) == ("unanchored", 0)


def test_every_look_and_every_decision_is_on_record(place: Place, town: Town, engine: Engine) -> None:
    (one,) = town.codes[:1]
    known(place, (one,))
    stale(place, (one,))
    place.reconcile("pmlp", (one,))
    place.json("reconcile", "list")
    ids = [row["id"] for row in place.differences()]
    shown = place.json("reconcile", "show", ids[0], "--reason", "lieta 2026/114", "--actor", "B. Kalns")
    assert [event["act"] for event in shown["events"]] == ["found"]
    for words in (("decide", "--take"), ("undo",), ("decide", "--keep"), ("undo",), ("return",)):
        assert place.run("reconcile", words[0], *ids, *words[1:], *WHO).exit_code == 0
    for act in ("list", "show", "take", "keep", "undo", "return", "sent"):
        assert admin(engine, act), act
    for act in ("show", "take", "keep", "undo", "return"):
        for leaf in admin(engine, act):
            assert leaf["purpose"] == "reconciliation"
            assert {"official", "account", "reason", "subject"} <= set(leaf["commitments"])
            assert OLD_NAME not in json.dumps(leaf, ensure_ascii=False)
    looks = admin(engine, "list")
    assert sorted("subject" in leaf["commitments"] for leaf in looks) == [False, True]
    about = search.subject(engine, load_secret(place.settings.keys / "subject.key"), [one], limit=1000)
    assert {f"reconcile {act}" for act in ("list", "show", "take", "keep", "undo", "return")} <= {
        str(record.leaf.get("act")) for record in about
    }


def _committed(leaf: Any) -> set[str]:
    return set(leaf["commitments"])


def test_a_list_without_values_names_nobody(place: Place, town: Town) -> None:
    (one,) = town.codes[:1]
    known(place, (one,))
    stale(place, (one,))
    place.reconcile("pmlp", (one,))
    told = place.run("reconcile", "list", "--json").stdout + place.run("reconcile", "list").stdout
    assert "family_name" in told
    assert OLD_NAME not in told
    assert one[:6] not in told
    (listed, *_) = place.json("reconcile", "list")
    hidden = {"ours", "theirs", "person_id", "person_code", "row", "row_key", "thing", "thing_id"}
    assert hidden.isdisjoint(listed)
    refused = place.run("reconcile", "list", "--values")
    assert (refused.exit_code, "--reason" in refused.stderr) == (2, True)


def test_decisions_change_the_register_and_are_undone(place: Place, town: Town, engine: Engine) -> None:
    (one,) = town.codes[:1]
    known(place, (one,))
    with engine.connect() as connection:
        name = name_of(connection, one)
    stale(place, (one,))
    place.reconcile("pmlp", (one,))
    ids = [row["id"] for row in place.differences()]
    assert place.run("reconcile", "decide", *ids, "--take", *WHO).exit_code == 0
    with engine.connect() as connection:
        assert name_of(connection, one) == name
    assert place.reconcile("pmlp", (one,))["same"] == 1
    assert place.run("reconcile", "undo", *ids, *WHO).exit_code == 0
    with engine.connect() as connection:
        assert name_of(connection, one) == OLD_NAME
    # All of those named, or none.
    refused = place.run("reconcile", "decide", ids[0], str(uuid.uuid4()), "--take", *WHO)
    assert refused.exit_code == 2
    with engine.connect() as connection:
        assert {row.state for row in differences.listed(connection)} == {"open"}


def test_a_correction_request_is_a_file_for_the_source(place: Place, town: Town, tmp_path: Path) -> None:
    (one,) = town.codes[:1]
    known(place, (one,))
    stale(place, (one,))
    place.reconcile("pmlp", (one,))
    (found, *_) = place.differences()
    in_the_way = tmp_path / "full"
    in_the_way.mkdir()
    (in_the_way / "pmlp").touch()
    refused = place.run("reconcile", "return", found["id"], *WHO, "--folder", str(in_the_way))
    assert refused.exit_code != 0
    assert "hand-over" in refused.stderr
    shown = place.json("reconcile", "show", found["id"], "--reason", "tests")
    assert (shown["state"], [one["state"] for one in shown["requests"]]) == ("returned", ["prepared"])
    (handed,) = place.json("reconcile", "hand-over")
    assert place.json("reconcile", "hand-over") == []
    folder = place.settings.state / "corrections"
    document = json.loads((folder / handed["reference"]).read_text(encoding="utf-8"))
    assert (document["request_id"], document["to"], document["difference_id"]) == (
        handed["request"],
        "pmlp",
        found["id"],
    )
    assert document["spolis"]["value"] == found["ours"]
    assert document["other"] == {
        "value": found["theirs"],
        "source": "pmlp",
        "exchange_id": found["theirs_exchange_id"],
        "recorded_at": found["theirs_recorded_at"],
    }
    text = (folder / handed["reference"]).with_suffix(".txt").read_text(encoding="utf-8")
    for wanted in (
        "DATU PRECIZĒŠANAS PIEPRASĪJUMS",
        "REQUEST TO CORRECT DATA",
        "pase uzrādīta",
        handed["request"],
    ):
        assert wanted in text
    assert (folder / handed["reference"]).stat().st_mode & 0o077 == 0
    answered = place.run("reconcile", "answered", handed["request"], "--refused", *WHO)
    assert place.json("audit", "search", "--act", "reconcile answered refused")
    assert answered.exit_code == 0, answered.stderr
    shown = place.json("reconcile", "show", found["id"], "--reason", "tests")
    assert (shown["state"], shown["requests"][0]["answer"]) == ("open", "refused")


def test_disability_is_compared_with_vdeavk(place: Place, town: Town) -> None:
    with place.connection() as connection:
        for of in town.codes:
            registers.feed(connection, minimal(of), provenance())
    counted = place.reconcile("vdeavk", town.codes)
    assert counted["asked"] == len(town.codes)
    found = place.differences()
    # Nothing was kept of disability: each one that VDEAVK knows is missing here.
    assert {row["field"] for row in found} == {"disability"}
    assert len(found) == counted["different"] > 0
    assert {row["ours"] for row in found} == {None}
    assert place.run("reconcile", "decide", found[0]["id"], "--take", *WHO).exit_code == 0
    again = place.reconcile("vdeavk", town.codes)
    assert (again["same"], again["different"]) == (counted["same"] + 1, counted["different"] - 1)
    assert again["rows"]["ours"] == 1


def test_addresses_are_compared_with_vzd(place: Place, town: Town) -> None:
    one, two, three = town.codes[:3]
    known(place, (one, two))
    deleted = Address(
        kind=code("DECLARED"),
        varis_code="101001003",
        text='"Ausekļi", Sēļu pag., Valmieras nov., LV-4213',
    )
    unknown = Address(kind=code("REGISTERED"), varis_code="999999999", text="Nekur 1")
    with place.connection() as connection:
        person = full(three)
        registers.feed(
            connection, type(person)(**{**_values(person), "addresses": (deleted, unknown)}), provenance()
        )
        registers.feed(connection, _elsewhere(connection, two), provenance(1))
    counted = place.reconcile("vzd", (one, two, three))
    found = {(row["person_code"].replace("-", ""), row["field"]): row for row in place.differences()}
    assert (counted["not_found"], counted["failed"]) == (1, 0)
    assert (two, "addresses[].text") in found
    assert found[two, "addresses[].text"]["ours"] == "Nekurienes iela 1"
    third = [row for row in place.differences() if row["field"] == "addresses[].varis_code"]
    assert {row["ours"]: row["theirs"] and row["theirs"]["status"]["code"] for row in third} == {
        "101001003": "DEL",
        "999999999": None,
    }
    assert not any(row["may_be_taken"] for row in found.values())
    assert {row["ours_source"] for row in found.values()} == {"pmlp"}


def _values(person: Any) -> dict[str, Any]:
    return {name: getattr(person, name) for name in type(person).__dataclass_fields__}


def _elsewhere(connection: Connection, of: str) -> Any:
    """The person with another text of the first address that has a code."""
    person_id = person_by_code(connection, of)
    mine = select(ADDRESS).where(ADDRESS.c.person_id == person_id, ADDRESS.c.superseded_at.is_(None))
    rows = connection.execute(mine.order_by(ADDRESS.c.varis_code.is_(None))).all()
    kept = [Address(kind=code(row.kind), varis_code=row.varis_code, text=row.text) for row in rows]
    moved = Address(kind=kept[0].kind, varis_code=kept[0].varis_code, text="Nekurienes iela 1")
    person = minimal(codes_of(connection, person_id)[0] if person_id else of)
    return type(person)(
        **{**_values(person), "addresses": (moved, *kept[1:]), "data_sets": ("NAME_AND_CODE", "ADDRESSES")}
    )


def test_who_is_not_known_there_is_listed(place: Place, engine: Engine) -> None:
    of = person_code()
    with place.connection() as connection:
        registers.feed(connection, full(of), provenance())
    counted = place.reconcile("pmlp", (of,))
    assert (counted["asked"], counted["not_found"], counted["rows"]) == (1, 1, {"ours": 1, "theirs": 0})
    (found,) = place.differences()
    assert (found["field"], found["ours"], found["theirs"]) == ("person_code", of, None)
    outcome = next(
        record.leaf
        for record in search.search(engine, operation="ComparePmlp", limit=10)
        if record.leaf["kind"] == "outcome"
    )
    assert (found["theirs_exchange_id"], outcome["code"]) == (outcome["exchange"], "not_found")


def test_everybody_in_a_care_institution_is_a_set(place: Place, town: Town) -> None:
    one, two = town.codes[:2]
    known(place, (one, two))
    stay = (
        "institution=Sprūžu aprūpes centrs",
        "institution_address=Ozolu iela 18",
        "institution_kind=STATE_CARE_CENTRE",
        "entered_on=2026-01-02",
        "funding_source=STATE",
    )
    rights = ("--purpose", "care-placement", "--rule", "p12.8.13")
    place.json("call", "registers", "write-care-stays", f"person_code={two}", *stay, *rights)
    counted = place.json("reconcile", "run", "--system", "pmlp", "--open-stays")
    assert (counted["persons"], counted["asked"]) == (1, 1)


def test_a_system_that_is_away_ends_the_run_and_it_goes_on_later(place: Place, town: Town) -> None:
    codes = town.codes[:8]
    known(place, codes)
    stale(place, codes[:3])
    file = place.codes_file(codes)
    command = ("reconcile", "run", "--system", "pmlp", "--persons", file, "--json")
    place.configure({**town.urls, "pmlp": f"http://127.0.0.1:{closed_port()}/pmlp/v1-0"})
    away = place.run(*command)
    assert away.exit_code == 5
    counted = json.loads(away.stdout)
    assert (counted["failed"], counted["waiting"], counted["ended"]) == (MOST_FAILURES, 3, False)
    place.configure(town.urls)
    deadline = time.monotonic() + 60  # the breaker lets a call through again after a while
    while (again := place.run(*command)).exit_code == 5 and time.monotonic() < deadline:
        time.sleep(0.5)
    counted = json.loads(again.stdout)
    assert (again.exit_code, counted["asked"], counted["failed"], counted["ended"]) == (0, 8, 0, True)
    assert counted["different"] == 3


def test_an_answer_that_cannot_be_believed_fails_alone(place: Place, town: Town) -> None:
    codes = town.codes[:3]
    known(place, codes)
    town.behave("pmlp", "wrong_signature", count=1)
    counted = place.reconcile("pmlp", codes)
    assert (counted["asked"], counted["failed"], counted["same"], counted["ended"]) == (3, 1, 2, True)
    assert place.differences() == []


def test_a_part_at_a_time(place: Place, town: Town) -> None:
    codes = town.codes[:5]
    known(place, codes)
    file = place.codes_file(codes)
    before = len(town.asked("GetPerson"))
    asked = [
        place.json("reconcile", "run", "--system", "pmlp", "--persons", file, "--limit", "2")["asked"]
        for _ in range(3)
    ]
    assert asked == [2, 4, 5]
    assert len(town.asked("GetPerson")) - before == 5
    anew = [
        place.json("reconcile", "run", "--system", "pmlp", "--persons", file, "--limit", "2", "--anew")
        for _ in range(2)
    ]
    assert [(one["asked"], one["waiting"]) for one in anew] == [(2, 3), (2, 3)]
    assert anew[0]["run"] != anew[1]["run"]
    assert place.json("reconcile", "run", "--system", "pmlp", "--persons", file)["run"] == anew[1]["run"]
    # The run has ended: the same command is a new one.
    assert place.json("reconcile", "run", "--system", "pmlp", "--persons", file)["asked"] == 5


def test_a_quota_that_is_used_up_ends_the_run(place: Place, town: Town) -> None:
    codes = town.codes[:4]
    known(place, codes)
    folder = place.folder / "access.d"
    shutil.copytree(place.settings.access, folder)
    rules = folder / "reconciliation.toml"
    rules.write_text(
        rules.read_text(encoding="utf-8").replace("requests_day = 100000", "requests_day = 6"),
        encoding="utf-8",
    )
    refused = place.run(
        "reconcile", "run", "--system", "pmlp", "--persons", place.codes_file(codes), "--json"
    )
    assert refused.exit_code == 4
    assert json.loads(refused.stderr)["code"] == "quota_exceeded"
    counted = json.loads(refused.stdout)
    assert (counted["asked"], counted["waiting"], counted["ended"]) == (2, 2, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--system", "pmlp"),
        ("run", "--system", "sais", "--open-stays"),
        ("show", "1", "--reason", "x"),
        ("show", "019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e", "--reason", "x"),
        ("decide", "019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e", *WHO),
        ("decide", "019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e", "--keep", "--take", *WHO),
        ("decide", "019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e", "--keep"),
        ("answered", "019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e", "--refused", *WHO),
        ("answered", "019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e", *WHO),
    ],
)
def test_what_is_asked_wrongly_is_refused(home: Home, arguments: tuple[str, ...]) -> None:
    result = home.run("reconcile", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr


def test_a_wrong_line_is_named_without_its_content() -> None:
    assert read_codes(["# a", "", "320000-00009", "32000000009 "]) == ["320000-00009"] * 2
    with pytest.raises(InvalidPersonCode) as refused:
        read_codes(["320000-00009", "12345"])
    assert "line 2" in str(refused.value)
    assert "12345" not in str(refused.value)


def test_one_comparison_with_a_system_at_a_time(place: Place, engine: Engine) -> None:
    other = open_engine(place.database)
    with reconciliation.alone(engine, "reconcile pmlp"):
        with pytest.raises(Busy), reconciliation.alone(other, "reconcile pmlp"):
            pass
        with reconciliation.alone(other, "reconcile vzd"):
            pass
    with reconciliation.alone(other, "reconcile pmlp"):
        pass
    other.dispose()


def test_every_system_that_is_compared_is_asked_under_its_own_rights() -> None:
    assert set(discover()) == {"pmlp", "vdeavk", "vzd"}


def test_a_run_that_is_killed_goes_on_with_nothing_lost_and_nothing_asked_twice(
    place: Place, town: Town, engine: Engine
) -> None:
    """Killed again and again while PMLP takes its time: each person is asked about once, but for those in hand."""
    with simulators(
        place.folder, place.environ, "pmlp", "--persons", "40", "--journal", str(place.folder / "j")
    ) as said:
        codes = said["persons"]
        place.configure({**town.urls, "pmlp": said["systems"]["pmlp"]})
        known(place, codes)
        stale(place, codes[::2])
        own = Town(place.folder, said["systems"], codes, place.folder / "j")
        own.behave("pmlp", "slow", delay_ms=100)
        before = len(own.asked("GetPerson"))
        file = place.codes_file(codes)
        command = ("reconcile", "run", "--system", "pmlp", "--persons", file, "--json")
        kills = 0
        for wanted in (2, 5, 7):
            process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
                [*GATEWAY, *command], env={**os.environ, **place.environ}, stdout=subprocess.DEVNULL
            )
            _until_answered(engine, wanted)
            process.send_signal(signal.SIGKILL)
            assert process.wait(20) == -signal.SIGKILL
            kills += 1
        own.behave("pmlp", "ok")
        ended = gateway(place.environ, *command)
        assert ended.returncode == 0, ended.stderr
        counted = json.loads(ended.stdout)
        asked = own.asked("GetPerson")[before:]
    changed = len(codes[::2])
    assert (counted["asked"], counted["same"], counted["different"], counted["ended"]) == (
        len(codes),
        len(codes) - changed,
        changed,
        True,
    )
    with engine.connect() as connection:
        runs = connection.execute(select(func.count()).select_from(reconciliation.RUN)).scalar_one()
        states = Counter(connection.execute(select(ITEM.c.state)).scalars())
        found = differences.listed(connection)
        persons = Counter(row.person_id for row in found if row.field == "family_name")
    assert runs == 1
    assert states == {Item.SAME: len(codes) - changed, Item.DIFFERENT: changed}
    assert sorted(persons.values()) == [1] * changed
    assert counted["differences"]["opened"] == len(found)
    assert len(codes) <= len(asked) <= len(codes) + kills
    assert len({line["message_id"] for line in asked}) == len(asked)
    assert place.json_any("audit", "verify")["status"] == "unanchored"


def _until_answered(engine: Engine, wanted: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            query = select(func.count()).select_from(ITEM).where(ITEM.c.state != Item.WAITING.value)
            if connection.execute(query).scalar_one() >= wanted:
                return
        time.sleep(0.02)
    raise AssertionError("nothing was answered")
