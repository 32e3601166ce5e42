"""Disability compared with VDEAVK, as it is today. Source: p8.13, p17.1."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from sqlalchemy import Connection

from registers.comparing import Comparison, Question, by_feed, unknown_person
from registers.disability import feed_disability


def questions(_connection: Connection, _person_id: uuid.UUID) -> Iterator[Question]:
    """Every person of the set is asked about: that the register holds no disability can be the difference."""
    yield Question({})


COMPARISONS = (
    Comparison(
        system="vdeavk",
        operation="GetDisability",
        rule="p8.13",
        questions=questions,
        compare=by_feed(feed_disability),
        missing=unknown_person,
    ),
)
