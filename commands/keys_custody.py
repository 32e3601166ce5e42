"""`gateway keys escrow | unescrow | check`: custody of the private keys, so that no one person has them all."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

import config
from audit.archive import outdated, unopened
from audit.origin import key_text, load_public_key
from audit.tables import log_records
from commands import AS_JSON, print_json
from commands.opening import administer, existing_database, open_database
from commands.rendering import print_rows
from config import Settings
from endpoints.console import accounts
from errors import ConfigurationError, GatewayFailure, InvalidRequest
from exchange import Json, utc_now
from security import escrow, masters
from security.keys import claim, load_log_key, put_files, read_files, replace_file
from security.masters import MasterKeys
from storage import reading

BUNDLE = "escrow.sealed"


@click.command(name="escrow")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--shares", type=click.IntRange(2, escrow.MOST_SHARES), required=True, help="Custodians, N.")
@click.option(
    "--threshold", type=click.IntRange(2, escrow.MOST_SHARES), required=True, help="How many open it, K."
)
@AS_JSON
def escrow_(directory: Path, shares: int, threshold: int, as_json: bool) -> None:
    """Seal every key file and split the bundle's key among N custodians, any K of whom open it again.

    DIRECTORY, which must not be there yet, gets the bundle (escrow.sealed) and one file for each share. Print the
    shares or copy each to its custodian, prove that K of them open it, then destroy the files. The bundle is no
    secret without them: a copy stays with the keys and goes into every backup made with --with-keys. An escrow made
    before stays valid for the keys of its day; have its shares destroyed.

    \b
    Example:  gateway keys escrow --shares 5 --threshold 3 /media/escrow
              gateway keys unescrow --try /media/escrow/escrow.sealed /media/escrow/share-{1,3,4}-of-5.txt
    """
    settings = config.load()
    claim(settings.keys, settings.environment)  # so that the bundle says whose keys it holds
    files = read_files(settings.keys)
    if directory.exists():
        raise InvalidRequest(f"{directory} is there already: name a directory that is to be made")
    bundle, parts = escrow.split(files, threshold=threshold, shares=shares, made_at=utc_now())
    outside = escrow.read_bundle(bundle)
    administer(
        settings,
        open_database(settings),
        "keys escrow",
        f"set {outside.set_id}: {threshold} of {shares}",
        "",
        lambda _connection: _put_out(settings, directory, bundle, outside.made_at, parts),
    )
    if as_json:
        print_json(_told(outside) | {"directory": str(directory)})
        return
    click.echo(
        f"{directory}: {BUNDLE} and {shares} shares, any {threshold} of which open it (set {outside.set_id}).\n"
        "Give each share to one custodian, try them with `gateway keys unescrow --try`, then destroy the files."
    )


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("shares", type=click.Path(path_type=Path, dir_okay=False), nargs=-1)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="For a bundle that a passphrase opens: the file with it, `-` for standard input.",
)
@click.option("--try", "only_try", is_flag=True, help="Open it, say what is in it, write nothing.")
@AS_JSON
def unescrow(
    bundle: Path, shares: tuple[Path, ...], passphrase_file: Path | None, only_try: bool, as_json: bool
) -> None:
    """Put the key files of a bundle back in place: 0600, and nothing that is there and differs is changed.

    SHARES are files with one or more shares; without any they are read from standard input, typed or scanned, one
    after the other. A share that is mistyped, of another set, or too few of them are refused with the reason.

    \b
    Examples: gateway keys unescrow escrow.sealed share-1-of-5.txt share-3-of-5.txt share-4-of-5.txt
              gateway keys unescrow backup/keys.sealed --passphrase-file -
    """
    settings = config.load()
    sealed = bundle.read_bytes()
    outside = escrow.read_bundle(sealed)
    if outside.opened_by == "passphrase":
        if passphrase_file is None:
            raise InvalidRequest("a passphrase opens this bundle: name --passphrase-file")
        files = escrow.open_with_passphrase(outside, read_passphrase(passphrase_file))
    else:
        files = escrow.open_with_shares(outside, _shares(shares, outside))
    written = [] if only_try else put_files(settings.keys, files)
    if only_try:
        recorded = _on_record(settings, "keys unescrow try", f"set {outside.set_id}: opened, nothing written")
    else:
        if outside.opened_by == "shares":
            replace_file(settings.keys, BUNDLE, sealed)
        what = f"set {outside.set_id}: " + (", ".join(written) or "nothing missing")
        recorded = _on_record(settings, "keys unescrow", what)
    if as_json:
        print_json(_told(outside) | {"written": list[Json](written), "recorded": recorded})
        return
    if only_try:
        click.echo(f"It opens: {', '.join(sorted(files))} of {outside.made_at}. Nothing was written.")
    else:
        click.echo(f"{settings.keys}: {len(written)} of {len(files)} files were missing and are back.")
    if not recorded:
        click.echo(
            "There is no exchange log yet, so this is not on record; `gateway recover` will be.", err=True
        )


@click.command()
@AS_JSON
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check that keys, escrow and database are in step, and when the escrow was made.

    Exit code 0: all in step. 1: something is to be done, and it is said what.

    \b
    Example:  gateway keys check --json
    """
    settings = config.load()
    files = read_files(settings.keys)
    problems = _problems_of_files(settings, files)
    path = settings.keys / BUNDLE
    outside = escrow.read_bundle(path.read_bytes()) if path.exists() else None
    problems += _problems_of_escrow(outside, files)
    engine = _database(settings)
    if engine is not None:
        problems += _problems_of_archive(settings, engine)
    if as_json:
        print_json(
            {
                "in_step": not problems,
                "problems": list[Json](problems),
                "escrow": None if outside is None else _told(outside) | {"age_days": _age(outside)},
            }
        )
    else:
        rows = [("problem", problem) for problem in problems] or [("in step", "keys, escrow and database")]
        if outside is not None:
            text = (
                f"{outside.made_at}, {_age(outside)} days ago, {outside.threshold} of {outside.shares} shares"
            )
            rows.append(("escrow", f"{text}, set {outside.set_id}"))
        print_rows(("keys", ""), rows)
    ctx.exit(1 if problems else 0)


