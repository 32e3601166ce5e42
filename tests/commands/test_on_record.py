"""Every command is on record in the exchange log when it acts, shows personal data or uses a private key.

A new command fails here until it stands in one of the tables: ACTS are carried out and their records looked for,
ELSEWHERE names the test that does so in a world of its own, NONE says why nothing is recorded.
"""

from __future__ import annotations

import ast
import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, select

from audit import Archive, open_log, retention, search
from audit.tables import log_records
from commands import cli
from endpoints.reloading import Standing
from exchange import RIGA, today_in_riga, utc_now
from security.keys import issue, load_secret
from storage import migrate, open_engine
from tests.audit.logs import exchange
from tests.commands.conftest import Home, closed_port
from tests.commands.test_command_line import leaves

TESTS = Path(__file__).parents[1]
CODE = "320101-12345"
OLD = retention.months_before(utc_now(), 61).astimezone(RIGA).date()
BEGIN, END = today_in_riga() - timedelta(days=2), today_in_riga() + timedelta(days=400)


@dataclass(frozen=True)
class Act:
    """A command line as it is given here, and the act by which it stands in the log."""

    name: str
    words: str = ""
    stdin: str = ""
    exit_code: int = 0


# In the order in which they are carried out. {x} is the exchange that is there, {d} a folder, {on} and {until} days.
ACTS: Sequence[tuple[str, Act]] = (
    ("keys new", Act("keys new")),
    ("keys issue", Act("keys issue", "riga")),
    ("keys escrow", Act("keys escrow", "--shares 2 --threshold 2 {d}/escrow")),
    (
        "keys unescrow",
        Act(
            "keys unescrow try",
            "--try {d}/escrow/escrow.sealed {d}/escrow/share-1-of-2.txt {d}/escrow/share-2-of-2.txt",
        ),
    ),
    (
        "keys unescrow",
        Act(
            "keys unescrow",
            "{d}/escrow/escrow.sealed {d}/escrow/share-1-of-2.txt {d}/escrow/share-2-of-2.txt",
        ),
    ),
    ("keys rotate-master", Act("keys prepare-master", "--prepare --why yearly")),
    ("keys rotate-master", Act("keys rotate-master", "--why yearly")),
    ("keys discard-master", Act("keys discard-master", "--why yearly --backup-elsewhere")),
    ("backup", Act("backup", "{d}/backup")),
    ("partner add", Act("partner add", "riga --certificate {d}/state/keys/riga.pem --recipient spolis-core")),
    (
        "partner evidence",
        Act("partner evidence", "riga --confidentiality-signed {on} --confidentiality-reference D-1"),
    ),
    ("partner terms", Act("partner terms", "riga --notice-days 45")),
    ("partner rotate", Act("partner rotate", "riga --certificate {d}/state/keys/second.pem")),
    ("partner notice", Act("partner notice", "--service persons --change more --from {until}")),
    ("partner disable", Act("partner disable", "riga --why over")),
    ("caller add", Act("caller add", "core --recipient spolis-core")),
    ("caller disable", Act("caller disable", "core")),
    ("user add", Act("user add", "ilze --role auditor")),
    ("user role", Act("user role", "ilze --role dpo")),
    ("user reset", Act("user reset", "ilze")),
    ("user sessions", Act("user sessions")),
    ("user sign-out", Act("user sign-out", "ilze --why left")),
    ("user disable", Act("user disable", "ilze")),
    ("user bar", Act("user bar", "PNOLV-329999-10014 --why inspection")),
    ("user allow", Act("user allow", "PNOLV-329999-10014 --why over")),
    ("route disable", Act("route disable", "sais NotifyCareStay --why ended")),
    ("route enable", Act("route enable", "sais NotifyCareStay --why again")),
    ("alert test", Act("alert test", exit_code=1)),
    ("sync", Act("sync", "npais GetDecisions")),
    ("addresses load", Act("addresses load", "{d}/gateway.toml", exit_code=2)),
    ("audit show", Act("audit show", "1 --purpose inspection")),
    ("audit search", Act("audit search")),
    ("audit subject", Act("audit subject", "--purpose request", CODE)),
    ("audit recipients", Act("audit recipients", "--field pmlp_address.text --purpose request", CODE)),
    ("audit payload", Act("audit payload", "{x} request --purpose complaint")),
    ("audit unusual", Act("audit unusual")),
    ("audit evidence", Act("audit evidence", "{x} --purpose court --out {d}/one.asice")),
    ("audit export", Act("audit export", "{d}/export")),
    ("audit catalogue", Act("audit catalogue", "--anew")),
    ("audit hold add", Act("audit hold add", "court --exchange {x} --why order")),
    ("audit hold release", Act("audit hold release", "court --why judgment")),
    ("audit erase", Act("audit erase", "--before {old} --class exchange --why plan --yes")),
    ("children calendar", Act("children calendar")),
    ("children alerts", Act("children alerts")),
    ("corrections list", Act("corrections list")),
    ("reconcile run", Act("reconcile run", "--system pmlp --open-stays")),
    ("reconcile list", Act("reconcile list")),
)

