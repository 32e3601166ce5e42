"""What the law withholds: from whom, how long, and that nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from errors import ConfigurationError
from questions.accesses import Access
from questions.withholding import AskedBy, lines, withheld

NOW = datetime(2026, 11, 28, tzinfo=UTC)
POLICE = Access(
    exchange_id="1",
    instant=NOW,
    recipient="iem-ic",
    purpose="public-security",
    system="care-stays",
    operation="GetStays",
    outcome="ok",
)
CHILD = Access(
    exchange_id="2",
    instant=NOW,
    recipient="npais",
    purpose="child-protection",
    system="npais",
    operation="ReportChildContact",
    outcome="ok",
)
ACT = Access(exchange_id="3", instant=NOW, act="children report prepared", purpose="child-protection")
PLAIN = Access(
    exchange_id="4",
    instant=NOW,
    recipient="vsaa",
    purpose="care-payment",
    system="sais",
    operation="GetPayments",
    outcome="ok",
)
EVERYTHING = (POLICE, CHILD, ACT, PLAIN)


@pytest.mark.parametrize(
    ("asked_by", "told", "counts"),
    [
        (AskedBy.SELF, (CHILD, ACT, PLAIN), {"police": 1}),
        (AskedBy.REPRESENTATIVE, (CHILD, ACT, PLAIN), {"police": 1}),
        (AskedBy.PARENT, (PLAIN,), {"police": 1, "child-report": 2}),
        (AskedBy.GUARDIAN, (PLAIN,), {"police": 1, "child-report": 2}),
        (AskedBy.AUDITOR, EVERYTHING, {}),
    ],
)
def test_by_who_asks(asked_by: AskedBy, told: tuple[Access, ...], counts: dict[str, int]) -> None:
    assert withheld(EVERYTHING, asked_by, NOW) == (told, counts)


def test_until_its_time_is_over() -> None:
    assert withheld([POLICE], AskedBy.SELF, NOW + timedelta(days=300))[0] == ()
    assert withheld([POLICE], AskedBy.SELF, NOW + timedelta(days=400))[0] == (POLICE,)


def test_a_purpose_that_nobody_was_granted_hides_no_attempt() -> None:
    """Anybody may write the purpose of criminal proceedings into a request; refused, it is told."""
    tried = Access(
        exchange_id="5", instant=NOW, recipient="vsaa", purpose="criminal-proceedings", outcome="denied"
    )
    assert withheld([tried], AskedBy.SELF, NOW)[0] == (tried,)


def test_every_line_has_its_basis_and_none_is_against_auditors(tmp_path: Path) -> None:
    assert all(line.basis.lv and line.basis.en and line.why for line in lines())
    heads = (Path(__file__).parents[2] / "questions" / "withholding.tsv").read_text(encoding="utf-8")
    head = heads.splitlines()[0]
    for bad in (
        "a\t*\t*\t*\tauditor\t\tb\tb\tw",
        "a\t*\t*\t*\tself\t\t\tb\tw",
        "a\t*\t*\t*\tself\tx\tb\tb\tw",
    ):
        path = tmp_path / f"{len(bad)}{bad[10]}.tsv"
        path.write_text(f"{head}\n{bad}\n", encoding="utf-8")
        with pytest.raises(ConfigurationError, match="line 2"):
            lines(path)
