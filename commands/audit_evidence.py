"""`gateway audit evidence`: one exchange as a signed container that a stranger can check."""

from __future__ import annotations

import uuid
from pathlib import Path

import click

import config
from audit import Archive, evidence, search
from commands import AS_JSON, print_json
from commands.audit_acts import opened, record
from exchange import utc_now
from questions.acting import about
from questions.handing_out import evidence_of
from security.keys import Identity


@click.command(name="evidence")
@click.argument("exchange", type=click.UUID)
@click.option(
    "--purpose", required=True, help="Why it is made; it is recorded, and stands on the cover page."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="The file to write.  [default: EXCHANGE.asice]",
)
@AS_JSON
def evidence_(exchange: uuid.UUID, purpose: str, out: Path | None, as_json: bool) -> None:
    """Make a container (ASiC-E) of one exchange: request and answer bytes with their signatures and certificates, the
    log's records with what they commit to, the proofs, the checkpoint with its cosignature, and a cover page in Latvian
    and English; sealed with the gateway's certificate.

    It holds personal data in the clear. That it was made, and why, is recorded first.

    \b
    Example:  gateway audit evidence 01a205a3-6758-78d4-86d6-bd5e4180ecc7 --purpose "court case C-2026/17"
    """
    settings = config.load()
    engine = opened(settings)
    persons = about(search.persons_of(engine, exchange))
    record(settings, engine, "audit evidence", purpose, {"of": str(exchange)}, persons)
    now = utc_now()
    made = evidence_of(settings, engine, Archive(settings), exchange, purpose, now)
    found = made.found
    path = out or Path(f"{exchange}.asice")
    evidence.write(
        path, made.files, Identity.load(settings.keys / "gateway.pem", settings.keys / "gateway.key"), now
    )
    if as_json:
        print_json(
            {
                "file": str(path),
                "exchange": str(exchange),
                "records": [one.index for one in found.records],
                "checkpoint": found.checkpoint.size,
                "witnessed": found.witnessed,
                "messages": [name for name in found.files if name.startswith("messages/")],
            }
        )
    else:
        click.echo(path)
