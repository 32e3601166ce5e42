"""Time stamps over checkpoints, of an authority that OpenSSL plays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import Engine, LargeBinary, bindparam, select, update

from audit import stamps
from audit.outside import Outside
from audit.report import Report
from audit.stamp_client import StampClient
from audit.tables import log_checkpoints, log_timestamps
from audit.verify import verify
from errors import AnswerRefused, SystemUnavailable
from tests.audit.logs import KEY, SUBJECT_KEY, fill, unguard
from tests.audit.tsa import authority, openssl


@dataclass(frozen=True)
class Tsa:
    folder: Path
    url: str
    roots: tuple[x509.Certificate, ...]


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    folder = tmp_path_factory.mktemp("tsa")
    with authority(folder) as url:
        yield Tsa(folder, url, stamps.roots_of(folder / "ca.pem"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> tuple[x509.Certificate, ...]:
    """An authority that nobody's stamps are of."""
    folder = tmp_path_factory.mktemp("other")
    with authority(folder):
        return stamps.roots_of(folder / "ca.pem")


def _verified(engine: Engine, roots: tuple[x509.Certificate, ...]) -> Report:
    return verify(engine, KEY.public_key(), SUBJECT_KEY, outside=Outside(authorities=roots))


def test_the_newest_checkpoint_is_stamped_once_and_openssl_agrees(
    engine: Engine, tsa: Tsa, tmp_path: Path
) -> None:
    fill(engine)
    client = StampClient(tsa.url)
    given = stamps.stamp(engine, client, tsa.roots)
    assert given is not None
    assert stamps.stamp(engine, client, tsa.roots) is None
    report = _verified(engine, tsa.roots)
    assert report.status == "unanchored"
    assert report.stamped is not None
    with engine.begin() as connection:
        found = stamps.first_over(connection, 0)
        assert found is not None
        assert found[0] == given.size == report.size
        note = connection.execute(
            select(log_checkpoints.c.note).where(log_checkpoints.c.size == given.size)
        ).scalar_one()
    (tmp_path / "note").write_text(note)
    (tmp_path / "stamp").write_bytes(found[1])
    verifying = ("ts", "-verify", "-data", "note", "-in", "stamp", "-CAfile", str(tsa.folder / "ca.pem"))
    assert openssl(tmp_path, *verifying, "-untrusted", str(tsa.folder / "tsa.pem")).returncode == 0
    (tmp_path / "note").write_text(note.replace("\n", "\n\n", 1))
    assert openssl(tmp_path, *verifying, "-untrusted", str(tsa.folder / "tsa.pem")).returncode != 0


def test_a_stamp_of_somebody_else_is_not_kept(
    engine: Engine, tsa: Tsa, other: tuple[x509.Certificate, ...]
) -> None:
    fill(engine)
    with pytest.raises(AnswerRefused):
        stamps.stamp(engine, StampClient(tsa.url), other)
    with engine.begin() as connection:
        assert stamps.first_over(connection, 0) is None


def test_an_authority_that_is_away_is_told_of(engine: Engine, tsa: Tsa) -> None:
    fill(engine)
    with pytest.raises(SystemUnavailable):
        stamps.stamp(engine, StampClient("http://127.0.0.1:1"), tsa.roots)


def test_verify_names_a_stamp_that_does_not_hold(
    engine: Engine, tsa: Tsa, other: tuple[x509.Certificate, ...]
) -> None:
    fill(engine)
    stamps.stamp(engine, StampClient(tsa.url), tsa.roots)
    assert _verified(engine, other).reason.endswith("not of an authority that is trusted")
    unguard(engine)
    with engine.begin() as connection:
        sizes = (
            connection.execute(select(log_checkpoints.c.size).order_by(log_checkpoints.c.size))
            .scalars()
            .all()
        )
        connection.execute(update(log_timestamps).values(size=sizes[0]))
    report = _verified(engine, tsa.roots)
    assert (report.status, report.first_bad) == ("bad", 0)
    assert "over something else" in report.reason


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_a_damaged_stamp_is_bad_without_any_authority(engine: Engine, tsa: Tsa, cut: int) -> None:
    fill(engine)
    stamps.stamp(engine, StampClient(tsa.url), tsa.roots)
    unguard(engine)
    with engine.begin() as connection:
        token = connection.execute(select(log_timestamps.c.token)).scalar_one()
        connection.execute(
            update(log_timestamps).values(token=bindparam("cut", type_=LargeBinary())), {"cut": token[:cut]}
        )
    assert _verified(engine, ()).status == "bad"
