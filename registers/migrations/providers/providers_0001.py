"""What the ministry and providers of services hand in.

Revision: providers_0001
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from registers.history import Exact
from storage import Instant
from storage.migrate import create_schema

revision = "providers_0001"
down_revision = None
branch_labels = ("providers",)
depends_on = "spolis_0001"

_SCHEMA = "providers"
_NUMBERS = ("supplier", "record_no")


def upgrade() -> None:
    """Make the tables."""
    create_schema(_SCHEMA)
    _versions(
        "client",
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("client_code", sa.Text(), nullable=False),
        person="each",
        one_per=("supplier", "client_code"),
    )
    _table(
        "cofinancing",
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("financed_from", sa.Date(), nullable=False),
        sa.Column("financed_to", sa.Date(), nullable=True),
    )
    _table(
        "deletion",
        sa.Column("client_code", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        person="some",
        one_per=("supplier", "kind", "record_no"),
    )
    _table(
        "group_home",
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("decision_number", sa.Text(), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("registration_number", sa.Text(), nullable=False),
        sa.Column("contract_on", sa.Date(), nullable=False),
        sa.Column("contract_number", sa.Text(), nullable=False),
        sa.Column("began_on", sa.Date(), nullable=True),
        sa.Column("came_from", sa.Text(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("cofinancing", sa.JSON(), nullable=False),
    )
    _table(
        "inspection",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("registration_number", sa.Text(), nullable=False),
        sa.Column("place_address", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("inspected_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("manner", sa.Text(), nullable=False),
        sa.Column("inspectors", sa.JSON(), nullable=False),
        sa.Column("requirement_groups", sa.JSON(), nullable=False),
        sa.Column("requirements", sa.JSON(), nullable=False),
        sa.Column("recommendations", sa.JSON(), nullable=False),
        person="none",
    )
    _table(
        "ministry_deletion",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        person="some",
        one_per=("supplier", "kind", "record_no"),
    )
    _table(
        "oncology",
        sa.Column("requests", sa.JSON(), nullable=False),
        sa.Column("decisions", sa.JSON(), nullable=False),
        sa.Column("illness_present", sa.Boolean(), nullable=True),
        sa.Column("illness_localisation", sa.Text(), nullable=True),
        sa.Column("illness_disability", sa.Text(), nullable=True),
        sa.Column("relative_given_names", sa.JSON(), nullable=True),
        sa.Column("relative_family_name", sa.Text(), nullable=True),
        sa.Column("relative_code", sa.Text(), nullable=True),
        sa.Column("relative_birth_date", sa.Date(), nullable=True),
        sa.Column("courses", sa.JSON(), nullable=False),
    )
    _table(
        "palliative",
        sa.Column("client_code", sa.Text(), nullable=True),
        sa.Column("council_on", sa.Date(), nullable=False),
        sa.Column("decisions", sa.JSON(), nullable=False),
        sa.Column("family", sa.JSON(), nullable=False),
        sa.Column("team", sa.JSON(), nullable=False),
        sa.Column("began_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("activities", sa.JSON(), nullable=False),
        sa.Column("interruptions", sa.JSON(), nullable=False),
        sa.Column("bereavement", sa.JSON(), nullable=False),
        sa.Column("transport_paid", Exact(), nullable=True),
    )
    _table(
        "places",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client_group", sa.Text(), nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("residents", sa.Integer(), nullable=False),
        sa.Column("free", sa.Integer(), nullable=False),
        person="none",
    )
    _table(
        "provider",
        sa.Column("registration_number", sa.Text(), nullable=False),
        sa.Column("company_number", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("legal_address", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.Column("decision_number", sa.Text(), nullable=True),
        sa.Column("excluded_on", sa.Date(), nullable=True),
        sa.Column("exclusion_reason", sa.Text(), nullable=True),
        sa.Column("services", sa.JSON(), nullable=False),
        person="none",
    )
    _table(
        "service_report",
        sa.Column("violence_period_from", sa.Date(), nullable=True),
        sa.Column("violence_period_to", sa.Date(), nullable=True),
        sa.Column("violence_waiting", sa.Integer(), nullable=True),
        sa.Column("violence_waiting_urgently", sa.Integer(), nullable=True),
        sa.Column("violence_total_cost", Exact(), nullable=True),
        sa.Column("violence_municipalities", sa.JSON(), nullable=True),
        sa.Column("violence_account", sa.Text(), nullable=True),
        sa.Column("palliative_period_from", sa.Date(), nullable=True),
        sa.Column("palliative_period_to", sa.Date(), nullable=True),
        sa.Column("palliative_spent", Exact(), nullable=True),
        sa.Column("palliative_persons", sa.Integer(), nullable=True),
        sa.Column("palliative_results", sa.JSON(), nullable=True),
        sa.Column("oncology_period_from", sa.Date(), nullable=True),
        sa.Column("oncology_period_to", sa.Date(), nullable=True),
        sa.Column("oncology_spent", Exact(), nullable=True),
        sa.Column("oncology_persons", sa.Integer(), nullable=True),
        sa.Column("oncology_results", sa.JSON(), nullable=True),
        sa.Column("group_home_period_from", sa.Date(), nullable=True),
        sa.Column("group_home_period_to", sa.Date(), nullable=True),
        sa.Column("group_home_spent", Exact(), nullable=True),
        sa.Column("group_home_persons", sa.Integer(), nullable=True),
        sa.Column("group_home_results", sa.JSON(), nullable=True),
        person="none",
    )
    _table(
        "statistics",
        sa.Column("municipal_year", sa.Integer(), nullable=True),
        sa.Column("municipal_month", sa.Integer(), nullable=True),
        sa.Column("municipal_municipality", sa.Text(), nullable=True),
        sa.Column("municipal_figures", sa.JSON(), nullable=True),
        sa.Column("long_term_year", sa.Integer(), nullable=True),
        sa.Column("long_term_month", sa.Integer(), nullable=True),
        sa.Column("long_term_municipality", sa.Text(), nullable=True),
        sa.Column("long_term_figures", sa.JSON(), nullable=True),
        sa.Column("children_year", sa.Integer(), nullable=True),
        sa.Column("children_month", sa.Integer(), nullable=True),
        sa.Column("children_municipality", sa.Text(), nullable=True),
        sa.Column("children_figures", sa.JSON(), nullable=True),
        person="none",
    )
    _table(
        "violence",
        sa.Column("granted", sa.JSON(), nullable=False),
        sa.Column("provided", sa.JSON(), nullable=False),
        sa.Column("costs", sa.JSON(), nullable=False),
        sa.Column("transport_paid", Exact(), nullable=True),
        sa.Column("granted_on", sa.Date(), nullable=False),
        sa.Column("began_on", sa.Date(), nullable=True),
        sa.Column("completed_on", sa.Date(), nullable=True),
        sa.Column("specialists", sa.JSON(), nullable=False),
    )


def _table(
    thing: str, *columns: sa.Column[Any], person: str = "each", one_per: Sequence[str] = _NUMBERS
) -> None:
    """A table of rows under their supplier's numbers."""
    _versions(
        thing,
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        *([sa.Column("person_id", sa.Uuid(), nullable=True)] if person == "some" else []),
        *columns,
        person=person,
        one_per=one_per,
    )
    name = f"providers_{thing}"
    op.create_index(
        op.f(f"ix_{name}_supplier_case_no"), name, ["supplier", "case_no"], unique=False, schema=_SCHEMA
    )


