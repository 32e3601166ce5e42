"""The procedure of docs/recovery.md, run for real: load, backup, more load, destruction, restore, recovery, service.

    python -m tests.recovery.drill sqlite postgresql point-in-time --seconds 10

prints one line of JSON for each, with what was lost (RPO) and how long it took until the gateway served again (RTO).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import requests

from tests.commands.processes import simulators
from tests.instances import PrivatePostgres
from tests.kill.judge import effects
from tests.recovery.station import PERSONS, SEED, Keeper, Load, Station

KINDS = ("sqlite", "postgresql", "point-in-time")
ARCHIVE_SECONDS = 5


@dataclass(frozen=True)
class Result:
    """One drill. Seconds of wall clock; records are leaves of the exchange log.

    `told_records` is what `gateway recover` says by the last checkpoint that was kept elsewhere, which is some seconds
    older than the loss.
    """

    kind: str
    backup_seconds: float
    backup_bytes: int
    records_at_backup: int
    records_at_loss: int
    lost_records: int
    told_records: int | None
    lost_seconds: float
    told_seconds: float | None
    acknowledged: int
    acknowledged_lost: int
    lost_from_before_backup: int
    keys_seconds: float
    load_seconds: float
    recover_seconds: float
    rto_seconds: float
    served_after: int
    sent_again: int
    doubled: int
    status: str


class Archiving(PrivatePostgres):
    """A PostgreSQL that archives its write-ahead log into a folder."""

    def __init__(self, archive: Path) -> None:
        super().__init__()
        self.archive = archive

    @property
    def data(self) -> Path:
        return self._data

    def base_backup(self, target: Path) -> None:
        """`pg_basebackup`, while it serves."""
        subprocess.run(  # noqa: S603 — a program of this machine
            [
                shutil.which("pg_basebackup") or "pg_basebackup",
                f"--dbname=host=127.0.0.1 port={self.port} user=postgres",
                f"--pgdata={target}",
                "--checkpoint=fast",
                "--wal-method=none",
            ],
            check=True,
            capture_output=True,
        )

    def become(self, base: Path) -> None:
        """Stop, take a base backup's data, and play the archive to its end."""
        self.stop()
        owner = self._data.stat()
        shutil.rmtree(self._data)
        shutil.copytree(base, self._data)
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"restore_command = 'cp {self.archive}/%f %p'\n")
        (self._data / "recovery.signal").touch()
        for path in [self._data, *self._data.rglob("*")]:
            os.chown(path, owner.st_uid, owner.st_gid)
        self._data.chmod(0o700)
        self.start()
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            while connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
                time.sleep(0.1)

    def _settings(self) -> list[str]:
        return [
            *super()._settings(),
            "wal_level=replica",
            "archive_mode=on",
            f"archive_command=cp %p {self.archive}/.%f && mv {self.archive}/.%f {self.archive}/%f",
            f"archive_timeout={ARCHIVE_SECONDS}",
        ]


