"""`gateway corrections`: those who received a wrong value are told that it was corrected."""

from __future__ import annotations

import uuid
from pathlib import Path

import click
from sqlalchemy import Engine

import config
from audit import open_log
from audit.account import operating_user
from commands import AS_JSON, print_json, progress
from commands.audit_acts import record
from commands.opening import ensure_keys, give_place, open_database
from commands.rendering import print_rows
from config import Settings
from errors import InvalidRequest
from exchange import Json, utc_now
from questions import notices
from questions.acting import Acting, about
from questions.corrections import SETTLED, make_notices
from questions.purposes import LOOKED_THROUGH
from registers import codes_of, value_notices
from registers.value_notices import NoticeState
from routing.access import Access
from security.keys import load_secret
from storage import reading

_ACTOR = click.option(
    "--actor", default="", help="Who does it. Default: the account of the operating system."
)
_REASON = click.option("--reason", default="by hand", show_default=True, help="Why; it is recorded.")
_HEADS = (
    "id",
    "recipient",
    "register_table",
    "fields",
    "state",
    "way",
    "made_at",
    "handed_at",
    "acknowledged_at",
)


@click.group()
def command() -> None:
    """Notices of corrected values to those who received the wrong ones (Regulation 2016/679, article 19)."""


@command.command()
@_ACTOR
@_REASON
@AS_JSON
def notify(actor: str, reason: str, as_json: bool) -> None:
    """Look for values that were corrected, and make a notice for each recipient of a wrong one, as the job does.

    Looked at is what was corrected over five minutes ago: exchanges under way then are on record by now. Nothing is
    made twice.

    \b
    Example:  gateway corrections notify
    """
    settings, engine, acting = _acting(actor, reason)
    try:
        with progress.shown("corrections", quiet=as_json) as heard:
            made = make_notices(
                engine,
                open_log(settings, engine),
                load_secret(settings.keys / "subject.key"),
                Access.load(settings.access),
                acting,
                utc_now(),
                settled=SETTLED,
                progress=heard,
            )
    finally:
        give_place(settings, engine)
    if as_json:
        print_json({"versions": made.versions, "notices": made.notices})
    else:
        click.echo(f"wrong versions: {made.versions}; notices made: {made.notices}")


@command.command(name="list")
@click.option("--recipient", default="", help="Only those for this recipient.")
@click.option(
    "--state", type=click.Choice([one.value for one in NoticeState]), help="Only those in this state."
)
@click.option("--persons", is_flag=True, help="Show personal codes too; needs --reason.")
@click.option("--reason", default="", help="Why you look at persons; it is recorded.")
@AS_JSON
def list_(recipient: str, state: str | None, persons: bool, reason: str, as_json: bool) -> None:
    """List notices, oldest first. It is recorded.

    \b
    Example:  gateway corrections list --state prepared
              gateway corrections list --recipient vsaa --persons --reason "question of the recipient" --json
    """
    if persons and not reason.strip():
        raise InvalidRequest("--persons needs --reason")
    settings, engine, _ = _acting("", reason)
    with reading(engine).begin() as connection:
        found = value_notices.listed(
            connection, recipient=recipient, state=None if state is None else NoticeState(state)
        )
        codes = [codes_of(connection, row.person_id)[0] for row in found] if persons else []
    seen = about(list(dict.fromkeys(codes)))
    facts: dict[str, Json] = {"notices": len(found), "to": recipient}
    record(settings, engine, "corrections list", reason or LOOKED_THROUGH, facts, seen)
    rows = [{name: _plain(row._mapping[name]) for name in _HEADS} for row in found]
    for row, code in zip(rows, codes, strict=False):
        row["person_code"] = code
    if as_json:
        print_json([dict(row) for row in rows])
    else:
        heads = (*_HEADS, *(("person_code",) if persons else ()))
        print_rows(heads, [tuple(_cell(row[name]) for name in heads) for row in rows])


@command.command(name="hand-over")
@click.option("--recipient", default="", help="Only those for this recipient.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where notices are written. Default: `correction-notices` in the state directory.",
)
@_ACTOR
@_REASON
@AS_JSON
def hand_over(recipient: str, folder: Path | None, actor: str, reason: str, as_json: bool) -> None:
    """Write the notices that are prepared into a folder for each recipient: JSON, and a text in Latvian and English.

    \b
    Example:  gateway corrections hand-over --folder /srv/handover
    """
    settings, engine, acting = _acting(actor, reason)
    try:
        place = folder or notices.folder_of(settings)
        handed = notices.hand_over(engine, open_log(settings, engine), acting, place, recipient)
    finally:
        give_place(settings, engine)
    if as_json:
        print_json([dict(one) for one in handed])
    else:
        names = ("id", "to", "reference")
        print_rows(names, [tuple(str(one[name]) for name in names) for one in handed])


@command.command()
@click.argument("notice", metavar="NOTICE", type=click.UUID)
@_ACTOR
@click.option("--reason", required=True, help="How it is known; it is recorded.")
def received(notice: uuid.UUID, actor: str, reason: str) -> None:
    """Note that the recipient has a notice that was handed over.

    \b
    Example:  gateway corrections received 019a2f40-1111-7d52-9b1f-3f0a6b0c1d2e --reason "e-mail of 3 March"
    """
    settings, engine, acting = _acting(actor, reason)
    notices.received(open_log(settings, engine), acting, notice)
    give_place(settings, engine)
    click.echo("acknowledged")


def _acting(actor: str, reason: str) -> tuple[Settings, Engine, Acting]:
    settings = config.load()
    ensure_keys(settings)
    return settings, open_database(settings), Acting(settings.environment, actor or operating_user(), reason)


def _plain(value: object) -> Json:
    if isinstance(value, list):
        return [str(one) for one in value]
    return None if value is None else str(value)


def _cell(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "-" if value is None else str(value)
