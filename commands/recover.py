"""`gateway recover`: after a restore or a crash, before serving: is all in order, and what was lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from sqlalchemy import Connection, Engine

import adapters
import config
from audit import Entry, Kind, continuity, open_log, restorations, sweeper
from audit.archive import LOST, unopened
from audit.asking import Known, ask, newest_known
from audit.checkpoint import Checkpoint
from audit.origin import Origin, load_public_key
from audit.restorations import Restoration
from audit.sequencer import Sequencer
from audit.verify import Report, verify
from commands import AS_JSON, print_json
from commands.opening import admin_entry, existing_database, give_place
from commands.progress import shown
from commands.rendering import print_rows
from config import Settings
from errors import InvalidRequest
from exchange import Json, instant_text, utc_now
from routing import recovery
from routing.recovery import Doubt, Left, Memory, repeat_of
from security.keys import load_log_key, load_secret
from security.masters import MasterKeys
from storage import migrate, reading

READY, MUST_NOT_SERVE, GAP = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Gap:
    """What the log lacks. `records` is None where nobody can say; `until` where nobody knows when it ended."""

    records: int | None
    since: str | None
    until: str | None

    @property
    def seconds(self) -> float | None:
        """From the newest record that is there to the moment of the loss."""
        if self.since is None or self.until is None:
            return None
        return max(0.0, (_instant(self.until) - _instant(self.since)).total_seconds())

    def json(self) -> dict[str, Json]:
        return {"records": self.records, "since": self.since, "until": self.until, "seconds": self.seconds}


@dataclass(frozen=True, slots=True)
class Found:
    """What a look has shown, before anything is changed."""

    standing: migrate.Standing
    running: tuple[tuple[str, float], ...]
    report: Report
    extent: continuity.Extent
    restoration: Restoration | None
    restored: bool
    known: Checkpoint | None
    silent: str | None
    outside: continuity.Standing | None
    lost_at: str | None
    unopened: tuple[str, ...]
    orphans: int
    leased: int
    doubt: Doubt
    memory: Memory

    @property
    def gap(self) -> Gap | None:
        """What is missing from a restored log; None where nothing is known to be."""
        if not self.restored or (self.outside is not None and self.outside.missing == 0):
            return None
        records = None if self.outside is None else self.outside.missing
        return Gap(records, self.extent.newest, self.lost_at)

    def obstacles(self, *, keys_lost: bool) -> list[str]:
        """Why the gateway must not serve, each with what to do."""
        found = []
        if self.standing.unknown:
            found.append(
                f"the database is of a newer gateway ({', '.join(self.standing.unknown)}): run that one"
            )
        if self.running and not self.restored:
            names = ", ".join(f"{name} {ago:.0f} s ago" for name, ago in self.running)
            found.append(f"processes have reported lately ({names}): stop them, or wait 30 s after they fell")
        if self.report.status == "bad":
            found.append(
                f"the exchange log does not hold from index {self.report.first_bad} on: {self.report.reason}; "
                "keep this database as evidence and restore a backup"
            )
        if self.outside is not None and not self.outside.holds:
            found.append(
                f"the exchange log is not the one that had {self.outside.known} records: it was changed, or is "
                "another branch; keep this database as evidence and restore a backup"
            )
        if self.unopened and not keys_lost:
            found.append(
                f"master.key does not open the archive of {', '.join(self.unopened)}: gateway keys unescrow; "
                "--master-key-lost only if it is lost for good"
            )
        return found


@dataclass(frozen=True, slots=True)
class Done:
    """What was changed."""

    origin: Origin | None
    orphans: int
    released: int
    unreadable: tuple[Left, ...]


@click.command()
@click.option(
    "--restored", is_flag=True, help="The database is an earlier state: a restore, a point in time."
)
@click.option(
    "--checkpoint",
    "note",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The newest checkpoint kept elsewhere (gateway audit checkpoint); it tells what is missing. The witness is "
    "asked too.",
)
@click.option(
    "--lost-at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    help="When the old database was lost, UTC.  [default: the date of the checkpoint]",
)
@click.option(
    "--master-key-lost", is_flag=True, help="Go on without the archive of the months that nothing opens."
)
@click.option("--look", is_flag=True, help="Say what would be done and change nothing.")
@AS_JSON
@click.pass_context
def command(
    ctx: click.Context,
    restored: bool,
    note: Path | None,
    lost_at: datetime | None,
    master_key_lost: bool,
    look: bool,
    as_json: bool,
) -> None:
    """Make a database ready to serve after a restore or a crash, and say honestly what was lost.

    Migrations, the whole exchange log, the checkpoint kept elsewhere and the master key are checked; leases of dead
    processes are released, exchanges without an outcome closed as unknown. Of a restored database the log goes on
    under a new origin, whose first leaf names the gap: it is never forked. What waits in its outbox may have been
    delivered since: what the receiver recognises goes on, what can be asked about is asked first, the rest is left to
    a person. No gateway may run meanwhile.

    Exit code 0: ready. 3: ready, with a gap. 1: must not serve, and why.

    \b
    Examples: gateway recover --look
              gateway recover --checkpoint /mnt/elsewhere/gateway.checkpoint
              gateway recover --restored --checkpoint … --lost-at 2026-11-23T09:41:00Z    (point in time)
    """
    settings = config.load()
    engine = existing_database(settings)
    if not look and not _standing(engine).unknown:
        migrate.upgrade(engine)
    known = newest_known(settings, engine, note)
    if lost_at is not None:
        known = replace(known, until=lost_at.replace(tzinfo=UTC))
    found = _look(settings, engine, restored, known, quiet=as_json)
    obstacles = found.obstacles(keys_lost=master_key_lost)
    done = None
    if not obstacles and not look:
        done = _recover(settings, engine, found)
    code = MUST_NOT_SERVE if obstacles else GAP if found.gap is not None else READY
    if as_json:
        print_json(_json(found, done, obstacles, code))
    else:
        _print(found, done, obstacles, code)
    ctx.exit(code)


def _standing(engine: Engine) -> migrate.Standing:
    with reading(engine).begin() as connection:
        return migrate.standing(connection)


def _look(
    settings: Settings,
    engine: Engine,
    restored: bool,
    known: Known,
    *,
    quiet: bool,
) -> Found:
    standing = _standing(engine)
    if standing.unknown or standing.lacks:
        state = "newer than" if standing.unknown else "behind"
        raise InvalidRequest(
            f"the database is {state} this gateway's migrations "
            f"({', '.join(standing.unknown or standing.lacks)}): "
            + ("run the gateway that it belongs to" if standing.unknown else "--look cannot look into it")
        )
    public_key = load_public_key(settings.keys / "log.pub")
    # By its rows alone: what the witness has seen beyond them is what a recovery is about.
    rows = ask(settings, engine, public_key, offline=True)
    with shown("verifying", quiet=quiet) as progress:
        report = verify(engine, public_key, load_secret(settings.keys / "subject.key"), progress, rows)
    repeat = partial(repeat_of, settings, adapters.discover())
    with reading(engine).begin() as connection:
        outside = None
        if known.checkpoint is not None and report.status != "bad":
            outside = continuity.compare(connection, known.checkpoint)
        restoration = restorations.open_one(connection)
        return Found(
            standing=standing,
            running=tuple(recovery.running(connection)),
            report=report,
            extent=continuity.extent(connection),
            restoration=restoration,
            restored=restored or restoration is not None or (outside is not None and outside.missing > 0),
            known=known.checkpoint,
            silent=known.silent,
            outside=outside,
            lost_at=None if known.until is None else instant_text(known.until),
            unopened=_months(unopened(connection, MasterKeys(settings.keys))),
            orphans=len(sweeper.orphans(engine)),
            leased=recovery.leased(connection),
            doubt=recovery.doubt(connection, repeat, change=False),
            memory=recovery.memory(connection),
        )


def _recover(settings: Settings, engine: Engine, found: Found) -> Done:
    """Everything in one transaction with the record of it; orphans, which any gateway closes too, after it."""
    log = open_log(settings, engine)
    repeat = partial(repeat_of, settings, adapters.discover())
    released = 0
    unreadable: tuple[Left, ...] = ()
    if found.restored:
        with engine.begin() as connection:
            recovery.forget_processes(connection)

    def work(connection: Connection) -> None:
        nonlocal released, unreadable
        released = recovery.release(connection)
        if found.restored:
            for row in recovery.doubt(connection, repeat, change=True).left:
                log.append(connection, _row_entry(settings, row, "left to a person after a restore"))
        if found.unopened:
            lost = [one for one, _ in unopened(connection, MasterKeys(settings.keys))]
            unreadable = recovery.set_aside(connection, lost, f"{LOST}{utc_now():%Y-%m-%dT%H:%M:%SZ}")
            for row in unreadable:
                log.append(connection, _row_entry(settings, row, "given up: its request cannot be opened"))
        log.append(connection, admin_entry(settings, _facts(found, released, len(unreadable)), {}))

    origin = None
    if found.restored:
        sequencer = Sequencer(
            engine, load_log_key(settings.keys / "log.key"), environment=settings.environment
        )
        origin = sequencer.begin_again(_lost(found), work)
        sequencer.release()
    else:
        log.commit(work)
    # No process works now: what is open has nobody who would end it.
    orphans = sweeper.close(log, sweeper.orphans(engine))
    give_place(settings, engine)
    return Done(origin, orphans, released, unreadable)


def _months(rows: Iterable[tuple[object, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(month for _, month in rows))


def _row_entry(settings: Settings, row: Left, why: str) -> Entry:
    recorded = admin_entry(
        settings, {"act": "recover", "system": row.system, "operation": row.operation, "what": why}, {}
    )
    return Entry(Kind.ADMIN, row.id, recorded.instant, recorded.facts, recorded.personal)


def _lost(found: Found) -> dict[str, Json]:
    known, gap = found.known, found.gap
    return {
        # What the witness knows beyond the checkpoint at hand, nobody can say while it is silent.
        "records": None if found.silent is not None else 0 if gap is None else gap.records,
        "since": found.extent.newest,
        "until": found.lost_at,
        "known": None if known is None else known.body().decode(),
        "backup_made_at": None if found.restoration is None else instant_text(found.restoration.made_at),
    }


def _facts(found: Found, released: int, unreadable: int) -> dict[str, Json]:
    return {
        "act": "recover",
        "restored": found.restored,
        "lost": _lost(found) if found.restored else None,
        "leases_released": released,
        "asked_first": found.doubt.asked_first if found.restored else 0,
        "left_to_a_person": len(found.doubt.left) if found.restored else 0,
        "archive_lost": list[Json](found.unopened),
        "requests_lost": unreadable,
    }


def _json(found: Found, done: Done | None, obstacles: list[str], code: int) -> dict[str, Json]:
    def text(instant: datetime | None) -> Json:
        return None if instant is None else instant_text(instant)

    outside = found.outside
    return {
        "ready": code != MUST_NOT_SERVE,
        "changed": done is not None,
        "obstacles": list[Json](obstacles),
        "migrations": {"has": list[Json](found.standing.has)},
        "audit": found.report.json(),
        "checkpoint": None
        if outside is None
        else {"known": outside.known, "holds": outside.holds, "missing": outside.missing},
        "witness_error": found.silent,
        "restored": found.restored,
        "newest": found.extent.newest,
        "backup_made_at": None if found.restoration is None else instant_text(found.restoration.made_at),
        "gap": None if found.gap is None else found.gap.json(),
        "origin": None if done is None or done.origin is None else done.origin.line,
        "orphans": found.orphans if done is None else done.orphans,
        "leases": found.leased if done is None else done.released,
        "outbox": {
            "goes_on": found.doubt.goes_on,
            "asked_first": found.doubt.asked_first if found.restored else 0,
            "left_to_a_person": [str(row.id) for row in found.doubt.left] if found.restored else [],
            "unreadable": [] if done is None else [str(row.id) for row in done.unreadable],
        },
        "repeats_known_until": text(found.memory.answered),
        "parties_known_until": text(found.memory.parties),
        "archive_lost": list[Json](found.unopened),
        "to_do": list[Json](_to_do(found)),
    }


def _to_do(found: Found) -> list[str]:
    """What is left to people after a restore."""
    if not found.restored:
        return []
    since = found.extent.newest
    answered = found.memory.answered
    to_do = [
        f"what callers wrote after {since} is not here: have SPOLIS core send it again, and ask the scheduled "
        "questions anew (gateway sync)",
        "a message that a partner repeats is not recognised where it was answered after "
        f"{'the beginning' if answered is None else instant_text(answered)}: tell partners to repeat only what they "
        "have no answer to",
        f"partners, callers and routes are as they were at {since}: disable again what was disabled since",
        "give auditors and the witness the new origin, and a copy of the last checkpoint before it",
    ]
    if found.doubt.left:
        to_do.insert(0, f"decide on {len(found.doubt.left)} messages: gateway outbox list --state unknown")
    return to_do


def _print(found: Found, done: Done | None, obstacles: list[str], code: int) -> None:
    report, gap, restored = found.report, found.gap, found.restored
    verb = "would be " if done is None else ""
    rows = [
        ("migrations", "as this gateway's"),
        ("exchange log", f"{report.status}, {report.size} records, {report.pending} without a place yet"),
    ]
    if found.outside is not None:
        holds = "the same log" if found.outside.holds else "NOT the same log"
        rows.append(("checkpoint elsewhere", f"{found.outside.known} records: {holds}"))
    if found.silent is not None:
        rows.append(("witness", f"not asked: {found.silent}"))
    if restored:
        made = found.restoration
        rows.append(("restored", "yes" if made is None else f"backup of {instant_text(made.made_at)}"))
        rows.append(("gap", _gap_text(gap)))
        name = "-" if done is None or done.origin is None else done.origin.line
        rows.append(("new origin", name if done is not None else "would begin"))
    orphans, leases = (found.orphans, found.leased) if done is None else (done.orphans, done.released)
    rows.append(("without an outcome", f"{orphans} {verb}closed as unknown"))
    rows.append(("leases", f"{leases} {verb}released"))
    if restored:
        doubt = found.doubt
        rows.append(
            (
                "outbox",
                f"{doubt.goes_on} go on, {doubt.asked_first} are asked about first, "
                f"{len(doubt.left)} are left to a person",
            )
        )
    if found.unopened:
        rows.append(("archive lost", ", ".join(found.unopened)))
    rows += [("must not serve", obstacle) for obstacle in obstacles]
    rows += [("to do", one) for one in _to_do(found)]
    verdict = {READY: "ready", GAP: "ready, with a gap", MUST_NOT_SERVE: "must not serve"}[code]
    rows.append(("verdict", f"{verdict}{' (nothing was changed)' if done is None else ''}"))
    print_rows(("recover", ""), rows)


def _gap_text(gap: Gap | None) -> str:
    if gap is None:
        return "none that the checkpoint knows of"
    records = "nobody can say how many records" if gap.records is None else f"{gap.records} records"
    seconds = "" if gap.seconds is None else f", {gap.seconds:.0f} s"
    return f"{records} after {gap.since}{seconds}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
