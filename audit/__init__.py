"""The exchange log: append, sequence, sign, verify, search; and the archive of the exact bytes exchanged."""

from audit import catalogue, flags  # noqa: F401 — they declare tables, which an engine of SQLite must know
from audit.archive import Archive
from audit.leaf import Entry, Kind, Record, subject_index
from audit.log import ExchangeLog, check_log, open_log
from audit.receipts import receipt

__all__ = [
    "Archive",
    "Entry",
    "ExchangeLog",
    "Kind",
    "Record",
    "check_log",
    "open_log",
    "receipt",
    "subject_index",
]
