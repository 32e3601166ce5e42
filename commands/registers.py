"""`gateway registers`: what becomes of register rows when their purpose has ended."""

from __future__ import annotations

from collections import Counter

import click

import config
from audit import open_log
from commands import AS_JSON, print_json
from commands.opening import ensure_keys, existing_database, give_place, open_database
from commands.progress import shown
from commands.rendering import print_rows
from exchange import Json, today_in_riga
from questions import handed_files
from questions.acting import Acting
from registers.anonymising import due
from registers.purposes import purposes
from routing import anonymising
from storage import reading


@click.group()
def command() -> None:
    """The SPOLIS registers that the gateway feeds."""


@command.command()
@click.option("--dry-run", is_flag=True, help="Say what is due, change nothing.")
@click.option("--verify", is_flag=True, help="Compare the archive with what the records say went into it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--why", default="scheduled", show_default=True, help="By whose decision; it is recorded.")
@AS_JSON
@click.pass_context
def anonymise(ctx: click.Context, dry_run: bool, verify: bool, yes: bool, why: str, as_json: bool) -> None:
    """Take rows whose purpose has ended to the archive without persons, and erase them with all their history.

    When a purpose ends and what is kept of a row says registers/purpose_ends.tsv. A person of whom nothing is left
    loses codes and links; files that were handed over about them go as well. Each step is on record with its counts.
    `gateway work` does the same every night.
    Exit code 0: done, or nothing to do. 1: --verify found the archive to differ from the records.

    \b
    Examples: gateway registers anonymise --dry-run
              gateway registers anonymise --why "plan of 2026" --yes
              gateway registers anonymise --verify
    """
    settings = config.load()
    existing_database(settings).dispose()
    ensure_keys(settings)
    engine = open_database(settings)
    if verify:
        wrong = list[Json](map(str, anonymising.disproved(engine)))
        if as_json:
            print_json({"differs": wrong})
        else:
            click.echo("The archive is as the records say." if not wrong else f"differs: {wrong}")
        ctx.exit(1 if wrong else 0)
    with reading(engine).begin() as connection:
        found = due(connection, purposes(), today_in_riga())
    found += Counter(files=len(list(handed_files.due(settings, engine))))
    if dry_run or not found:
        _tell("due", dict(found), as_json)
        return
    if not yes:
        what = ", ".join(f"{number} of {name}" for name, number in found.items())
        click.confirm(f"Anonymise for good: {what}?", abort=True, err=True)
    log = open_log(settings, engine)
    with shown("anonymising", quiet=as_json) as progress:
        gone = anonymising.anonymise(
            engine, log, settings.environment, today_in_riga(), why, lambda done: progress(done, None)
        )
    gone["files"] = handed_files.erase(settings, engine, log, Acting(settings.environment, reason=why))
    give_place(settings, engine)
    _tell("erased", dict(+gone), as_json)


def _tell(what: str, counts: dict[str, int], as_json: bool) -> None:
    if as_json:
        print_json({what: dict[str, Json](counts)})
        return
    print_rows((what, "rows"), [(name, str(number)) for name, number in sorted(counts.items())])
