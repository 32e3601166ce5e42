"""Persons compared with PMLP. Source: p8.1–p8.12, p17.2."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from sqlalchemy import Connection

from registers.comparing import Comparison, Question, by_feed, current, unknown_person
from registers.persons import IDENTITY, PARTICULARS, feed_person


def questions(connection: Connection, person_id: uuid.UUID) -> Iterator[Question]:
    """All that is granted of a person whose particulars are kept; name and code of one of whom no more is.

    Nothing of one whom PMLP has not told of yet: there is nothing to compare.
    """
    if current(connection, PARTICULARS, person_id):
        yield Question({})
    elif current(connection, IDENTITY, person_id):
        yield Question({"data_sets": ["NAME_AND_CODE"]})


COMPARISONS = (
    Comparison(
        system="pmlp",
        operation="GetPerson",
        rule="p8",
        questions=questions,
        compare=by_feed(feed_person),
        missing=unknown_person,
    ),
)