# They need a world of their own: the test that finds them on record, and the words in it by which it does.
ELSEWHERE = {
    "audit dismiss": "commands/test_audit.py"
    "::test_unusual_look_ups_are_shown_and_dismissed_on_record: audit unusual dismiss",
    "call": "commands/test_call.py::test_a_call_prints_what_may_be_given_and_has_its_place_in_the_log: outcome",
    "children acknowledge": "routing/test_child_watch.py"
    "::test_an_alert_is_acknowledged_once_and_its_record_says_by_whom: children acknowledge",
    "children received": "routing/test_child_watch.py"
    "::test_what_was_handed_over_is_acknowledged_and_nothing_else: children report acknowledged",
    "children reports": "routing/test_child_watch.py"
    "::test_a_report_reaches_its_municipality_once_and_a_correction_after_it: children report handed over",
    "children watch": "routing/test_child_watch.py"
    "::test_each_alert_is_on_record_with_its_child_and_its_row_names_the_record: children watch",
    "corrections hand-over": "commands/test_corrections.py::test_a_notice_on_its_way: corrections hand-over",
    "corrections notify": "commands/test_corrections.py::test_a_notice_on_its_way: corrections notice",
    "corrections received": "commands/test_corrections.py::test_a_notice_on_its_way: corrections received",
    "database roles": "commands/test_on_record.py::test_the_rights_of_roles_are_on_record: database roles",
    "demo": "commands/test_demo.py::test_another_process_verifies_what_it_left: verify",
    "outbox park": "commands/test_outbox.py"
    "::test_parking_and_replaying_is_on_record_with_who_and_why: outbox park",
    "outbox replay": "commands/test_outbox.py"
    "::test_parking_and_replaying_is_on_record_with_who_and_why: outbox replay",
    "reconcile answered": "commands/test_reconcile.py"
    "::test_a_correction_request_is_a_file_for_the_source: reconcile answered refused",
    "reconcile decide": "commands/test_reconcile.py::test_every_look_and_every_decision_is_on_record: keep",
    "reconcile hand-over": "commands/test_reconcile.py::test_every_look_and_every_decision_is_on_record: sent",
    "reconcile return": "commands/test_reconcile.py::test_every_look_and_every_decision_is_on_record: return",
    "reconcile show": "commands/test_reconcile.py::test_every_look_and_every_decision_is_on_record: show",
    "reconcile undo": "commands/test_reconcile.py::test_every_look_and_every_decision_is_on_record: undo",
    "recover": "commands/test_recover.py::test_what_is_missing_is_counted_and_named_in_the_log: recover",
    "registers anonymise": "steps/test_anonymising.py::test_a_row_goes_and_the_person_stays: registers anonymise",
    "serve": "commands/test_on_record.py::test_each_start_is_on_record: start",
    "work": "commands/test_on_record.py::test_each_start_is_on_record: start",
}

# Nothing is recorded, and why.
_NOBODY = "shows and changes nothing of a person"
_OFFLINE = "reads files of the repository or the configuration alone"
NONE = {
    "access check": _OFFLINE,
    "access table": _OFFLINE,
    "addresses children": "the address register is public",
    "addresses history": "the address register is public",
    "addresses resolve": "the address register is public",
    "addresses search": "the address register is public",
    "audit checkpoint": "a checkpoint is published: origin, size and root",
    "audit classes": _NOBODY,
    "audit hold list": "names of holds and counts",
    "audit prove": "a leaf holds commitments alone, and nothing is signed",
    "audit receipt": "says whether a hash has its place",
    "audit verify": "anybody may verify: digests and counts leave, and no private key is used",
    "caller list": "names of systems; a key cannot be shown",
    "check": _OFFLINE,
    "contracts diff": "compares contracts and names partners",
    "errors": _OFFLINE,
    "identity": "stands in for the state login, with invented persons",
    "incidents": "an incident names systems, hosts and numbers",
    "keys check": "compares digests; nothing that a key signs or opens leaves it",
    "keys show": "certificates are public",
    "mappings table": _OFFLINE,
    "new-adapter": "writes source files of a developer",
    "outbox list": "systems, states and instants; a message is shown by `audit payload` alone",
    "outbox show": "systems, states and instants; a message is shown by `audit payload` alone",
    "partner list": "agencies and their certificates",
    "partner show": "agencies, their documents' references and certificates",
    "restore": "nothing is written to a restored log but by `recover`, whose record says of which backup",
    "route list": "operations and counts",
    "simulate": "stands in for other systems, with invented persons",
    "user list": "names of accounts, their roles and who is barred; no password and no secret can be shown",
    "witness": "runs at somebody else's; its cosignatures stand in the log that they are for",
}


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory, made_keys: Path) -> tuple[Home, Engine, uuid.UUID]:
    """An installation with one exchange and its request's bytes, and a partner's certificates."""
    folder = tmp_path_factory.mktemp("on-record")
    shutil.copytree(made_keys, folder / "state" / "keys")
    (folder / "state" / "keys" / "tls.key").unlink()
    (folder / "state" / "keys" / "tls.pem").unlink()
    home = Home(folder)
    nobody = closed_port()
    home.configure({"pmlp": f"http://127.0.0.1:{nobody}", "sais": f"http://127.0.0.1:{nobody}"})
    with (folder / "gateway.toml").open("a") as file:
        file.write(f'[alerts]\nwebhook_url = "http://127.0.0.1:{nobody}/"\n')
    issue(home.settings.keys, "second")
    engine = open_engine(home.settings.database_url)
    migrate.upgrade(engine)
    entries = exchange(CODE)
    open_log(home.settings, engine).write(*entries)
    with engine.begin() as connection:
        Archive(home.settings).put(connection, entries[0].exchange_id, "request", b"asked", utc_now())
    return home, engine, entries[0].exchange_id


