"""Who may see which page of the console: each role has the least that its work needs."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person does at the console. Nobody has two: who does two kinds of work has two accounts."""

    AUDITOR = "auditor"  # supervises exchanges: every record, also its values, for a purpose
    DPO = "dpo"  # answers persons: who accessed their data, unusual look-ups, corrections
    OPERATOR = (
        "operator"  # keeps the gateway running: systems, queues, certificates; never a payload or a person
    )
    ADMINISTRATOR = "administrator"  # keeps partners, callers and accounts; never a payload or a person


EVERYBODY = frozenset(Role)
# Those who may open what is personal, each time for a purpose that goes on record.
SEES_PERSONS = frozenset({Role.AUDITOR, Role.DPO})
