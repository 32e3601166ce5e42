"""A log to test with: its keys, its entries, and the pieces that write, sequence and verify it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from audit import Entry, ExchangeLog, Kind, checkpoint, notes
from audit.notes import COSIGNATURE, VerifierKey
from audit.outside import NOBODY, Held, Outside
from audit.outside import WITNESS as WITNESS_SAYS
from audit.sequencer import Sequencer
from audit.submission import Submitted, submit
from audit.verify import Report, verify
from audit.witness import State, Trusted, Witness
from audit.witness_client import Said
from exchange import Environment, new_id, utc_now

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(64, 96)))
WITNESS = VerifierKey("witness.example/w1", COSIGNATURE, WITNESS_KEY.public_key())
SUBJECT_KEY = bytes(range(32, 64))


def open_log(engine: Engine, writers: int = 1, capacity: int = 1000) -> ExchangeLog:
    return ExchangeLog(
        engine,
        environment=Environment.TEST,
        public_key=KEY.public_key(),
        subject_key=SUBJECT_KEY,
        writers=writers,
        capacity=capacity,
    )


def sequencer(engine: Engine, batch: int = 2000, lease_seconds: float = 5.0) -> Sequencer:
    return Sequencer(engine, KEY, environment=Environment.TEST, batch=batch, lease_seconds=lease_seconds)


def verified(engine: Engine, outside: Outside = NOBODY) -> Report:
    return verify(engine, KEY.public_key(), SUBJECT_KEY, outside=outside)


def begun_witness(path: Path, written: Callable[[], None] = lambda: None) -> Witness:
    """A witness that trusts the log's key and has seen nothing yet."""
    state = State(path, written)
    if not path.exists():
        state.begin(WITNESS)
    return Witness(
        state, WITNESS_KEY, Trusted(gateways=((KEY.public_key(), None),)), clock=lambda: 1_700_000_000
    )


def asking(witness: Witness) -> Callable[[bytes], Said]:
    """The witness without a network between."""

    def ask(body: bytes) -> Said:
        answer = witness.add_checkpoint(body)
        return Said(answer.status, answer.content_type.partition(";")[0], answer.text)

    return ask


def cosign(engine: Engine, witness: Witness) -> Submitted | None:
    return submit(engine, WITNESS, asking(witness))


def fill_cosigned(engine: Engine, witness: Witness, exchanges: int = 4, batch: int = 5) -> None:
    """Write exchanges; every checkpoint over them is cosigned in its turn."""
    log = open_log(engine)
    for number in range(exchanges):
        log.write(*exchange(f"32{number:09d}"))
    one = sequencer(engine, batch)
    while one.run_once():
        cosign(engine, witness)
    one.release()


def seen(witness: Witness, *, asked: bool = True) -> Outside:
    """What the witness holds, as who verifies hears it."""
    held = [
        Held(checkpoint.read(notes.parse(note)), WITNESS_SAYS, 1_700_000_000)
        for note in witness.held().values()
    ]
    return Outside(WITNESS, asked=asked, held=tuple(held) if asked else ())


def opened(exchange_id: uuid.UUID | None = None, instant: datetime | None = None) -> Entry:
    instant = instant or utc_now()
    return Entry(Kind.OPENED, exchange_id or new_id(), instant, {"way": "api"}, {"address": "192.0.2.7"})


def exchange(code: str = "320101-12345", outcome: str = "ok", instant: datetime | None = None) -> list[Entry]:
    """The three records of one exchange."""
    exchange_id, instant = new_id(instant), instant or utc_now()
    facts = {"system": "pmlp", "operation": "GetPerson", "institution": "90000022632", "purpose": "care"}
    persons = {"subject": code, "official": "MT-1042"}
    caller = {"caller": "core", "outcome": outcome}
    return [
        opened(exchange_id, instant),
        Entry(Kind.ATTEMPT, exchange_id, instant, {**facts, "attempt": 1}, persons),
        Entry(Kind.OUTCOME, exchange_id, instant, facts | caller, persons),
    ]


def unguard(engine: Engine) -> None:
    """Drop the triggers of the log, as anyone can who has the file: what is changed after that, `verify` must see."""
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            found = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'log_%'")
            for name in connection.execute(found).scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")


def fill(engine: Engine, exchanges: int = 4, batch: int = 5) -> None:
    """Write exchanges and sequence them, under several checkpoints."""
    log = open_log(engine)
    for number in range(exchanges):
        log.write(*exchange(f"32{number:09d}"))
    sequence(engine, batch)


def sequence(engine: Engine, batch: int = 2000) -> None:
    sequencer_ = sequencer(engine, batch)
    while sequencer_.run_once():
        pass
    sequencer_.release()
