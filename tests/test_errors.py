"""The tree of errors: codes are unique and stable, messages say what to do, the docs are what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from commands.errors import page
from errors import GatewayError, Side, by_code, every_error

DOCS = Path(__file__).parent.parent / "docs" / "errors.md"


def test_the_page_of_the_docs_is_what_the_code_says(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update"):
        DOCS.write_text(page(), encoding="utf-8")
    assert DOCS.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("error", list(every_error()), ids=lambda error: error.__name__)
def test_an_error_says_what_happened_and_what_to_do(error: type[GatewayError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert len(re.findall(r"[.;]", error().message)) >= 2, "two sentences: what happened, what to do"
    assert 400 <= error.status <= 599
    assert (error.status < 500) == (error.side is Side.CALLER)


def test_only_general_errors_share_a_code() -> None:
    shared = [error for error in every_error() if by_code()[error.code] is not error]
    assert all(issubclass(by_code()[error.code], error) for error in shared)


def test_a_detail_is_added_and_the_code_leads() -> None:
    error = by_code()["schema_violation"]("/GetPerson/PersonasKods")
    assert str(error).startswith("schema_violation: ")
    assert str(error).endswith("(/GetPerson/PersonasKods)")


@pytest.mark.parametrize("code", ["32010112345", "320101-12345", "K320101_12345x"])
def test_what_looks_like_a_personal_code_is_not_repeated(code: str) -> None:
    error = by_code()["schema_violation"](f"/GetPerson/{code}: not expected")
    assert "12345" not in str(error) + error.detail + repr(error)
    assert error.detail.startswith("/GetPerson/")