def drill(kind: str, seconds: float, home: Path) -> Result:
    """Run the whole procedure once."""
    journal = home / "journal.jsonl"
    with ExitStack() as end:
        before = end.enter_context(_database(kind, home))
        station = Station(home / "one", "" if before is None else before.url)
        station.run("keys", "new")
        simulated = ("sais", "--journal", str(journal), "--persons", str(PERSONS), "--seed", str(SEED))
        environ = {"GATEWAY_CONFIG": str(station.config), "GATEWAY_DATABASE_URL": ""}
        ready = end.enter_context(simulators(Path.cwd(), environ, *simulated))
        station.reach(ready["systems"]["sais"])
        station.run("keys", "escrow", "--shares", "5", "--threshold", "3", str(home / "escrow"))
        key = station.json("caller", "add", "core", "--recipient", "spolis-core")["key"]
        elsewhere = home / "checkpoint"
        with station.served() as served:
            keeper = Keeper(station, elsewhere)
            with Load(served.internal, key, first=0) as load:
                time.sleep(seconds)
                began, backup_at = time.monotonic(), time.time()
                backup = station.json("backup", str(home / "backup"), "--with-keys")
                backup_seconds = time.monotonic() - began
                if isinstance(before, Archiving):
                    before.base_backup(home / "base")
                time.sleep(seconds)
                lost_at = time.time()
                station.kill(served)
            keeper.stop()
        records_at_loss = station.records()
        station.wipe()
        if before is not None:
            before.kill()
        destroyed = time.monotonic()
        # From here on the clock runs: new keys, a new database, and service.
        after = end.enter_context(_database(kind, home))
        if isinstance(after, Archiving):
            after.become(home / "base")
        station = Station(home / "two", "" if after is None else after.url)
        station.reach(ready["systems"]["sais"])
        for part in ("access.d", "trust", "crl"):
            shutil.copytree(home / "backup" / "config" / part, station.config / part)
        mark = time.monotonic()
        shares = [str(home / "escrow" / f"share-{number}-of-5.txt") for number in (1, 3, 5)]
        station.run("keys", "unescrow", str(home / "backup" / "keys.sealed"), *shares)
        keys_seconds, mark = time.monotonic() - mark, time.monotonic()
        if not isinstance(after, Archiving):
            station.json("restore", str(home / "backup"))
        load_seconds, mark = time.monotonic() - mark, time.monotonic()
        moment = f"{datetime.fromtimestamp(lost_at, UTC):%Y-%m-%dT%H:%M:%S}"
        restored = ("--restored",) * isinstance(after, Archiving)
        report = station.json(
            "recover", *restored, "--checkpoint", str(elsewhere), "--lost-at", moment, codes=(0, 3)
        )
        recover_seconds = time.monotonic() - mark
        with station.served() as served:
            assert requests.get(f"{served.internal}/healthz", timeout=10).ok
            rto = time.monotonic() - destroyed
            with Load(served.internal, key, first=PERSONS // 2) as again:
                time.sleep(min(seconds, 5.0))
            _drained(station)
            assert served.stop() == 0
        audit = station.json("audit", "verify", codes=(0, 3))
        kept = _kept(station)
        size = int(report["audit"]["size"])
        newest = datetime.fromisoformat(report["newest"])
        return Result(
            kind=kind,
            backup_seconds=round(backup_seconds, 1),
            backup_bytes=int(backup["bytes"]),
            records_at_backup=int(backup["log"]["size"]),
            records_at_loss=records_at_loss,
            # A commit that was under way as the records were counted may have come after the count.
            lost_records=max(0, records_at_loss - size - int(report["audit"]["pending"])),
            told_records=0 if report["gap"] is None else report["gap"]["records"],
            lost_seconds=round(max(0.0, lost_at - newest.timestamp()), 1),
            told_seconds=None if report["gap"] is None else report["gap"]["seconds"],
            acknowledged=len(load.acknowledged),
            acknowledged_lost=sum(str(one) not in kept for _, one in load.acknowledged),
            lost_from_before_backup=sum(
                str(one) not in kept for at, one in load.acknowledged if at < backup_at
            ),
            keys_seconds=round(keys_seconds, 1),
            load_seconds=round(load_seconds, 1),
            recover_seconds=round(recover_seconds, 1),
            rto_seconds=round(rto, 1),
            served_after=len(again.acknowledged),
            sent_again=_sent_again(journal),
            doubled=_doubled(journal),
            status=f"{audit['status']}; {audit['reason']}",
        )


@contextmanager
def _database(kind: str, home: Path) -> Iterator[PrivatePostgres | None]:
    if kind == "sqlite":
        yield None
        return
    with _server(kind, home) as server:
        yield server


def _server(kind: str, home: Path) -> PrivatePostgres:
    if kind == "postgresql":
        return PrivatePostgres()
    archive = home / "archive"
    archive.mkdir(exist_ok=True)
    archive.chmod(0o777)  # the server runs under another account
    return Archiving(archive)


def _drained(station: Station, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        counts = station.json("work", "--status")["outbox"]
        if not counts["waiting"] and not counts["leased"]:
            return
    raise AssertionError(f"the outbox is not drained: {counts}")


def _kept(station: Station) -> set[str]:
    found = station.json("audit", "search", "--limit", "10000")
    return {str(one["leaf"]["exchange"]) for one in found}


def _doubled(journal: Path) -> int:
    """How many messages took effect more than once at the receiver."""
    return sum(count > 1 for count in Counter(effects(journal)).values())


def _sent_again(journal: Path) -> int:
    """How many messages reached the receiver more than once."""
    lines = map(json.loads, journal.read_text().splitlines())
    return sum(count > 1 for count in Counter(line["message_id"] for line in lines).values())


def main() -> None:
    """Run the drills that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory(prefix="gateway-drill-", ignore_cleanup_errors=True) as name:
            Path(name).chmod(0o755)  # the database server's account passes through
            print(json.dumps(asdict(drill(kind, arguments.seconds, Path(name)))), flush=True)


if __name__ == "__main__":
    main()
