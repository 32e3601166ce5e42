"""A gateway with chosen texts in every field that others fill in, and its console on a socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta

from sqlalchemy import Table, select, update
from werkzeug.serving import WSGIRequestHandler, make_server

from audit import Entry, Kind, flags, holds
from audit.flags import Flag
from endpoints import console
from exchange import Environment, Json, Outcome, new_id, today_in_riga, utc_now
from gateway import Gateway
from registers import corrections, differences
from routing import child_watch, following, incidents, outbox
from routing.agreements import Evidence, EvidenceKind, SignatureProfile, Terms, add_evidence, set_terms
from routing.child_watch import Acting
from routing.following import Beginning
from routing.outbox import State
from routing.parties import add_caller, add_partner
from security.keys import issue
from storage import metadata
from tests.endpoints.console.recorded import sequence
from tests.endpoints.console.test_children import feed, months_ago
from tests.endpoints.console.test_outbox import queued
from tests.endpoints.console.test_reconciliation import difference
from tests.registers.invented import person_code
from tests.registers.test_placement_conflicts import ours

# What it makes where it is not escaped bears this mark; what it runs sets the title.
_RUN = "document.title='ta'+'ken'"
MARKUP = (
    f"\"><img src=x data-hostile onerror=\"{_RUN}\">'><b data-hostile onmouseover='{_RUN}'>"
    f"<script data-hostile>{_RUN}</script></title></textarea></select><svg data-hostile onload={_RUN}></svg>"
    "<style data-hostile>body{display:none}</style><base data-hostile href=//evil.invalid/>"
    "<meta data-hostile http-equiv=refresh content=0;url=//evil.invalid><a data-hostile href=//evil.invalid>x</a>"
    "<form data-hostile action=//evil.invalid><!-- ]]> {{ 'tpl' ~ 7 * 7 }}{% raw %}${7*7}"
)
ADDRESS = f"javascript:{_RUN}//https://evil.invalid/?a=1&b=2#c"
UNSEEN = "liga\u202egnimoc\u202c\u200b\u2066berzina\ufeff\x07\x1b[31m"
LONG = "=W" + "W" * 9_998
CODES = ("321234-56789", "321234-56797", "321234-56805", "321234-56813")
CORPUS = (MARKUP, ADDRESS, UNSEEN, LONG)

# What no way in lets anybody write as he likes, and a contract or a settings file might: written over as it is kept.
_FREE: Mapping[Table, tuple[str, ...]] = {
    differences.DIFFERENCE: ("field", "rule", "system", "ours_source", "theirs_source"),
    differences.EVENT: ("actor", "reason"),
    corrections.REQUEST: ("recipient", "reference"),
    outbox.outbox: ("system", "operation", "last_error"),
    following.RUN: ("error",),
    metadata.tables["municipal.municipal_placement"]: ("institution", "municipality"),
    metadata.tables["pmlp.pmlp_identity"]: ("family_name",),
}


def _records(gateway: Gateway, text: str) -> str:
    names = (
        *("caller", "recipient", "system", "operation", "institution", "role", "purpose", "rule", "source"),
        *("code", "contract", "mapping", "detail", "certificate", "tls_certificate", "request_id", "repeats"),
    )
    facts: dict[str, Json] = dict.fromkeys(names, text) | {
        name: [text] for name in ("given", "withheld", "warnings", "bases")
    }
    values = ("official", "case", "subject", "reason", "address", "target")
    personal: dict[str, Json] = {**dict.fromkeys(values, text), "selection": {text[:40]: text}}
    exchange, now = new_id(), utc_now()
    gateway.log.write(
        Entry(Kind.OPENED, exchange, now, {"way": text, "environment": "test"}, personal),
        Entry(Kind.ATTEMPT, exchange, now, {**facts, "attempt": 1}, personal),
        Entry(Kind.OUTCOME, exchange, now, {**facts, "outcome": Outcome.FAILED.value}, personal),
        Entry(Kind.ADMIN, new_id(), now, {**facts, "act": text, "name": text, "at": text}, personal),
        Entry(Kind.ERASURE, new_id(), now, {"class": text, "before": text, "exchanges": 1, "held": text}),
    )
    with gateway.engine.begin() as connection:
        gateway.archive.put(connection, exchange, f"request {text[:60]}", text.encode(), now)
    return str(exchange)


def _parties(gateway: Gateway, text: str, number: int) -> None:
    today = date(2026, 1, 5)
    certificate = issue(gateway.settings.keys, f"hostile-{number}", key_type="p256").certificate
    told = Evidence(EvidenceKind.CONTRACT, today, text, text, None, "ab" * 32)
    with gateway.engine.begin() as connection:
        add_partner(connection, text, text, certificate, utc_now())
        set_terms(connection, text, Terms(text, 45, SignatureProfile.BODY_TIMESTAMP))
        add_evidence(connection, text, (told,), utc_now())
        add_caller(connection, text, text, utc_now())
        holds.begin(connection, text)
        for kind in ("breaker", "fork"):
            incidents.see(connection, incidents.Finding(kind, text, text))


def _flag(gateway: Gateway, text: str, exchange: str) -> None:
    today = today_in_riga()
    figures: dict[str, Json] = {"lookups": 3, "first": text, text[:60]: text}
    flag = Flag(
        key=text, day=today, kind="out_of_hours", recipient=text, figures=figures, exchanges=(exchange,)
    )
    with gateway.engine.begin() as connection:
        flags.keep(connection, [flag], utc_now())
        kept = flags.listed(connection, today, today + timedelta(days=1), dismissed=True)
        (one,) = (flag.id for flag in kept if flag.key == text)
        flags.dismiss(connection, [one], text, text, utc_now())


def seed(gateway: Gateway, texts: Sequence[str]) -> None:
    """Every text, four at most, in every field that a partner, a system's answer or an administrator can fill."""
    for number, text in enumerate(texts):
        exchange = _records(gateway, text)
        _parties(gateway, text, number)
        _flag(gateway, text, exchange)
        feed(gateway, ours(person_code(), entered_on=months_ago(13)))
        queued(gateway, CODES[number], State.DEAD)
        difference(gateway)
    with gateway.engine.begin() as connection:
        following.hold(connection, "npais", "GetDecisions")
        following.begin(connection, new_id(), ("npais", "GetDecisions"), Beginning(), question=None)
        for table, names in _FREE.items():
            rows = connection.execute(select(table.c[names[0]], *table.primary_key.columns)).all()
            for number, row in enumerate(rows):
                same = [
                    column == value for column, value in zip(table.primary_key.columns, row[1:], strict=True)
                ]
                text = texts[number % len(texts)]
                connection.execute(update(table).where(*same).values(dict.fromkeys(names, text)))
    watched = Acting(Environment.TEST, "tests", "tests")
    child_watch.watch(gateway.engine, gateway.log, watched, today_in_riga())
    sequence(gateway)


@contextmanager
def on_a_socket(gateway: Gateway) -> Iterator[str]:
    """The console of a gateway where a browser finds it; its address."""

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:
            """Nothing."""

    server = make_server("127.0.0.1", 0, console.application(gateway), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
