"""`gateway backup`: a consistent, signed copy of everything that is needed to go on elsewhere."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import click
from sqlalchemy import Connection, Engine

import config
from audit import backup, continuity
from audit.backup import Manifest
from commands import AS_JSON, print_json
from commands.keys_custody import in_step, read_passphrase
from commands.opening import administer, existing_database, give_place
from commands.progress import shown
from commands.rendering import print_rows
from config import Settings
from errors import ConfigurationError, InvalidRequest
from exchange import Json, instant_text, utc_now
from routing import recovery
from security import escrow
from security.keys import load_log_key, read_files
from storage import dump, migrate, reading

# Imported so that every table of routing is declared, and its schema in the copy.
_ROOMS = (recovery,)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--with-keys",
    is_flag=True,
    help="Put the private keys in too, sealed: the bundle of the last escrow, or under a passphrase.",
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --with-keys: seal them under the passphrase in this file, `-` for standard input.",
)
@AS_JSON
def command(directory: Path, with_keys: bool, passphrase_file: Path | None, as_json: bool) -> None:
    """Copy database, configuration and public certificates into DIRECTORY, which must not be there yet.

    The copy is of one moment; the gateway goes on serving. A manifest, signed by log.key, names every file with its
    SHA-256, and size and root of the exchange log. The database holds personal data: keep the copy on an encrypted
    medium. Private keys are never in it but sealed. Nothing is left behind when it fails. It is on record.

    \b
    Examples: gateway backup /backup/2026-11-23T0200
              gateway backup /backup/2026-11-23T0200 --with-keys --json
    """
    settings = config.load()
    if directory.exists():
        raise InvalidRequest(f"{directory} is there already: name a directory that is to be made")
    if passphrase_file is not None and not with_keys:
        raise click.UsageError("--passphrase-file goes with --with-keys")
    keys = _sealed_keys(settings, passphrase_file) if with_keys else None
    engine = existing_database(settings)
    _see_that_current(engine)
    give_place(settings, engine)
    partial = directory.with_name(f".{directory.name}.partial")
    backup.discard(partial)
    partial.mkdir(parents=True, mode=0o700)
    try:
        manifest = _make(settings, engine, partial, keys, quiet=as_json)
        digest = backup.write(partial, manifest, load_log_key(settings.keys / "log.key"))
        name = f"size {manifest.size}, manifest {digest}"
        administer(settings, engine, "backup", name, "", lambda _connection: _publish(partial, directory))
    except BaseException:
        backup.discard(partial)
        backup.discard(directory)  # made by this command: it was not there at the beginning
        raise
    total = sum(size for _, size, _ in manifest.files)
    told: dict[str, Json] = {
        "directory": str(directory),
        "made_at": instant_text(manifest.made_at),
        "database": manifest.database,
        "bytes": total,
        "files": len(manifest.files),
        "log": {"size": manifest.size, "root": manifest.root, "pending": manifest.pending},
        "keys": manifest.keys,
        "manifest_sha256": digest,
    }
    if as_json:
        print_json(told)
        return
    print_rows(
        ("backup", str(directory)),
        [
            ("made at", instant_text(manifest.made_at)),
            ("database", f"{manifest.database} {manifest.server}, by {manifest.tool}"),
            ("exchange log", f"{manifest.size} records, {manifest.pending} more without a place yet"),
            ("files", f"{len(manifest.files)}, {total / 1e6:.1f} MB"),
            ("private keys", _KEYS[manifest.keys]),
            ("manifest", digest),
        ],
    )


_KEYS = {
    "none": "not in it: `gateway keys escrow` keeps them",
    "shares": "in it, sealed: the custodians' shares open them",
    "passphrase": "in it, sealed by the passphrase",
}


def _sealed_keys(settings: Settings, passphrase_file: Path | None) -> bytes:
    if passphrase_file is None:
        return in_step(settings)
    return escrow.seal(read_files(settings.keys), read_passphrase(passphrase_file), made_at=utc_now())


def _make(settings: Settings, engine: Engine, folder: Path, keys: bytes | None, *, quiet: bool) -> Manifest:
    made_at = utc_now()
    with shown("copying the database", quiet=quiet) as progress:
        dumped, (standing, extent) = dump.copy_out(engine, folder, _look, progress)
    if extent.note is None:
        raise ConfigurationError("the exchange log has no checkpoint yet: start the gateway once")
    backup.collect(settings, folder)
    if keys is not None:
        (folder / backup.SEALED_KEYS).write_bytes(keys)
    note = extent.note
    return Manifest(
        made_at=made_at,
        gateway=metadata.version("spolis-gateway"),
        environment=settings.environment,
        database=dumped.kind,
        server=dumped.server,
        tool=dumped.tool,
        file=dumped.file,
        migrations=standing.has,
        size=extent.size,
        root=note.splitlines()[2],
        pending=extent.pending,
        checkpoint=note,
        keys="none" if keys is None else escrow.read_bundle(keys).opened_by,
        files=backup.files(folder),
    )


def _see_that_current(engine: Engine) -> None:
    with reading(engine).begin() as connection:
        standing = migrate.standing(connection)
    if standing.unknown or standing.lacks:
        raise ConfigurationError(
            "the database is older or newer than this gateway: back up with the version that it belongs to"
        )


def _look(connection: Connection) -> tuple[migrate.Standing, continuity.Extent]:
    return migrate.standing(connection), continuity.extent(connection)


def _publish(partial: Path, directory: Path) -> None:
    """The last step, in the transaction of its record: the one is not without the other."""
    partial.rename(directory)
    descriptor = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
