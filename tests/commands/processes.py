"""Real processes of the command line, on free ports, ended with the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GATEWAY = (sys.executable, "-c", "import gateway; gateway.main()")


@contextmanager
def simulators(home: Path, environ: Mapping[str, str], *arguments: str) -> Iterator[dict[str, Any]]:
    """`gateway simulate` until the block ends; what its ready line says."""
    process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
        [*GATEWAY, "simulate", "--json", "--ports", "free", *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, **environ},
        cwd=home,
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def gateway(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(  # noqa: S603 — our own interpreter and program
        [*GATEWAY, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        timeout=240,
        check=False,
    )
