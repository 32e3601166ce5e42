"""The drill, short: what was acknowledged before the backup is there, nothing is doubled, and the gap is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.recovery.drill import drill

pytestmark = pytest.mark.long


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the account of a database server can pass through."""
    with TemporaryDirectory(prefix="gateway-drill-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


# The third kind, a dump of PostgreSQL put back, is drilled by `python -m tests.recovery.drill postgresql`; that a dump
# comes back whole is in tests/commands/test_recover.py.
@pytest.mark.parametrize("kind", ["sqlite", "point-in-time"])
def test_a_gateway_comes_back_from_backup_and_escrow(kind: str, folder: Path) -> None:
    result = drill(kind, 2.0, folder)
    assert result.acknowledged > 0
    assert result.lost_from_before_backup == 0
    assert result.doubled == 0
    assert result.served_after > 0
    assert result.told_records is not None
    assert result.told_records <= result.lost_records, (
        "the checkpoint kept elsewhere is a little older than the loss"
    )
    assert result.status.startswith("unanchored")
    assert "restored at" in result.status