def test_every_command_is_on_record_or_says_why_it_is_not() -> None:
    every = {" ".join(path) for path in leaves(cli)}
    named = [*dict(ACTS), *ELSEWHERE, *NONE]
    assert sorted(named) == sorted(every), "each command stands in one of the tables"


def test_every_act_is_on_record_with_who_did_it(worked: tuple[Home, Engine, uuid.UUID]) -> None:
    home, engine, exchange_id = worked
    for command, act in ACTS:
        before = admin(engine)
        words = act.words.format(x=exchange_id, d=home.folder, on=BEGIN, until=END, old=OLD)
        given = [*command.split(), *words.split()]
        result = CliRunner().invoke(cli, given, env=home.environ, input=f"{act.stdin}\n")
        assert result.exit_code == act.exit_code, (command, result.output)
        new = [leaf for id_, leaf in admin(engine).items() if id_ not in before]
        assert [leaf for leaf in new if leaf["act"] == act.name], (command, new)
        assert all("official" in leaf["commitments"] for leaf in new), command
        assert CODE not in str(new), command


@pytest.mark.parametrize("command", ELSEWHERE)
def test_what_is_shown_elsewhere_is_there(command: str) -> None:
    place, words = ELSEWHERE[command].split(": ")
    path, name = place.split("::")
    source = (TESTS / path).read_text(encoding="utf-8")
    found = [
        ast.get_source_segment(source, node)
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    assert found, f"{place} is gone: where is {command} found on record now?"
    assert words in str(found[0]), place


def test_evidence_is_about_the_persons_in_it(worked: tuple[Home, Engine, uuid.UUID]) -> None:
    home, engine, exchange_id = worked
    out = home.folder / "three.asice"
    home.json("audit", "evidence", str(exchange_id), "--purpose", "court", "--out", str(out))
    about = search.subject(engine, load_secret(home.settings.keys / "subject.key"), [CODE])
    assert "audit evidence" in [one.leaf.get("act") for one in about]


def test_the_rights_of_roles_are_on_record(
    worked: tuple[Home, Engine, uuid.UUID], migrated_postgresql: str
) -> None:
    mark = uuid.uuid4().hex[:8]
    names = f"test_app_{mark}", f"test_eraser_{mark}"
    environ = worked[0].environ | {"GATEWAY_DATABASE_URL": migrated_postgresql}
    owner = open_engine(migrated_postgresql)
    try:
        words = ["database", "roles", "--application", names[0], "--eraser", names[1]]
        assert CliRunner().invoke(cli, words, env=environ).exit_code == 0
        (leaf,) = admin(owner).values()
        assert (leaf["act"], leaf["name"]) == ("database roles", ", ".join(names))
    finally:
        with owner.begin() as connection:
            for name in names:
                connection.exec_driver_sql(f'DROP OWNED BY "{name}"')
                connection.exec_driver_sql(f'DROP ROLE "{name}"')
        owner.dispose()


@pytest.mark.parametrize("name", ["serve", "work"])
def test_each_start_is_on_record(worked: tuple[Home, Engine, uuid.UUID], name: str) -> None:
    home, engine, _ = worked
    before = admin(engine)
    Standing(home.settings, name, listening=False).started()
    (leaf,) = [leaf for id_, leaf in admin(engine).items() if id_ not in before]
    assert leaf["act"] == "start"
    assert leaf["name"].startswith(f"{name} ")
    assert "gateway.pem" in str(leaf["keys"])


def admin(engine: Engine) -> dict[str, dict[str, Any]]:
    """The leaf of every act of administration, by the record's id."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(log_records.c.id, log_records.c.leaf).where(log_records.c.kind == "admin")
        )
        return {row.id: json.loads(row.leaf) for row in rows}
