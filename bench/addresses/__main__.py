"""The address register at national size: loading, the next edition, and searching, on SQLite and PostgreSQL.

    .venv/bin/python -m bench.addresses --url postgresql+psycopg://postgres@127.0.0.1/empty_database
    .venv/bin/python -m bench.addresses --share 0.01

Makes two editions of about 1.6 million addresses (bench/addresses/invented.py says what of them is invented), loads the
first into empty databases beside PostgreSQL's plain COPY of the same files in the same run, then the second, which
differs little; each load in a process of its own. Then searches as people type, with the address that was meant known.
Writes bench/results/addresses.json; exit 1 where a load needed more than 512 MB.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import psycopg
from sqlalchemy import Engine, make_url

from bench.addresses.invented import Size, write_edition
from bench.addresses.queries import Query, typed
from exchange import Json
from registers import varis
from registers.varis.layouts import EVERY
from storage import open_engine, reading

RESULTS = Path(__file__).parent.parent / "results" / "addresses.json"
LIMIT_MB = 512
_PIECE = 1 << 20


@click.command(help=__doc__)
@click.option("--url", default="", help="An empty PostgreSQL database; without it SQLite alone is measured.")
@click.option("--share", type=float, default=1.0, help="Of the national size.")
@click.option("--searches", type=int, default=500, help="Searches for each database.")
@click.option("--to", "results", type=click.Path(path_type=Path), default=RESULTS, help="Where to write.")
def main(url: str, share: float, searches: int, results: Path) -> None:
    """Measure, print and write down."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        size = Size().times(share) if share != 1.0 else Size()
        first = write_edition(work / "first", size)
        write_edition(work / "second", size, number=2)
        questions = typed(work / "first", searches)
        result: dict[str, Json] = {"addresses": first["eka"] + first["dziv"], "rows": sum(first.values())}
        databases = {"sqlite": f"sqlite:///{work / 'gateway.db'}"}
        if url:
            databases["postgresql"] = url
            result["plain_copy"] = plain_copy(url, work / "first")
        for name, database in databases.items():
            result[name] = measured(database, work, questions)
            click.echo(f"{name}: {json.dumps(result[name])}", err=True)
        _compare(result)
    results.parent.mkdir(exist_ok=True)
    results.write_text(f"{json.dumps(result, indent=1, ensure_ascii=False)}\n", encoding="utf-8")
    click.echo(json.dumps(result, ensure_ascii=False))
    peaks = [leg["peak_rss_mb"] for name in databases for leg in _legs(result[name])]
    sys.exit(1 if max(peaks) > LIMIT_MB else 0)


def plain_copy(url: str, directory: Path) -> dict[str, Json]:
    """PostgreSQL's own COPY of the files into tables of text without any index: as fast as rows can get in."""
    rows = 0
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False)) as connection:
        begun = time.perf_counter()
        for layout in EVERY:
            columns = ", ".join(f"{column.lower()} text" for column in layout.columns)
            connection.execute(f"CREATE TEMPORARY TABLE plain_{layout.file} ({columns})")
            with (
                (directory / f"aw_{layout.file}.csv").open("rb") as source,
                connection.cursor() as cursor,
            ):
                source.read(3)  # the byte order mark
                with cursor.copy(f"COPY plain_{layout.file} FROM STDIN (FORMAT csv, HEADER)") as copy:
                    while piece := source.read(_PIECE):
                        copy.write(piece)
                rows += cursor.rowcount
        connection.commit()
        seconds = time.perf_counter() - begun
    return {"rows": rows, "seconds": round(seconds, 2), "rows_per_second": round(rows / seconds)}


def measured(url: str, work: Path, questions: Sequence[Query]) -> dict[str, Json]:
    """Both editions and the searches on one database."""
    told: dict[str, Json] = {"first": loaded(url, work / "first"), "next": loaded(url, work / "second")}
    engine = open_engine(url)
    told["search"] = searched(engine, questions)
    told["resolve"] = _figures(
        [_timed(engine, partial(varis.resolve, code=question.code))[0] for question in questions]
    )
    engine.dispose()
    return told


def loaded(url: str, directory: Path) -> dict[str, Json]:
    """One load in a process of its own."""
    command = [sys.executable, "-m", "bench.addresses.loads", url, str(directory)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 — our own interpreter and module
    told: dict[str, Json] = json.loads(done.stdout)
    return told


def searched(engine: Engine, questions: Sequence[Query]) -> dict[str, Json]:
    """Times of searches, and how often the address that was meant came first, and among the first ten."""
    times: list[float] = []
    first = among = 0
    for text, code in questions:
        ms, found = _timed(engine, partial(varis.search, text=text, limit=10))
        times.append(ms)
        codes = [match.address.varis_code for match in found]
        first += codes[:1] == [code]
        among += code in codes
    return {
        **_figures(times),
        "first": round(first / len(questions), 3),
        "among_ten": round(among / len(questions), 3),
    }


def _timed(engine: Engine, work: Callable[[Any], Any]) -> tuple[float, Any]:
    with reading(engine).begin() as connection:
        begun = time.perf_counter()
        found = work(connection)
        return (time.perf_counter() - begun) * 1000, found


def _figures(times: Sequence[float]) -> dict[str, Json]:
    cuts = statistics.quantiles(times, n=100)
    return {
        "count": len(times),
        "p50_ms": round(cuts[49], 1),
        "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1),
    }


def _legs(of: Any) -> list[dict[str, Any]]:
    return [of["first"], of["next"]]


def _compare(result: dict[str, Any]) -> None:
    """Ratios, which say more than times on a machine that others use too."""
    copy = result.get("plain_copy")
    for name in ("sqlite", "postgresql"):
        if (told := result.get(name)) is None:
            continue
        first, following = _legs(told)
        told["ratio_next_to_first"] = round(following["seconds"] / first["seconds"], 3)
        told["ratio_search_to_resolve"] = round(told["search"]["p50_ms"] / told["resolve"]["p50_ms"], 1)
        if copy:
            told["ratio_to_plain_copy"] = round(first["rows_per_second"] / copy["rows_per_second"], 3)


if __name__ == "__main__":
    main()
