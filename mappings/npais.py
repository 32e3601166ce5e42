"""NPAIS, orphan-court decisions and children in out-of-family care: canonical records and mapping tables.

Source: wsdl/npais/v1-0, rules p10.11.1–p10.11.3, p17.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mappings.codes import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision of an orphan court (bāriņtiesas lēmums) on a child. Source: p10.11."""

    number: str
    decided_on: date
    court: str
    kind: Code
    effective_from: date
    effective_to: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The decisions on one child, oldest first. Source: p10.11."""

    person_code: str
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A stay of a child in out-of-family care (bērnu aprūpes iestādes pakalpojums). Source: p10.11.1–p10.11.3."""

    institution: str
    entered_on: date
    stopped_on: date | None
    stop_reason: Code | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placements:
    """The placements of one child, oldest first. Source: p10.11."""

    person_code: str
    placements: tuple[Placement, ...]
