"""`gateway serve`: both listeners, and the work beside them, until told to stop."""

from __future__ import annotations

import click

import config
from commands import print_json
from commands.opening import ensure_keys
from endpoints.generation import Options
from endpoints.supervisor import serve
from endpoints.worker import READ_SECONDS
from exchange import Json
from security.keys import MARK
from telemetry import start_diagnostics


@click.command()
@click.option("--embedded", is_flag=True, help="Few processes, and /soap on the internal listener too.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=None,
    help="Processes of each listener.  [default: 1 embedded, else 2]",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=24,
    show_default=True,
    help="Threads of each. One system that hangs takes at most twice its pool (16); the rest serve the others.",
)
@click.option(
    "--read-seconds",
    type=click.FloatRange(0.1, 600),
    default=READ_SECONDS,
    show_default=True,
    help="Within which a request must have arrived whole.",
)
@click.option(
    "--grace-seconds",
    type=click.IntRange(0, 3600),
    default=30,
    show_default=True,
    help="That running requests get to finish when told to stop.",
)
@click.pass_context
def command(
    ctx: click.Context,
    embedded: bool,
    as_json: bool,
    workers: int | None,
    threads: int,
    read_seconds: float,
    grace_seconds: int,
) -> None:
    """Serve partners (/soap) and SPOLIS core (/api/v1, /healthz, /readyz, /metrics) until SIGTERM or Ctrl-C.

    Missing keys are made in the test environment, the database is brought up to date. Running requests finish before
    the exit. At SIGHUP the settings are read again: all of them take effect, or none.
    Exit codes: 0 stopped, 78 the configuration is wrong, 1 a part has ended by itself.

    \b
    Example:  gateway serve --embedded
    """
    settings = config.load()
    before = set(settings.keys.glob("*"))
    ensure_keys(settings)
    new = {path.name for path in set(settings.keys.glob("*")) - before}
    if made := sorted(name for name in new if name[0] != "." and name != MARK):
        click.echo(f"gateway: keys were missing and are made in {settings.keys}: {', '.join(made)}", err=True)
    start_diagnostics(settings.telemetry)

    def announce(ready: dict[str, Json]) -> None:
        if as_json:
            print_json(ready)
        else:
            click.echo(f"partners  {ready['partners']}/soap/…\ninternal  {ready['internal']}/api/v1/docs")

    ctx.exit(
        serve(
            settings,
            Options(
                embedded=embedded,
                workers=workers or (1 if embedded else 2),
                threads=threads,
                read_seconds=read_seconds,
                grace_seconds=grace_seconds,
            ),
            announce,
        )
    )
