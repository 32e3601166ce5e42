"""`gateway restore`: load a backup into an empty database, and say what state its exchange log is in."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy import Engine, make_url

import config
from audit import backup, restorations
from audit.asking import ask
from audit.origin import load_public_key
from audit.verify import verify
from commands import AS_JSON, print_json
from commands.progress import shown
from commands.rendering import print_rows
from errors import ConfigurationError, InvalidRequest
from exchange import Json, instant_text
from routing import recovery
from security.keys import load_secret
from storage import dump, migrate, open_engine

# Imported so that every table of routing is declared, and its schema looked into.
_ROOMS = (recovery,)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--into", default="", metavar="URL", help="An empty database other than the configured one.")
@click.option("--look", is_flag=True, help="Check signature and digests, say what is in it, load nothing.")
@AS_JSON
@click.pass_context
def command(ctx: click.Context, directory: Path, into: str, look: bool, as_json: bool) -> None:
    """Load the backup in DIRECTORY into an empty database, after checking its signature and every digest.

    The keys must be in place already (`gateway keys unescrow`): the backup is believed by log.pub alone. The loaded
    database says that it is a restored one, and no gateway writes to it until `gateway recover` was run.
    Exit code 0: loaded and the log holds. 1: the log of the backup does not hold.

    \b
    Examples: gateway restore /backup/2026-11-23T0200 --look
              gateway restore /backup/2026-11-23T0200
              gateway restore /backup/2026-11-23T0200 --into sqlite:////srv/try/gateway.db
    """
    settings = config.load()
    key = load_public_key(settings.keys / "log.pub")
    manifest = backup.read(directory, key)
    if manifest.environment is not settings.environment:
        raise ConfigurationError(
            f"the backup is of the {manifest.environment.value} environment, this is {settings.environment.value}"
        )
    told: dict[str, Json] = {
        "made_at": instant_text(manifest.made_at),
        "gateway": manifest.gateway,
        "database": manifest.database,
        "log": {"origin": manifest.origin, "size": manifest.size, "root": manifest.root},
        "pending": manifest.pending,
        "keys": manifest.keys,
        "loaded": not look,
    }
    if look:
        _tell(told, as_json)
        return
    url = into or settings.database_url
    if make_url(url).get_backend_name() != manifest.database:
        raise InvalidRequest(f"the backup is of {manifest.database}: restore it into one of the same kind")
    dump.see_that_empty(url)

    def finish(engine: Engine) -> None:
        migrate.upgrade(engine)
        with engine.begin() as connection:
            restorations.mark(connection, manifest.made_at, manifest.size)

    with shown("loading", quiet=as_json) as progress:
        dump.copy_in(directory / manifest.file, url, finish, progress)
    secret = settings.keys / "subject.key"
    engine = open_engine(url, patience=None)
    with shown("verifying", quiet=as_json) as progress:
        rows = ask(settings, engine, key, offline=True)
        report = verify(engine, key, load_secret(secret) if secret.exists() else None, progress, rows)
    same = (report.size, report.root) == (manifest.size, manifest.root)
    told["audit"] = report.json()
    told["as_in_manifest"] = same
    _tell(told, as_json)
    if not as_json:
        click.echo(
            "Next: gateway recover --checkpoint FILE   (nothing is written before it was run)", err=True
        )
    ctx.exit(0 if same and report.status != "bad" else 1)


def _tell(told: dict[str, Json], as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    rows: list[tuple[str, str]] = []
    for name, value in told.items():
        if isinstance(value, dict):
            rows += [(f"{name} {inner.replace('_', ' ')}", _text(shown)) for inner, shown in value.items()]
        else:
            rows.append((name.replace("_", " "), _text(value)))
    print_rows(("backup", ""), rows)


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
