"""Counted from outside: without a committed record no personal data leave and no system is asked, whatever fails.

At full size in `python -m bench.fail_closed`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from bench.fail_closed import judged
from tests.counting.faults import FAULTS, SECONDS, during, recovered
from tests.counting.world import world

pytestmark = pytest.mark.long

CALLS = 100


def test_what_leaves_is_what_the_log_says(tmp_path: Path, migrated_postgresql: str) -> None:
    with world(tmp_path, migrated_postgresql) as made:
        assert made.calls(CALLS) == Counter({"200": CALLS})
        assert sum(each.personal for each in made.partners.messages) == CALLS // 2
        assert sum(each.personal for each in made.internal.messages) == CALLS // 2
        assert len(made.system.messages) == CALLS
        assert judged(made).total == 0
        for name in (each for each in FAULTS if each != "stalled"):  # as "cut", and long: the bench has it
            before = made.counted()
            ended = during(made, name, SECONDS[name])
            assert recovered(made), name
            assert ended["200"], name
            refused = made.refused(before)
            assert not any(each.personal for each in refused), name
            # Past the system's answer nobody can say that nothing happened; before it the caller may come again.
            assert all(each.retryable or each.code == "outcome_unknown" for each in refused), (name, refused)
            if name != "slow":
                assert any(each.retryable and each.status == 503 for each in refused), name
            assert judged(made).closed, name
        # And a record that were missing would be seen: an outcome and an attempt are taken out of the log by hand.
        with made.engine.begin() as connection:
            connection.execute(text("ALTER TABLE log.log_values DISABLE TRIGGER ALL"))
            for name in ("reply_sha256", "sent_sha256"):
                gone = "SELECT record_id FROM log.log_values WHERE name = :name AND record_id IN "
                gone += "(SELECT id FROM log.log_records WHERE kind = 'attempt' OR outcome = 'ok') LIMIT 1"
                statement = f"DELETE FROM log.log_values WHERE name = :name AND record_id = ({gone})"  # noqa: S608 — fixed words
                connection.execute(text(statement), {"name": name})
        found = judged(made)
        assert (found.answers_without_outcome, found.requests_without_attempt) == (1, 1)
