"""`gateway work`: a worker process, as many as are wanted on as many hosts; and how all of them are."""

from __future__ import annotations

from datetime import datetime

import click

import config
from audit import check_log
from commands import print_json
from commands.opening import ensure_keys, open_database
from commands.rendering import print_rows
from endpoints import metered
from endpoints.reloading import Standing
from endpoints.work.background import Background, Told, until_told
from errors import ConfigurationError
from exchange import Json, instant_text, utc_now
from routing import jobs, outbox
from routing.jobs import JobStatus
from storage import reading
from telemetry import start_diagnostics


@click.command()
@click.option(
    "--status", "show", is_flag=True, help="Show the jobs of all processes and the outbox, and exit."
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=None,
    help="Deliveries at a time.  [default: [outbox] threads]",
)
@click.option(
    "--metrics", default="", metavar="HOST:PORT", help="Answer /metrics there with what this process counted."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON: when ready, or the status.")
@click.pass_context
def command(ctx: click.Context, show: bool, threads: int | None, metrics: str, as_json: bool) -> None:
    """Deliver what is queued, and do all other background work, until SIGTERM or Ctrl-C.

    Any number of these on any number of hosts share the work with those of `gateway serve`. What is under way at
    SIGTERM is finished; at SIGHUP the settings are read again.
    Exit codes: 0 stopped, 78 the configuration is wrong, 1 a part has ended by itself.

    \b
    Examples: gateway work --threads 8
              gateway work --metrics 127.0.0.1:9101
              gateway work --status
    """
    settings = config.load()
    if show:
        _status(settings, as_json)
        return
    ensure_keys(settings)
    start_diagnostics(settings.telemetry)
    engine = open_database(settings)
    check_log(settings, engine)
    engine.dispose()
    told = Told()
    listening = None if not metrics else _listen(metrics)
    background = Background(settings, threads)
    standing = Standing(settings, "work", listening=False)
    standing.started()
    if as_json:
        found: dict[str, Json] = {"ready": True, "process": background.work.process}
        print_json(found if listening is None else {**found, "metrics": listening})
    else:
        click.echo(f"working as {background.work.process}", err=True)

    def again(running: Background) -> Background:
        begun = standing.again(lambda changed: Background(changed, threads), undo=Background.stop)
        if begun is None:
            return running
        running.stop()
        return begun

    ctx.exit(until_told(told, background, again))


def _listen(metrics: str) -> str:
    host, _, port = metrics.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError("--metrics is HOST:PORT, such as 127.0.0.1:9101")
    return f"http://{host}:{metered.serve(host, int(port))}/metrics"


def _status(settings: config.Settings, as_json: bool) -> None:
    with reading(open_database(settings)).begin() as connection:
        statuses = jobs.status(connection)
        counts = outbox.counts(connection)
        lag = outbox.lag(connection)
    if as_json:
        print_json(
            {
                "jobs": [_json(status) for status in statuses],
                "outbox": {state.value: count for state, count in counts.items()},
                "oldest_due_seconds": lag,
            }
        )
        return
    print_rows(
        ("job", "process", "state", "last run", "next run", "lag s", "error"),
        [
            (
                status.job,
                status.process,
                status.state.value,
                _ago(status.last_run),
                _ago(status.next_run),
                "" if status.lag_seconds is None else f"{status.lag_seconds:.1f}",
                status.error or "",
            )
            for status in statuses
        ],
    )
    waiting = ", ".join(f"{count} {state.value}" for state, count in counts.items() if count)
    click.echo(f"outbox: {waiting or 'empty'}")


def _json(status: JobStatus) -> dict[str, Json]:
    def instant(value: datetime | None) -> Json:
        return None if value is None else instant_text(value)

    return {
        "job": status.job,
        "process": status.process,
        "state": status.state.value,
        "last_run": instant(status.last_run),
        "last_ok": instant(status.last_ok),
        "next_run": instant(status.next_run),
        "lag_seconds": status.lag_seconds,
        "error": status.error,
    }


def _ago(instant: datetime | None) -> str:
    if instant is None:
        return ""
    seconds = (utc_now() - instant).total_seconds()
    return f"{seconds:.0f} s ago" if seconds >= 0 else f"in {-seconds:.0f} s"
