"""`gateway audit export`: the log as files that a stranger verifies with the gateway stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

import config
from audit import open_log, witnessed
from audit.export import VERIFIER, Exported, Wanted, export
from commands import AS_JSON, print_json
from commands.opening import admin_entry, existing_database, give_place, open_database
from commands.progress import shown
from commands.rendering import print_rows
from config import Settings
from errors import ConfigurationError
from exchange import Json, utc_now
from questions.purposes import why
from security.keys import load_log_key


@click.command(name="export")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--from", "start", type=click.IntRange(min=0), default=0, help="Go on from the checkpoint of this size."
)
@click.option("--with-values", is_flag=True, help="Personal values too, with their salts; needs --purpose.")
@click.option("--purpose", default="", help="Why and for whom; it is recorded.")
@click.option("--compress", is_flag=True, help="Write the long files with gzip.")
@AS_JSON
def export_(
    directory: Path, start: int, with_values: bool, purpose: str, compress: bool, as_json: bool
) -> None:
    """Write leaves, tree, checkpoints, keys and a verifier into DIRECTORY, which must not exist yet.

    Whoever gets it runs `python DIRECTORY/verify.py`: Python and the package `cryptography` are all that it needs.
    Personal values are in it only with --with-values. That there was an export, and why, is recorded.

    \b
    Example:  gateway audit export /mnt/handover/log
              gateway audit export /mnt/handover/log --with-values --purpose "court order 2026/112"
              gateway audit export /mnt/handover/november --from 41233 --compress
    """
    if with_values and not purpose.strip():
        raise click.UsageError("--with-values needs --purpose: personal data leave the gateway")
    if directory.exists():
        raise ConfigurationError(f"{directory} exists already")
    settings = config.load()
    existing_database(settings).dispose()
    wanted = Wanted(start, with_values, compress)
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    try:
        done = _exported(settings, partial, wanted, purpose, quiet=as_json)
        partial.rename(directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    told: dict[str, Json] = {
        "directory": str(directory),
        "from": start,
        "size": done.size,
        "root": done.root,
        "pending": done.pending,
        "values": with_values,
        "bytes": done.bytes,
        "manifest_sha256": done.manifest,
    }
    if as_json:
        print_json(told)
        return
    print_rows(("export", ""), [(name.replace("_", " "), str(value)) for name, value in told.items()])
    click.echo(f"\npython {directory / VERIFIER}")


def _exported(settings: Settings, folder: Path, wanted: Wanted, purpose: str, *, quiet: bool) -> Exported:
    """Write the export between the record that says so and the one that names what came of it."""
    engine = open_database(settings)
    log, key = open_log(settings, engine), load_log_key(settings.keys / "log.key")
    public, typed = why(purpose)
    facts: dict[str, Json] = {
        "act": "audit export",
        **public,
        "from": wanted.start,
        "values": wanted.values,
    }
    log.write(admin_entry(settings, {**facts, "stage": "begun"}, typed))
    give_place(settings, engine)
    chosen = witnessed.chosen(settings)
    with shown("exporting", quiet=quiet) as progress:
        done = export(
            engine,
            folder,
            key,
            wanted=wanted,
            witness=None if chosen is None else chosen.key,
            made_at=utc_now(),
            environment=settings.environment,
            progress=progress,
        )
    ended: dict[str, Json] = {"stage": "ended", "size": done.size, "manifest": done.manifest}
    log.write(admin_entry(settings, {**facts, **ended}, typed))
    give_place(settings, engine)
    return done
