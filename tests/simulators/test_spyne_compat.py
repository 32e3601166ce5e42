"""Spyne can be imported where Python no longer asks finders for `find_module`, as from 3.12 on."""

from __future__ import annotations

import subprocess
import sys

WITHOUT_FIND_MODULE = (
    "import importlib._bootstrap as b; b._find_spec_legacy = lambda finder, name, path: None\n"
)
AS_ON_312 = WITHOUT_FIND_MODULE + "import sys; sys.version_info = (3, 12)\n"


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python of its own, where nothing is imported yet."""
    return subprocess.run(  # noqa: S603 — our own interpreter and a program written here
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False
    )


def test_spyne_alone_fails_there() -> None:
    assert "No module named 'spyne.util.six.moves'" in run(WITHOUT_FIND_MODULE + "import spyne").stderr


def test_spyne_through_the_finder_does_not() -> None:
    program = AS_ON_312 + (
        "from wsdl.spyne_compat import Application, WsgiApplication\n"
        "import spyne.util.six.moves.urllib.parse as moved, urllib.parse, http.cookies\n"
        "assert moved.quote is urllib.parse.quote\n"
        "from spyne.util.six.moves.http_cookies import SimpleCookie\n"
        "assert SimpleCookie is http.cookies.SimpleCookie\n"
    )
    done = run(program)
    assert done.returncode == 0, done.stderr
