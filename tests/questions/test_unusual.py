"""Unusual look-ups: each kind is flagged where it is one, and not where it is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

import registers
from audit import Entry, Kind, flags
from audit.flags import Flag
from audit.leaf import subject_index
from errors import ConfigurationError, InvalidRequest, NotFound
from exchange import RIGA, Json, Provenance, new_id, utc_now
from mappings.codes import FAMILY_RELATION
from mappings.pmlp import FamilyMember, Person
from questions.lookups import LookUp, in_office_hours, lookups, office_hours
from questions.unusual import Unusual, judge, reason, unusual
from questions.words import Language
from tests.audit.logs import SUBJECT_KEY, open_log, opened, sequence

DAY = date(2026, 11, 25)  # a Wednesday
MORNING = datetime(2026, 11, 25, 10, 0, tzinfo=RIGA)


def look(
    official: str, person: str, at: datetime = MORNING, case: str = "L-1", recipient: str = "r"
) -> LookUp:
    digest = person if len(person) == 64 else subject_index(SUBJECT_KEY, person)
    return LookUp(str(new_id()), at, recipient, "social worker", official, case, frozenset({digest}))


def judged(found: Iterable[LookUp], family: frozenset[str] = frozenset()) -> list[Flag]:
    return list(judge(DAY, list(found), SUBJECT_KEY, lambda _official: family, office_hours()))


def kinds(found: Iterable[LookUp]) -> list[str]:
    return [flag.kind for flag in judged(found)]


def reads(official: str, count: int) -> list[LookUp]:
    return [look(official, f"{official}-{number}") for number in range(count)]


def test_far_more_persons_than_peers() -> None:
    peers = [one for number in range(5) for one in reads(f"peer-{number}", 8 + number)]
    (flag,) = judged([*peers, *reads("curious", 60)])
    assert flag.kind == Unusual.MANY_PERSONS
    assert flag.figures == {"persons": 60, "median": "10", "peers": 5}
    assert "60" in reason(flag, Language.LATVIAN)
    assert reason(flag, Language.ENGLISH).startswith(
        "An official saw the data of 60 persons in a day; others"
    )


def test_not_where_peers_see_as_many_nor_where_there_are_few_of_either() -> None:
    busy = [one for number in range(5) for one in reads(f"peer-{number}", 50 + number)]
    assert kinds([*busy, *reads("as-busy", 57)]) == []
    assert kinds([*reads("a", 2), *reads("b", 2), *reads("c", 2), *reads("d", 19)]) == [], "the floor"
    assert kinds([*reads("a", 2), *reads("b", 2), *reads("alone", 100)]) == [], "no three peers"


def test_the_same_person_again_is_one_person() -> None:
    peers = [one for number in range(5) for one in reads(f"peer-{number}", 8)]
    assert kinds([*peers, *(look("thorough", "one person") for _ in range(60))]) == []


@pytest.mark.parametrize(
    ("at", "recipient", "inside"),
    [
        (datetime(2026, 11, 25, 7, 0, tzinfo=RIGA), "r", True),
        (datetime(2026, 11, 25, 18, 59, tzinfo=RIGA), "r", True),
        (datetime(2026, 11, 25, 19, 0, tzinfo=RIGA), "r", False),
        (datetime(2026, 11, 25, 4, 59, tzinfo=UTC), "r", False),  # 6:59 in Riga
        (datetime(2026, 11, 25, 5, 0, tzinfo=UTC), "r", True),
        (datetime(2026, 11, 28, 10, 0, tzinfo=RIGA), "r", False),  # a Saturday
        (datetime(2026, 11, 18, 10, 0, tzinfo=RIGA), "r", False),  # a holiday
        (datetime(2026, 11, 28, 3, 0, tzinfo=RIGA), "care-centre", True),
    ],
)
def test_working_hours_in_riga(at: datetime, recipient: str, inside: bool) -> None:
    assert in_office_hours(look("o", "p", at, recipient=recipient), office_hours()) is inside


def test_out_of_hours_is_one_flag_of_a_day() -> None:
    night = MORNING.replace(hour=23, minute=5)
    (flag,) = judged([look("o", "p"), look("o", "p", night), look("o", "q", night)])
    assert (flag.kind, flag.figures) == (Unusual.OUT_OF_HOURS, {"lookups": 2, "first": "23:05"})
    assert len(flag.exchanges) == 2


def test_his_own_record_and_his_family() -> None:
    own = look("PK:320101-12345", "32010112345")
    assert kinds([own, look("PK:320101-12345", "320101-99999")]) == [Unusual.OWN_RECORD]
    assert kinds([look("AU:100001-PK:320101-12345", "320101-12345")]) == [Unusual.OWN_RECORD]
    assert kinds([look("MT-1042", "320101-12345")]) == []
    family = frozenset({subject_index(SUBJECT_KEY, "320101-77777")})
    (flag,) = judged([look("PK:320101-12345", "320101-77777")], family)
    assert flag.kind == Unusual.FAMILY_MEMBER


def test_one_person_by_many_officials() -> None:
    (flag,) = judged(look(f"o-{number}", "320101-12345") for number in range(5))
    assert (flag.kind, flag.figures) == (Unusual.MANY_OFFICIALS, {"officials": 5})
    assert kinds(look(f"o-{number}", "320101-12345") for number in range(4)) == []
    assert kinds(look("o-1", "320101-12345") for _ in range(9)) == []
    apart = [look(f"o-{number}", "320101-12345", recipient=f"r-{number}") for number in range(6)]
    assert kinds(apart) == [], "each of another recipient"


def test_no_case_where_peers_name_one() -> None:
    peers = [look(f"peer-{number}", f"p-{number}") for number in range(4) for _ in range(3)]
    (flag,) = judged([*peers, *(look("bare", f"b-{n}", case="") for n in range(3))])
    assert (flag.kind, flag.figures) == (Unusual.NO_CASE, {"lookups": 3, "all": 3, "peers_percent": 100})
    assert kinds([*peers, *(look("bare", f"b-{n}", case="") for n in range(2))]) == []
    nobody = [dataclasses.replace(one, case="") for one in peers]
    assert kinds([*nobody, *(look("bare", f"b-{n}", case="") for n in range(3))]) == []


def test_a_flag_is_the_same_whenever_it_is_found() -> None:
    found = [look(f"o-{number}", "320101-12345") for number in range(5)]
    assert judged(found)[0].key == judged(reversed(found))[0].key


def test_from_the_log(engine: Engine) -> None:
    """What officials asked by the API counts; what the gateway asks by itself does not."""
    at = MORNING.replace(hour=2)
    with engine.begin() as connection:
        member = FamilyMember(
            relation=FAMILY_RELATION["CHILD"],
            person_code="320101-77777",
            given_names=("Anna",),
            family_name="Ozola",
        )
        person = Person(
            given_names=("Jānis",),
            family_name="Ozols",
            person_code="320101-12345",
            data_sets=("FAMILY",),
            family=(member,),
        )
        registers.feed(connection, person, Provenance(new_id(), "pmlp", "v1-0", "m1", utc_now()))
    write(engine, "api", at, "320101-77777")
    write(engine, "outbox", at, "320101-77777")
    write(engine, "soap", at, "320101-12345", purpose="own-data")
    sequence(engine)
    (only,) = lookups(engine, at - timedelta(hours=1), at + timedelta(hours=1))
    assert (only.official, only.case, only.role) == ("PK:320101-12345", "L-1", "clerk")
    found = unusual(engine, SUBJECT_KEY, DAY, DAY + timedelta(days=1))
    assert sorted(flag.kind for flag in found) == [Unusual.FAMILY_MEMBER, Unusual.OUT_OF_HOURS]
    assert unusual(engine, SUBJECT_KEY, DAY + timedelta(days=1), DAY + timedelta(days=2)) == ()


def test_flags_are_kept_once_and_dismissed_with_a_reason(engine: Engine) -> None:
    (flag,) = judged([look("o", "p", MORNING.replace(hour=23))])
    now = utc_now()
    with engine.begin() as connection:
        assert flags.keep(connection, [flag], now) == 1
        assert flags.keep(connection, [flag], now) == 0
        assert flags.open_by_day(connection, DAY) == {DAY: 1}
        (kept,) = flags.listed(connection, DAY, DAY + timedelta(days=1))
        assert (kept.key, kept.exchanges, kept.figures) == (flag.key, flag.exchanges, flag.figures)
        flags.dismiss(connection, [kept.id], "dpo", "on duty that night", now)
        assert flags.keep(connection, [flag], now) == 0, "a decision stands"
        assert flags.open_by_day(connection, DAY) == {}
        (decided,) = flags.listed(connection, DAY, DAY + timedelta(days=1), dismissed=True)
        assert (decided.dismissed_by, decided.reason) == ("dpo", "on duty that night")
        with pytest.raises(InvalidRequest):
            flags.dismiss(connection, [kept.id], "dpo", "again", now)
        with pytest.raises(NotFound):
            flags.dismiss(connection, [new_id()], "dpo", "who", now)


@pytest.mark.parametrize("line", ["r\tworking\tseven\t19:00\twhy", "r\tnever\t07:00\t19:00\twhy"])
def test_hours_that_are_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "hours.tsv").write_text(f"recipient\tdays\tfrom\tto\twhy\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="line 2"):
        office_hours(tmp_path / "hours.tsv")


def write(engine: Engine, way: str, at: datetime, code: str, **more: Json) -> None:
    exchange_id = new_id(at)
    facts: dict[str, Json] = {"way": way, "recipient": "r", "role": "clerk", "outcome": "ok", **more}
    personal: dict[str, Json] = {"subject": code, "official": "PK:320101-12345", "case": "L-1"}
    open_log(engine).write(
        dataclasses.replace(opened(exchange_id), instant=at),
        Entry(Kind.OUTCOME, exchange_id, at, facts, personal),
    )
