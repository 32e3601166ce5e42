"""Counted from outside: without a committed record no personal data leave and no system is asked, whatever fails."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from audit.origin import load_public_key
from tests.counting.faults import FAULTS, SECONDS, during, recovered
from tests.counting.judge import Difference, difference
from tests.counting.world import World, world

CALLS = 200


def judged(made: World) -> Difference:
    key = load_public_key(made.folder / "state" / "keys" / "log.pub")
    answers = [*made.partners.messages, *made.internal.messages]
    return difference(made.engine, key, answers, made.system.messages)


def test_what_leaves_is_what_the_log_says(tmp_path: Path, migrated_postgresql: str) -> None:
    t=time.monotonic()
    with world(tmp_path, migrated_postgresql) as made:
        print("up", time.monotonic()-t)
        assert made.calls(CALLS) == Counter({"200": CALLS})
        print("called", time.monotonic()-t)
        assert sum(each.personal for each in made.partners.messages) == CALLS // 2
        assert sum(each.personal for each in made.internal.messages) == CALLS // 2
        assert len(made.system.messages) == CALLS
        assert judged(made).total == 0
        for name in FAULTS:
            before = len(made.partners.messages), len(made.internal.messages)
            ended = during(made, name, SECONDS[name])
            print(name, time.monotonic()-t, ended)
            assert recovered(made), name
            refused = [
                each
                for counted, past in zip((made.partners, made.internal), before, strict=True)
                for each in counted.messages[past:]
                if each.status != 200
            ]
            assert ended["200"], name
            if name != "slow":
                assert refused, name
            assert all(each.retryable and not each.personal for each in refused), (name, refused)
            assert judged(made).closed, name
