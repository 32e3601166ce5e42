"""`gateway keys rotate-master | discard-master`: a new master key, and the end of the old one.

It wraps the data keys of the archive and the secrets of the console's accounts.
"""

from __future__ import annotations

import json

import click
from sqlalchemy import Connection, select

import config
from audit.archive import outdated, rewrap, wrapping
from audit.tables import log_records
from commands import AS_JSON, print_json
from commands.opening import administer, existing_database, open_database
from config import Settings
from endpoints.console import accounts
from errors import InvalidRequest
from security import masters
from security.masters import MasterKeys
from storage import open_engine, reading

_WHY = click.option("--why", required=True, help="By whose decision; it is recorded.")


@click.command(name="rotate-master")
@click.option("--prepare", is_flag=True, help="Only make the next key, to be copied to every host first.")
@_WHY
@AS_JSON
def rotate_master(prepare: bool, why: str, as_json: bool) -> None:
    """Wrap every data key of the archive, and every account's secret, under a new master key, while the gateway runs.

    The data keys stay the same, so no payload is touched. The old key stays as master-previous.key: backups from
    before open with it alone. Killed at any moment, the archive can be read, and the same command goes on. On several
    hosts: --prepare on one, copy master-next.key into the keys of the others, rotate on the first, then copy its
    master.key and master-previous.key. Processes find the new key by themselves. It needs the eraser's role
    ([database] eraser_url). Then: gateway keys escrow, gateway backup, gateway keys discard-master.

    \b
    Examples: gateway keys rotate-master --why "yearly change"
              gateway keys rotate-master --prepare --why "yearly change"
    """
    settings = config.load()
    existing_database(settings).dispose()
    engine = open_database(settings)
    if prepare:
        name = masters.fingerprint(masters.prepare(settings.keys))
        administer(settings, engine, "keys prepare-master", name, "", _nothing, typed={"reason": why})
        if as_json:
            print_json({"next": name, "file": str(settings.keys / masters.NEXT)})
        else:
            click.echo(f"{settings.keys / masters.NEXT}: {name}; copy it to every host, then rotate")
        return
    keys = MasterKeys(settings.keys)
    unfinished = _unfinished(settings, keys)
    new = keys.current() if unfinished else masters.prepare(settings.keys)
    name = masters.fingerprint(new)
    # Before it happens: should the record fail, nothing was changed.
    administer(settings, engine, "keys rotate-master", name, "", _nothing, typed={"reason": why})
    keys = MasterKeys(settings.keys)  # the next one among them now
    erasing = open_engine(settings.eraser_url, patience=None)
    with erasing.begin() as connection:
        wrapping(connection)
        wrapped = rewrap(connection, keys, new)
        secrets = accounts.rewrap(connection, keys, new)
        if not unfinished:
            masters.put_in_force(settings.keys)
    if as_json:
        print_json({"master": name, "data_keys": wrapped, "secrets": secrets, "went_on": unfinished})
        return
    click.echo(
        f"{wrapped} data keys and {secrets} secrets of accounts are under the master key {name}.\n"
        f"The one before is {masters.PREVIOUS}.\n"
        "Next: gateway keys escrow, gateway backup, then gateway keys discard-master"
    )


@click.command(name="discard-master")
@click.option(
    "--backup-elsewhere", is_flag=True, help="A backup was made since, by other means than `gateway backup`."
)
@_WHY
@AS_JSON
def discard_master(backup_elsewhere: bool, why: str, as_json: bool) -> None:
    """Destroy the master key from before the last change, once there is a backup from after it.

    From then on nobody can open the exact bytes in older backups, also those that were erased here since. Destroy its
    copies too: in older escrows, on other hosts.

    \b
    Example:  gateway keys discard-master --why "backup of 2026-11-23 is tested"
    """
    settings = config.load()
    existing_database(settings).dispose()
    engine = open_database(settings)
    path = settings.keys / masters.PREVIOUS
    if not path.exists():
        raise InvalidRequest(f"there is no {path}")
    with reading(engine).begin() as connection:
        current = MasterKeys(settings.keys).current()
        if stale := accounts.outdated(connection, current):
            raise InvalidRequest(
                f"{stale} secrets of accounts are under another key: gateway keys rotate-master, or, where no key "
                "opens them, gateway user reset"
            )
        left = outdated(connection, current)
        if left:
            raise InvalidRequest(f"{left} data keys are still under another key: gateway keys rotate-master")
        if not backup_elsewhere and not _backed_up_since(connection):
            raise InvalidRequest(
                "no backup is on record since the master key was changed: gateway backup, or --backup-elsewhere"
            )
    administer(
        settings,
        engine,
        "keys discard-master",
        masters.PREVIOUS,
        "",
        lambda _connection: masters.discard_previous(settings.keys),
        typed={"reason": why},
    )
    if as_json:
        print_json({"destroyed": str(path)})
    else:
        click.echo(f"{path} is destroyed.")


def _nothing(_connection: Connection) -> None:
    pass


def _unfinished(settings: Settings, keys: MasterKeys) -> bool:
    """Whether a change was interrupted after its key came into force and before the data keys were under it."""
    if (settings.keys / masters.NEXT).exists() or not (settings.keys / masters.PREVIOUS).exists():
        return False
    with reading(open_engine(settings.eraser_url)).begin() as connection:
        current = keys.current()
        return outdated(connection, current) + accounts.outdated(connection, current) > 0


def _backed_up_since(connection: Connection) -> bool:
    acts = connection.execute(
        select(log_records.c.instant, log_records.c.leaf)
        .where(log_records.c.kind == "admin", log_records.c.leaf.contains('"act":'))
        .order_by(log_records.c.instant.desc())
    )
    for row in acts:
        act = json.loads(row.leaf).get("act")
        if act in ("backup", "keys rotate-master"):
            return bool(act == "backup")
    return False
