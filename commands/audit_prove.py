"""`gateway audit prove`: proofs that somebody else checks without the log."""

from __future__ import annotations

from pathlib import Path

import click

import config
from audit import proof_files
from commands import AS_JSON, print_json
from commands.opening import existing_database


@click.command()
@click.argument("index", type=click.IntRange(min=0, max=2**53), required=False)
@click.option(
    "--size", type=click.IntRange(min=1, max=2**53), help="In the tree of this size, where a checkpoint is."
)
@click.option(
    "--consistency",
    type=(click.IntRange(min=0, max=2**53), click.IntRange(min=1, max=2**53)),
    metavar="OLD NEW",
    help="That the tree of size NEW begins with all leaves of the one of size OLD.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Replace this file, whole.")
@AS_JSON
def prove(
    index: int | None, size: int | None, consistency: tuple[int, int] | None, out: Path | None, as_json: bool
) -> None:
    """Prove that the record at INDEX is in the log, or that the log has only grown between two checkpoints.

    A proof holds no personal data. It is in the form of C2SP tlog-proof, with leaf, path, and checkpoint with the
    signatures of log and witness; that of --consistency in the form of C2SP tlog-witness. Each is checked before it is
    given out.

    \b
    Example:  gateway audit prove 17 --out 17.tlog-proof
              gateway audit prove 17 --size 4000 --json
              gateway audit prove --consistency 4000 9000
    """
    if (index is None) == (consistency is None) or (consistency is not None and size is not None):
        raise click.UsageError("give INDEX, with or without --size, or --consistency OLD NEW")
    engine = existing_database(config.load())
    proof: proof_files.Inclusion | proof_files.Consistency
    if consistency is not None:
        proof = proof_files.consistency(engine, *consistency)
    else:
        proof = proof_files.inclusion(engine, index or 0, size)
    if out is not None:
        partial = out.with_name(f".{out.name}.partial")
        partial.write_text(proof.text(), encoding="utf-8")
        partial.replace(out)
    if as_json:
        print_json(proof.json())
    elif out is None:
        click.echo(proof.text(), nl=False)
