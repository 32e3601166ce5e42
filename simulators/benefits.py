"""Pensions and benefits month by month, as SAIS holds them; they follow from age, disability, care and family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from simulators.care import Care, care, decisions
from simulators.disability import CHILD_GROUP, disability
from simulators.households import Slot
from simulators.population import Person, Population

PENSION_AGE = 65
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment for a month (its first day). Amount in euro, two decimals; `paid_on` None: not paid yet."""

    kind: str
    amount: Decimal
    month: date
    paid_on: date | None

    @property
    def status(self) -> str:
        """PAID, or GRANTED until the day of payment."""
        return "PAID" if self.paid_on else "GRANTED"


def payments(
    population: Population, person: Person, first: date, last: date, *, today: date
) -> tuple[Payment, ...]:
    """The payments of the months from first to last (any day in them), oldest first.

    Nothing is granted for months after that of `today`, or after the person's death.
    """
    found: list[Payment] = []
    month = first.replace(day=1)
    while month <= min(last, today):
        end = _next(month) - timedelta(days=1)
        if person.died_on is None or person.died_on >= month:
            paid = _pay_day(population, person, month)
            for kind, base in _entitled(population, person, month, end):
                found.append(Payment(kind, _indexed(base, month), month, paid if paid <= today else None))
        month = _next(month)
    return tuple(found)


def _entitled(
    population: Population, person: Person, month: date, end: date
) -> Iterator[tuple[str, Decimal]]:
    """Kind and amount (before indexation) of all that a person is entitled to in a month."""
    draw = population.draw("benefits", person.index)
    minor = person.birthday(18) > month
    known = disability(population, person)
    if person.slot in (Slot.PENSIONER_WOMAN, Slot.PENSIONER_MAN, Slot.LONE_PENSIONER):
        yield from _in_old_age(person, draw, month)
    if known is not None and known.holds(month, end):
        if known.group != CHILD_GROUP:
            yield "DISABILITY_PENSION", _amount(draw, {"I": 390, "II": 310, "III": 190}[known.group], 160)
        if known.opinion is not None:
            kind = "DISABLED_CHILD_CARE" if known.group == CHILD_GROUP else "SPECIAL_CARE_BENEFIT"
            yield kind, Decimal("413.43")
        if known.impairments[0] and month.month in (1, 7):
            yield "TRANSPORT_COMPENSATION", Decimal("79.68")
    if minor and person.birth_date <= end and care(person) not in (Care.INSTITUTION, Care.FOSTER_FAMILY):
        yield "FAMILY_BENEFIT", Decimal("25.00")
        if known is not None and known.holds(month, end):
            yield "DISABLED_CHILD_SUPPLEMENT", Decimal("160.00")
    if person.slot is Slot.SURVIVOR and minor and _died(population, person) <= end:
        yield "SURVIVORS_PENSION", _amount(draw, 175, 120)
    if person.slot is Slot.WIDOW and person.block % 3 == 0 and _died(population, person) <= end:
        yield "COMPENSATION_LOSS_OF_PROVIDER", _amount(draw, 140, 90)
    if person.slot is Slot.PARTNER_OF_DISABLED and person.block % 4 == 2:
        yield "COMPENSATION_LOSS_OF_WORK_ABILITY", _amount(draw, 120, 200)
    if person.slot is Slot.GUARDIAN:
        yield from _for_care(population, person, end)


def _in_old_age(person: Person, draw: int, month: date) -> Iterator[tuple[str, Decimal]]:
    if person.birthday(PENSION_AGE) > month:
        return
    if person.slot is Slot.LONE_PENSIONER:
        kinds = (
            "OLD_AGE_PENSION",
            "SOCIAL_SECURITY_BENEFIT",
            "SERVICE_PENSION",
            "SPECIAL_PENSION",
            "FOREIGN_PENSION",
        )
        kind = kinds[person.block % len(kinds)]
        yield kind, Decimal("217.00") if kind == "SOCIAL_SECURITY_BENEFIT" else _amount(draw, 330, 500)
        return
    yield "OLD_AGE_PENSION", _amount(draw, 280, 620)
    if (draw >> 40) % 3:
        yield "PENSION_SUPPLEMENT", _amount(draw >> 48, 15, 40)


def _for_care(population: Population, person: Person, end: date) -> Iterator[tuple[str, Decimal]]:
    """Pay to a guardian or a foster family from the month in which the child comes to live with them."""
    child = population.member(person, Slot.CHILD_IN_CARE)
    kinds = {
        "PLACE_GUARDIAN": ("GUARDIAN_PAY", Decimal("54.07")),
        "PLACE_FOSTER_FAMILY": ("FOSTER_FAMILY_PAY", Decimal("171.00")),
    }
    for decision in decisions(population, child):
        if decision.kind in kinds and decision.effective_from <= end and child.birthday(18) > end:
            yield kinds[decision.kind]


def _died(population: Population, person: Person) -> date:
    return population.member(person, Slot.DECEASED).died_on or date.max


def _amount(draw: int, least: int, span: int) -> Decimal:
    return (Decimal(least * 100 + draw % (span * 100)) / 100).quantize(_CENT)


def _indexed(base: Decimal, month: date) -> Decimal:
    """Four per cent more from each October after 2024."""
    years = max(0, month.year - 2025 + (1 if month.month >= 10 else 0))
    return (base * Decimal("1.04") ** years).quantize(_CENT)


def _pay_day(population: Population, person: Person, month: date) -> date:
    """The day of payment in the month: the same for all of a person's payments, never on a weekend."""
    day = month.replace(day=8 + population.draw("pay day", person.index) % 14)
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def _next(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
