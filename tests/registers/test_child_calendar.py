"""The calendar of reports on a child: periods without gap or overlap, rhythms by age, one report for one period."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from errors import ConfigurationError
from registers.child_calendar import (
    Period,
    PeriodState,
    Reported,
    age_on,
    in_care_since,
    months_after,
    periods,
)
from registers.child_rules import AlertKind, Recipient, Rhythm, alert_rules, rhythm_on, rhythms, rules_on
from tests.registers.invented import day

DAY = timedelta(days=1)
days = st.dates(date(2019, 1, 1), date(2026, 12, 31))
reported = st.builds(
    lambda first, length: Reported(first, first + timedelta(days=length)), days, st.integers(0, 400)
)


def told(*spans: tuple[str, str]) -> list[Reported]:
    return [Reported(day(first), day(last)) for first, last in spans]


def cut(
    entered: str,
    today: str,
    *,
    born: str | None = "2010-01-01",
    stopped: str | None = None,
    reports: Sequence[Reported] = (),
) -> list[Period]:
    return list(
        periods(
            day(entered), day(stopped) if stopped else None, day(born) if born else None, reports, day(today)
        )
    )


def due(found: Sequence[Period]) -> list[str]:
    return [str(period.due_on) for period in found]


@pytest.mark.parametrize(
    ("begin", "months", "end"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2025-08-31", 6, "2026-02-28"),
        ("2025-11-30", 3, "2026-02-28"),
        ("2025-12-01", 3, "2026-03-01"),
        ("2024-02-29", 12, "2025-02-28"),
    ],
)
def test_a_month_that_is_shorter_ends_on_its_last_day(begin: str, months: int, end: str) -> None:
    assert months_after(day(begin), months) == day(end)


@given(days, st.integers(0, 120))
def test_months_never_run_over(begin: date, months: int) -> None:
    end = months_after(begin, months)
    assert (end.year * 12 + end.month) - (begin.year * 12 + begin.month) == months
    assert end.day == begin.day or (end.day < begin.day and (end + DAY).day == 1)
    assert months_after(begin, months + 1) > end


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        ("2020-02-29", "2023-02-28", 2),
        ("2020-02-29", "2023-03-01", 3),
        ("2020-02-29", "2024-02-28", 3),
        ("2020-02-29", "2024-02-29", 4),
        ("2021-03-01", "2024-02-29", 2),
        ("2021-03-01", "2024-03-01", 3),
        ("2021-12-31", "2024-12-30", 2),
    ],
)
def test_ages_across_leap_days(born: str, on: str, age: int) -> None:
    assert age_on(day(born), day(on)) == age


def test_under_three_every_three_months_and_from_three_on_every_six() -> None:
    assert due(cut("2025-01-31", "2025-12-31", born="2024-06-01")) == [
        "2025-04-30",
        "2025-07-31",
        "2025-10-31",
        "2026-01-31",
    ], "the 31st stays the 31st"
    assert due(cut("2025-01-31", "2025-12-31")) == ["2025-07-31", "2026-01-31"]


def test_the_period_in_which_the_third_birthday_lies_keeps_its_three_months() -> None:
    found = cut("2025-01-10", "2025-12-31", born="2022-03-01")
    assert due(found) == ["2025-04-10", "2025-10-10", "2026-04-10"]
    assert [period.months for period in found] == [3, 6, 6]
    on_the_day = cut("2025-03-01", "2025-03-01", born="2022-03-01")
    assert (due(on_the_day), due(cut("2025-02-28", "2025-02-28", born="2022-03-01"))) == (
        ["2025-09-01"],
        ["2025-05-28"],
    )


def test_of_an_unknown_age_the_strictest_rhythm_holds_and_it_is_said() -> None:
    (period,) = cut("2025-01-10", "2025-02-01", born=None)
    assert (period.due_on, period.age_known) == (day("2025-04-10"), False)
    (known,) = cut("2025-01-10", "2025-02-01")
    assert (known.due_on, known.age_known) == (day("2025-07-10"), True)


@pytest.mark.parametrize(
    ("today", "state"),
    [
        ("2025-06-09", PeriodState.LATER),
        ("2025-06-10", PeriodState.WARNED),
        ("2025-07-10", PeriodState.WARNED),
        ("2025-07-11", PeriodState.OVERDUE),
    ],
)
def test_warned_ahead_and_overdue_after_the_day(today: str, state: PeriodState) -> None:
    assert cut("2025-01-10", today)[0].state is state


def test_who_left_before_the_day_owes_no_report_and_who_left_on_it_does() -> None:
    assert cut("2025-01-10", "2026-01-01", stopped="2025-07-09")[-1].state is PeriodState.ENDED
    assert cut("2025-01-10", "2026-01-01", stopped="2025-07-10")[0].state is PeriodState.OVERDUE


def test_a_report_ends_its_period_and_the_next_is_counted_from_there() -> None:
    early = cut("2025-01-10", "2025-12-31", reports=told(("2025-01-10", "2025-05-31")))
    assert [(str(p.first), str(p.last), p.state.value) for p in early] == [
        ("2025-01-10", "2025-05-31", "done"),
        ("2025-06-01", "2025-11-30", "overdue"),
        ("2025-12-01", "2026-05-31", "later"),
    ]
    late = cut("2025-01-10", "2025-12-31", reports=told(("2025-01-10", "2025-08-31")))
    assert [(str(p.first), p.state.value) for p in late] == [("2025-01-10", "done"), ("2025-09-01", "later")]


def test_a_report_that_begins_after_a_period_says_nothing_of_it() -> None:
    found = cut("2025-01-10", "2025-12-31", reports=told(("2025-07-10", "2025-12-31")))
    assert [period.state.value for period in found] == ["overdue", "done"]


def test_a_second_report_inside_what_was_told_closes_nothing() -> None:
    reports = told(("2025-01-10", "2025-07-09"), ("2025-03-01", "2025-06-30"))
    found = cut("2025-01-10", "2025-08-01", reports=reports)
    assert [(str(p.last), p.state.value) for p in found] == [
        ("2025-06-30", "done"),
        ("2025-07-09", "done"),
        ("2026-01-09", "later"),
    ], "the one that ends first closes the first period, the other the days that it adds"
    inside = told(("2025-01-10", "2025-06-30"), ("2025-03-01", "2025-06-30"))
    assert [p.state.value for p in cut("2025-01-10", "2025-08-01", reports=inside)] == ["done", "later"]


@given(days, st.one_of(st.none(), days), st.one_of(st.none(), days), st.lists(reported, max_size=8), days)
def test_no_gap_no_overlap_and_each_report_closes_one_period(
    entered: date, stopped: date | None, born: date | None, reports: list[Reported], today: date
) -> None:
    assume(stopped is None or stopped >= entered)
    assume(born is None or born <= entered)
    found = list(periods(entered, stopped, born, reports, today))
    end = today if stopped is None else min(stopped, today)
    assert bool(found) == (entered <= end)
    if not found:
        return
    assert found[0].first == entered
    assert found[-1].last >= end
    assert stopped is None or found[-1].last <= stopped
    for before, after in itertools.pairwise(found):
        assert after.first == before.last + DAY
        assert after.due_on > before.due_on
    closing = [period.report for period in found if period.report]
    assert len(closing) == len(set(closing)), "one report closes one period"
    for period in found:
        assert period.first <= period.last
        assert period.first < period.due_on <= months_after(period.first, period.months) + timedelta(days=3)
        assert period.months == (3 if born is None or age_on(born, period.first) < 3 else 6)
        assert (period.state is PeriodState.DONE) == (period.report is not None)
        if period.report is None:
            assert not any(
                r.first < period.due_on and period.first <= r.last <= period.last for r in reports
            ), "a report that lies in a period closes it"
        else:
            assert period.report.first < period.due_on
            assert period.last in (period.report.last, stopped)


@given(days, st.integers(0, 4000), st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_reports_in_time_leave_nothing_overdue(entered: date, older: int, early: list[int]) -> None:
    born, reports, first = entered - timedelta(days=older), list[Reported](), entered
    for days_early in early:
        (open_one,) = (p for p in periods(entered, None, born, reports, first) if p.first == first)
        last = open_one.due_on - DAY - timedelta(days=days_early)
        reports.append(Reported(first, last))
        first = last + DAY
    states = [period.state for period in periods(entered, None, born, reports, first)]
    assert states == [PeriodState.DONE] * len(early) + [PeriodState.LATER]


def test_a_move_without_a_day_between_goes_on_and_a_day_at_home_begins_anew() -> None:
    stays = [
        (day("2024-01-01"), day("2024-06-30")),
        (day("2024-07-01"), day("2024-12-30")),
        (day("2025-01-01"), None),
    ]
    assert in_care_since(stays, day("2024-07-01")) == day("2024-01-01")
    assert in_care_since(stays, day("2025-01-01")) == day("2025-01-01")


def test_rules_hold_from_their_day(tmp_path: Path) -> None:
    file = tmp_path / "rhythm.tsv"
    head = "from_day\tfrom_age\tmonths\twarn_days\twhy\n"
    file.write_text(f"{head}\t0\t3\t14\ta\n\t3\t6\t30\tb\n2025-01-01\t0\t2\t7\tc\n2025-01-01\t7\t12\t30\td\n")
    lines = rhythms(file)
    assert [rhythm_on(day(on), age, lines).months for on, age in (("2024-12-31", 5), ("2025-01-01", 5))] == [
        6,
        2,
    ]
    assert rhythm_on(day("2025-06-01"), None, lines) == Rhythm(day("2025-01-01"), 0, 2, 7)


@pytest.mark.parametrize(
    "lines",
    [
        "\t0\t0\t14\twhy\n",
        "\t0\t3\t84\twhy\n",
        "\t0\t3\t14\t\n",
        "\t1\t3\t14\twhy\n",
        "2025-01-01\t0\t3\t14\twhy\n",
        "\t0\t3\t14\twhy\n2025-01-01\t3\t6\t14\twhy\n",
        "\t0\t3\t14\twhy\n\t0\t6\t14\twhy\n",
        "\t0\tthree\t14\twhy\n",
        "yesterday\t0\t3\t14\twhy\n",
        "\t0\t3\t14\n",
    ],
)
def test_a_rhythm_that_leaves_something_open_stops_everything(tmp_path: Path, lines: str) -> None:
    file = tmp_path / "rhythm.tsv"
    file.write_text("from_day\tfrom_age\tmonths\twarn_days\twhy\n" + lines)
    with pytest.raises(ConfigurationError, match=r"rhythm\.tsv"):
        rhythms(file)


@pytest.mark.parametrize(
    "lines",
    [
        "\tSTAY_LENGTH\t\tMINISTRY\twhy\n",
        "\tREPORT_DUE\t3\tINSTITUTION\twhy\n",
        "\tREPORT_DUE\t\tEVERYBODY\twhy\n",
        "\tREPORT_LATE\t\tINSTITUTION\twhy\n",
        "\tREPORT_DUE\t\tINSTITUTION\t\n",
        "\tREPORT_DUE\t\tMINISTRY,MINISTRY\twhy\n",
        "\tREPORT_DUE\t\tMINISTRY\twhy\n\tREPORT_DUE\t\tINSTITUTION\twhy\n",
    ],
)
def test_an_alert_rule_that_says_nothing_clear_stops_everything(tmp_path: Path, lines: str) -> None:
    file = tmp_path / "alerts.tsv"
    file.write_text("from_day\tkind\tmonths\trecipients\twhy\n" + lines)
    with pytest.raises(ConfigurationError, match=r"alerts\.tsv"):
        alert_rules(file)


def test_a_later_line_replaces_the_one_of_its_kind_and_months(tmp_path: Path) -> None:
    file = tmp_path / "alerts.tsv"
    file.write_text(
        "from_day\tkind\tmonths\trecipients\twhy\n"
        "\tSTAY_LENGTH\t12\tMINISTRY\twhy\n\tSTAY_LENGTH\t6\tORPHAN_COURT\twhy\n"
        "2026-01-01\tSTAY_LENGTH\t12\tMINISTRY,ORPHAN_COURT\twhy\n2026-06-01\tSTAY_LENGTH\t6\t\tnobody\n"
    )
    rules = alert_rules(file)

    def on(when: str) -> list[tuple[int, int]]:
        return [(r.months, len(r.recipients)) for r in rules_on(day(when), AlertKind.STAY_LENGTH, rules)]

    assert (on("2025-12-31"), on("2026-01-01"), on("2026-06-01")) == (
        [(6, 1), (12, 1)],
        [(6, 1), (12, 2)],
        [(6, 0), (12, 2)],
    )


def test_the_rules_in_force_alert_all_whom_the_process_names() -> None:
    lengths = rules_on(day("2026-01-01"), AlertKind.STAY_LENGTH, alert_rules())
    assert {recipient for rule in lengths for recipient in rule.recipients} == {
        Recipient.ORPHAN_COURT,
        Recipient.SOCIAL_SERVICE,
        Recipient.MINISTRY,
    }
