"""Exports to test with: of a log in a database, and what the verifier that ships in them says, in this process."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from audit import export_verifier
from audit.export import Exported, Wanted, export
from exchange import Environment, utc_now
from tests.audit.logs import KEY, WITNESS


def exported(engine: Engine, folder: Path, wanted: Wanted, *, witnessed: bool = True) -> Exported:
    folder.mkdir()
    return export(
        engine,
        folder,
        KEY,
        wanted=wanted,
        witness=WITNESS if witnessed else None,
        made_at=utc_now(),
        environment=Environment.TEST,
        progress=lambda _done, _total: None,
    )


def judged(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and what was printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = export_verifier.main([str(folder), *options])
    return code, json.loads(printed.getvalue())
