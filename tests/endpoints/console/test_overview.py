"""The overview: figures, pictures with the same as tables, and what is not as it should be."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import html
from sqlalchemy import insert
from werkzeug.test import Client

from endpoints import console
from endpoints.console.roles import Role
from exchange import new_id, utc_now
from gateway import Gateway
from routing import breakers, incidents, outbox
from tests.endpoints.console.gateways import acts, ended, own_gateway, put
from tests.endpoints.console.signing_in import signed_in

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def gateway(api_keys: Path, database: str) -> Iterator[Gateway]:
    with own_gateway(api_keys, database) as wired:
        yield wired


def page_of(gateway: Gateway, query: str = "", language: str = "en", role: Role = Role.AUDITOR) -> str:
    client = signed_in(gateway, role)
    client.set_cookie("language", language, path="/console")
    for _ in range(40):
        answer = client.get(f"/console/{query}")
        assert answer.status_code == 200
        if "No answer yet" not in answer.text:  # contracts are compiled once for each process
            break
        time.sleep(0.25)
    return answer.text


def figures(text: str) -> dict[str, str]:
    """The figures at the top by name."""
    page = html.fromstring(text)
    return {
        figure.findtext("dt"): figure.find("dd").text.strip()
        for figure in page.xpath("//dl[@class='figures']/div")
    }


def rows(text: str, caption: str) -> dict[str, list[str]]:
    """The rows of the table with a caption by their heads."""
    page = html.fromstring(text)
    (table,) = (one for one in page.iter("table") if caption in (one.findtext("caption") or ""))
    found = {}
    for row in table.xpath(".//tr"):
        head, *cells = ("".join(cell.itertext()).strip() for cell in row)
        found[head] = cells
    return found


@pytest.mark.parametrize("role", list(Role))
def test_everybody_who_is_signed_in_sees_it_and_nobody_else(gateway: Gateway, role: Role) -> None:
    assert "Overview" in page_of(gateway, role=role)
    stranger = Client(console.application(gateway)).get("/console/")
    assert (stranger.status_code, stranger.location) == (303, "/console/sign-in")
    assert acts(gateway) == []  # nothing in it is of a person, so nothing is put on record


def test_before_anything_was_exchanged(gateway: Gateway) -> None:
    text = page_of(gateway)
    assert "Nothing was exchanged in this time." in text
    assert "No incident is open." in text
    assert figures(text)["Exchanges"] == "0"
    assert "<svg" not in text


def test_figures_and_tables_of_the_last_day(gateway: Gateway) -> None:
    now = utc_now()
    put(gateway, *(ended("pmlp") for _ in range(1200)), ended("pmlp", "failed"), ended("sais", "unknown"))
    put(gateway, ended("sais", "denied"), ended(None, "invalid"), ended("sais", at=now - timedelta(hours=25)))
    text = page_of(gateway)
    told = figures(text)
    assert (told["Exchanges"], told["Failed or not known"]) == ("1,204", "2")
    assert rows(text, "Exchanges by system") == {
        "System": ["answered", "denied", "invalid", "failed", "unknown", "p50", "p95"],
        "pmlp": ["1,200", "0", "0", "1", "0", "40\u00a0ms", "40\u00a0ms"],
        "sais": ["0", "1", "0", "0", "1", "40\u00a0ms", "40\u00a0ms"],
        "Others": ["0", "0", "1", "0", "0", "–", "–"],
    }
    by_hour = rows(text, "Exchanges: 1,204")
    assert len(by_hour) == 25
    assert list(by_hour.values())[-1] == ["1,200", "1", "1", "1", "1"]


def test_the_month_is_another_address(gateway: Gateway) -> None:
    put(gateway, ended("pmlp", at=utc_now() - timedelta(days=20)), ended("pmlp"))
    assert figures(page_of(gateway))["Exchanges"] == "1"
    month = page_of(gateway, "?period=month")
    assert figures(month)["Exchanges"] == "2"
    assert len(rows(month, "Exchanges: 2")) == 31
    assert figures(page_of(gateway, "?period=%3Cscript%3E"))["Exchanges"] == "1"


def test_every_picture_says_in_words_what_it_shows(gateway: Gateway) -> None:
    put(gateway, ended("pmlp"), ended("pmlp", "failed"))
    page = html.fromstring(page_of(gateway))
    pictures = page.xpath("//*[local-name()='svg'][@class='chart']")
    assert len(pictures) == 3
    for picture in pictures:
        assert picture.get("role") == "img"
        assert picture.get("aria-label")
    assert "failed or not known: 1 (50" in pictures[0].get("aria-label")
    # A failure is told by a texture and by words, not by colour alone.
    assert pictures[0].xpath(".//*[local-name()='rect'][@fill='url(#texture-hatch)']")
    assert any("failed 1" in (one.text or "") for one in pictures[0].iter("{*}title", "title"))
    assert page.xpath("//*[@id='texture-hatch']")


def test_nothing_is_inline(gateway: Gateway) -> None:
    put(gateway, ended("pmlp", "failed"))
    text = page_of(gateway)
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=", text)


def test_in_latvian(gateway: Gateway) -> None:
    put(gateway, *(ended("pmlp") for _ in range(1001)))
    text = page_of(gateway, language="lv")
    told = figures(text)
    assert told["Apmaiņas"] == "1\u00a0001"
    assert "Pārskats" in text
    assert "Fizisko personu reģistrs" in text
    # Words of ours that nobody translated would stand in English.
    left = set(re.findall(r">\s*((?:The|Every|Nothing|Exchanges|Open|Queue)\b[^<]*)<", text))
    assert left == set()


def test_what_others_wrote_is_text(gateway: Gateway) -> None:
    put(gateway, ended(SCRIPT), ended(SCRIPT, SCRIPT))
    with gateway.engine.begin() as connection:
        incidents.see(connection, incidents.Finding(SCRIPT, SCRIPT, SCRIPT))
    text = page_of(gateway)
    assert SCRIPT not in text
    assert text.count("&lt;script&gt;") >= 5
    assert rows(text, "Exchanges by system")[SCRIPT][:2] == ["1", "1"]  # an unknown outcome is one


def test_queue_breakers_and_incidents(gateway: Gateway) -> None:
    now = utc_now()
    with gateway.engine.begin() as connection:
        for _ in range(2):
            outbox.put(
                connection, new_id(), ("npais", "ReportChildContact"), give_up_after=timedelta(hours=1)
            )
        outbox.put(connection, new_id(), ("sais", "NotifyCareStay"), give_up_after=timedelta(hours=1))
        connection.execute(
            outbox.outbox.update().where(outbox.outbox.c.system == "sais").values(state="dead")
        )
        connection.execute(outbox.outbox.update().values(due=now - timedelta(minutes=7)))
        later = now + timedelta(minutes=5)
        row = {"failures": 9, "openings": 3, "retry_at": later, "changed_at": now}
        connection.execute(insert(breakers.breakers).values(system="npais", **row))
        incidents.see(connection, incidents.Finding("breaker", "npais", "state=open"))
    text = page_of(gateway)
    told = figures(text)
    assert (told["In the queue"], told["Left to a person"]) == ("2", "1")
    assert (told["Systems left alone"], told["Open incidents"]) == ("1", "1")
    assert "the oldest is due for 7\u00a0min" in text
    unwell = html.fromstring(text).xpath("//dl[@class='unwell']/dt/code/text()")
    assert {"breakers", "outbox", "jobs"} <= set(unwell)
    assert "Call its holder; deliveries go on by themselves when it is back." in text
    assert re.search(r"npais</span>\s*<span class=\"badge badge-bad\">left alone", text)


def test_the_log_and_who_vouches_for_it(gateway: Gateway) -> None:
    put(gateway, ended("pmlp"))
    gateway.log.write(ended("pmlp"))
    text = page_of(gateway)
    pairs = html.fromstring(text).xpath("//section[@aria-labelledby='log']//dd/text()")
    assert pairs[0] == "2"  # with the origin
    assert pairs[1].startswith("1, the oldest for")
    assert "no witness is set up" in text
    log = dataclasses.replace(gateway.settings.log, witness_url="http://127.0.0.1:9", exposure_seconds=-1.0)
    watched = dataclasses.replace(gateway, settings=dataclasses.replace(gateway.settings, log=log))
    text = page_of(watched)
    assert "the witness has signed nothing yet" in text
    assert ">3, the oldest for" in text
    with gateway.engine.begin() as connection:
        incidents.see(connection, incidents.Finding("fork", "witness"))
    assert "the witness contradicts the log" in page_of(watched)


def test_a_check_that_has_not_answered_is_not_said_to_fail(gateway: Gateway) -> None:
    client = signed_in(gateway, Role.OPERATOR)
    client.set_cookie("language", "en", path="/console")
    first = client.get("/console/").text  # contracts are compiled for the first time
    failing = html.fromstring(first).xpath("//dl[@class='unwell']/dt/code/text()")
    assert "contracts" not in failing