def read_passphrase(path: Path) -> str:
    """A passphrase from a file, `-` for standard input, without its line break."""
    text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    return text.rstrip("\r\n")


def in_step(settings: Settings) -> bytes:
    """The escrow's bundle where it holds the keys as they are now.

    Raises: ConfigurationError where there is none, or the keys have changed since.
    """
    path = settings.keys / BUNDLE
    if not path.exists():
        raise ConfigurationError("there is no escrow yet: gateway keys escrow, or give --passphrase-file")
    bundle = path.read_bytes()
    if problems := _problems_of_escrow(escrow.read_bundle(bundle), read_files(settings.keys)):
        raise ConfigurationError(problems[0])
    return bundle


def _put_out(
    settings: Settings, directory: Path, bundle: bytes, made_at: str, parts: list[escrow.Share]
) -> None:
    directory.mkdir(mode=0o700)
    try:
        _write(directory / BUNDLE, bundle)
        for share in parts:
            _write(directory / f"share-{share.number}-of-{share.shares}.txt", share.text(made_at).encode())
        replace_file(settings.keys, BUNDLE, bundle)
    except BaseException:
        shutil.rmtree(directory)
        raise


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _shares(paths: tuple[Path, ...], outside: escrow.Bundle) -> list[escrow.Share]:
    if paths:
        return [
            share
            for path in paths
            for share in escrow.read_shares(path.read_text(encoding="utf-8"), path.name)
        ]
    if not sys.stdin.isatty():
        return escrow.read_shares(sys.stdin.read(), "standard input")
    found: dict[int, escrow.Share] = {}
    while len(found) < outside.threshold:
        click.echo(f"Share {len(found) + 1} of {outside.threshold}, its four numbered lines:", err=True)
        typed = "".join(sys.stdin.readline() for _ in range(4))
        try:
            (share,) = escrow.read_shares(typed, "the share")
        except InvalidRequest as error:
            click.echo(f"{error.detail}. Again:", err=True)
            continue
        found[share.number] = share
    return list(found.values())


def _on_record(settings: Settings, act: str, what: str) -> bool:
    """Put it on record where there is a log; a database that is still to be restored must stay empty."""
    engine = _database(settings)
    if engine is None:
        return False
    with suppress(GatewayFailure):
        administer(settings, engine, act, what, "", lambda _connection: None)
        return True
    return False


def _database(settings: Settings) -> Engine | None:
    """The database, where there is one with a log in it."""
    try:
        engine = existing_database(settings, patience=8.0)
        with reading(engine).begin() as connection:
            schema = None if connection.dialect.name == "sqlite" else log_records.schema
            there = inspect(connection).has_table(log_records.name, schema=schema)
    except (ConfigurationError, SQLAlchemyError):
        return None
    return engine if there else None


def _problems_of_files(settings: Settings, files: dict[str, bytes]) -> list[str]:
    problems = [
        f"{name} can be read by others: chmod 600"
        for name in files
        if name.endswith(".key") and stat.S_IMODE((settings.keys / name).stat().st_mode) & 0o077
    ]
    from_key = load_log_key(settings.keys / "log.key").public_key()
    if key_text(from_key) != key_text(load_public_key(settings.keys / "log.pub")):
        problems.append("log.pub is not the public key of log.key")
    return problems


def _problems_of_escrow(outside: escrow.Bundle | None, files: dict[str, bytes]) -> list[str]:
    again = "gateway keys escrow"
    if outside is None:
        return [f"no escrow was made: {again}"]
    now = escrow.digests(files)
    return [
        *(
            f"{name} was changed since the escrow: {again}"
            for name in now
            if outside.files.get(name, "") not in ("", now[name])
        ),
        *(f"{name} is not in the escrow: {again}" for name in now if name not in outside.files),
        *(f"{name} is in the escrow and not here" for name in outside.files if name not in now),
    ]


def _problems_of_archive(settings: Settings, engine: Engine) -> list[str]:
    """Months of the archive that no master key opens, and a change of the master key that is not finished."""
    keys = MasterKeys(settings.keys)
    with reading(engine).begin() as connection:
        months = unopened(connection, keys)
        old = outdated(connection, keys.current()) - len(months)
        schema = None if connection.dialect.name == "sqlite" else accounts.accounts.schema
        there = inspect(connection).has_table(accounts.accounts.name, schema=schema)
        stale = accounts.outdated(connection, keys.current()) if there else 0
    problems = [f"master.key does not open the archive of {month}" for _, month in months]
    if old:
        problems.append(f"{old} data keys are under another master key: gateway keys rotate-master")
    if stale:
        problems.append(
            f"{stale} secrets of accounts are under another master key: gateway keys rotate-master"
        )
    if (settings.keys / masters.PREVIOUS).exists():
        problems.append(f"{masters.PREVIOUS} is still here: make a backup, then gateway keys discard-master")
    return problems


def _told(outside: escrow.Bundle) -> dict[str, Json]:
    return {
        "set": outside.set_id,
        "made_at": outside.made_at,
        "threshold": outside.threshold,
        "shares": outside.shares,
        "opened_by": outside.opened_by,
        "files": list[Json](sorted(outside.files)),
    }


def _age(outside: escrow.Bundle) -> int:
    return (utc_now() - datetime.fromisoformat(outside.made_at)).days
