"""What reports of a municipal social service have in common: a period, its money, and planned against achieved.

A report is about no person. Amounts are euro. Source: p11^1.9, p11^1.10, p13.7, p13.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day
from typing import Protocol

from mappings.fields import Field, date, decimal, integer, many, nested, text
from mappings.mapping import Mapping
from mappings.municipal_records import NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An indicator (rezultatīvais rādītājs) as planned and as achieved. Source: p11^1.9, p13.7."""

    indicator: str
    planned: int
    achieved: int


class OfPeriod(Protocol):
    """A record of a period."""

    @property
    def period_from(self) -> day: ...

    @property
    def period_to(self) -> day: ...


def period_problem(report: OfPeriod) -> str:
    """What is wrong with a report's period, or ""."""
    return "period_to is before period_from" if report.period_to < report.period_from else ""


def period(table: str, rule: str) -> tuple[Field, Field]:
    """The first and the last day of what is reported."""
    return (
        date("period_from", "PeriodaSakums", rule=rule, column=f"{table}.period_from"),
        date("period_to", "PeriodaBeigas", rule=rule, column=f"{table}.period_to"),
    )


def spent(table: str, rule: str) -> Field:
    """What was spent in the period."""
    return decimal("spent", "FinansuIzlietojums", places=2, rule=rule, column=f"{table}.spent")


def results(table: Mapping[Result]) -> Field:
    """The indicators."""
    return many(nested("results", "RezultativaisRaditajs", table), optional=True)


def result_table(rule: str, column: str) -> Mapping[Result]:
    """The table of an indicator under the rule of the report that holds it."""
    return Mapping(
        Result,
        NAMESPACE,
        "RezultativaisRaditajs",
        (
            text("indicator", "RaditajaNosaukums", longest=250, rule=rule, column=column),
            integer("planned", "Planots", most=999_999, rule=rule, column=column),
            integer("achieved", "Sasniegts", most=999_999, rule=rule, column=column),
        ),
    )


def narrative(table: str, rule: str) -> Field:
    """The report in words."""
    return text("report", "Parskats", rule=rule, column=f"{table}.report", optional=True)