def _versions(thing: str, *columns: sa.Column[Any], person: str, one_per: Sequence[str]) -> None:
    """A table of versioned rows; `person`: "each" is about one, "some" are, or "none" is."""
    name = f"providers_{thing}"
    of_person = person != "none"
    op.create_table(
        name,
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        *([sa.Column("person_id", sa.Uuid(), nullable=False)] if person == "each" else []),
        *columns,
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        *(
            [
                sa.ForeignKeyConstraint(
                    ["person_id"],
                    ["spolis.spolis_person.id"],
                    name=op.f(f"fk_{name}_person_id_spolis_person"),
                )
            ]
            if of_person
            else []
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f(f"pk_{name}")),
        schema=_SCHEMA,
    )
    op.create_index(
        op.f(f"ix_{name}_id_recorded_at"), name, ["id", "recorded_at"], unique=True, schema=_SCHEMA
    )
    if of_person:
        op.create_index(
            op.f(f"ix_{name}_person_id_recorded_at"),
            name,
            ["person_id", "recorded_at"],
            unique=False,
            schema=_SCHEMA,
        )
    for what, unique in (("current", ("id",)), ("one", one_per)):
        op.create_index(
            f"uq_{name}_{what}",
            name,
            list(unique),
            unique=True,
            schema=_SCHEMA,
            postgresql_where=sa.text("superseded_at IS NULL"),
            sqlite_where=sa.text("superseded_at IS NULL"),
        )
