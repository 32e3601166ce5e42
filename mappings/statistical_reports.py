"""State statistical reports (valsts statistikas pārskati) of providers: figures of a year or a month, about no person.

Source: wsdl/spolis/providers/v1-0, rules p15.1–p15.3, p17.7. A figure is named by row and column of its form.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mappings.fields import decimal, integer, many, nested, text
from mappings.mapping import Mapping
from mappings.provider_records import NAMESPACE, numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a form: its row, its column and the number."""

    row: str
    column: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form (veidlapa) of a year, or of a month of it, and the municipality where it is about one."""

    year: int
    month: int | None
    municipality: str | None
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticalReport:
    """One of the three reports that point 15 names. Source: p15."""

    case_no: str
    record_no: str
    municipal: Form | None
    long_term: Form | None
    children: Form | None
    supplier: str = ""


def statistics_problem(report: StatisticalReport) -> str:
    """What is wrong with a report taken by itself, or ""."""
    forms = [form for form in (report.municipal, report.long_term, report.children) if form is not None]
    if len(forms) != 1:
        return "municipal, long_term or children is wanted, one of the three"
    if report.municipal is None and forms[0].month is not None:
        return "month belongs to the municipal report; the others are of a year"
    named = [(one.row, one.column) for one in forms[0].figures]
    return "figures[] names one row and column twice" if len(set(named)) < len(named) else ""


_T = "providers_statistics"


def _form(element: str, rule: str, prefix: str) -> Mapping[Form]:
    figures = f"{_T}.{prefix}_figures"
    figure = Mapping(
        Figure,
        NAMESPACE,
        "Raditajs",
        (
            text("row", "Rinda", longest=50, rule=rule, column=figures),
            text("column", "Aile", longest=50, rule=rule, column=figures),
            decimal("value", "Vertiba", places=2, rule=rule, column=figures),
        ),
    )
    return Mapping(
        Form,
        NAMESPACE,
        element,
        (
            integer("year", "Gads", least=2000, most=2999, rule=rule, column=f"{_T}.{prefix}_year"),
            integer(
                "month", "Menesis", least=1, most=12, rule=rule, column=f"{_T}.{prefix}_month", optional=True
            ),
            text(
                "municipality",
                "Novads",
                longest=250,
                rule=rule,
                column=f"{_T}.{prefix}_municipality",
                optional=True,
            ),
            many(nested("figures", "Raditajs", figure), minimum=1),
        ),
    )


STATISTICAL_REPORT = Mapping(
    StatisticalReport,
    NAMESPACE,
    "StatistikasParskats",
    (
        *numbers(_T),
        nested("municipal", "Novads", _form("Novads", "p15.1", "municipal"), optional=True),
        nested("long_term", "IlgstosaAprupe", _form("IlgstosaAprupe", "p15.2", "long_term"), optional=True),
        nested("children", "CietusieBerni", _form("CietusieBerni", "p15.3", "children"), optional=True),
    ),
    check=statistics_problem,
)
