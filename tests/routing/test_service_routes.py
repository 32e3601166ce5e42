"""A service's operation goes where it says, or the gateway does not start."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import create_engine

from errors import ConfigurationError
from mappings import services
from mappings.services import Reading, Service
from routing.register_routes import register_routes
from routing.service_routes import ReadingRoute, SubmissionRoute, service_routes

ENGINE = create_engine("sqlite://")
OTHERS = register_routes(ENGINE)
CARE = services.discover()["care-stays"]


def one(service: Service, name: str, **changes: object) -> dict[str, Service]:
    """A service with one of its operations, something in it changed."""
    operation = service.operation(name)
    assert operation is not None
    changed = replace(operation, **changes)  # type: ignore[arg-type] # the fields' types are the dataclass's
    return {service.name: replace(service, operations=(changed,))}


def test_every_operation_of_the_service_has_its_way() -> None:
    routes = service_routes(ENGINE, {"care-stays": CARE}, OTHERS)
    kinds = {name: type(route) for (_, name), route in routes.items()}
    assert kinds["GetStays"] is kinds["GetPlacements"] is ReadingRoute
    assert {kind for name, kind in kinds.items() if not name.startswith("Get")} == {SubmissionRoute}


def test_an_operation_that_goes_nowhere_stops_start_up() -> None:
    reading = CARE.operations[-1].via
    assert isinstance(reading, Reading)
    with pytest.raises(ConfigurationError, match=r"registers\.SearchShoes"):
        service_routes(ENGINE, one(CARE, "GetStays", via=replace(reading, register="shoes")), OTHERS)
    with pytest.raises(ConfigurationError, match=r"pmlp\.GetShoes"):
        service_routes(ENGINE, one(CARE, "GetStays", via=("pmlp", "GetShoes")), OTHERS)
