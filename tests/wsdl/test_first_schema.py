"""The first schema of a process is compiled by one thread alone; see the comment in `wsdl`."""

from __future__ import annotations

import subprocess
import sys

# Were it compiled by the first threads that need one, some twentieth of all processes would refuse every message.
CHECK = """
import threading
from lxml import etree

made = []

class Watched(etree.XMLSchema):
    def __init__(self, *arguments, **named):
        made.append(threading.current_thread() is threading.main_thread())
        super().__init__(*arguments, **named)

etree.XMLSchema = Watched
import wsdl
assert made == [True], made
"""


def test_importing_the_contracts_compiles_one() -> None:
    done = subprocess.run(  # noqa: S603 — our own interpreter
        [sys.executable, "-c", CHECK], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
