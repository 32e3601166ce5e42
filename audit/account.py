"""Who acts at this machine, for the record of an administrative act."""

from __future__ import annotations

import os
import pwd


def operating_user() -> str:
    """The name of the account that runs this process, as the operating system knows it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without a name, as in some containers
        return f"uid-{os.getuid()}"
