"""One load in a process of its own, with its own peak memory: `python -m bench.addresses.loads URL DIRECTORY`."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import registers  # noqa: F401 — an engine of SQLite must know the schemas of all tables
from registers import varis
from storage import open_engine
from storage.migrate import upgrade


def main(url: str, directory: str) -> None:
    """Load and print seconds, rows, peak memory and what was written."""
    engine = open_engine(url)
    upgrade(engine)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, used = time.perf_counter(), time.process_time()
    summary = varis.load(engine, [Path(directory)])
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    counts = summary.counts.values()
    rows = sum(each.added + each.changed + each.unchanged for each in counts)
    written = sum(each.added + each.changed for each in counts)
    print(
        json.dumps(
            {
                "rows": rows,
                "written": written,
                "ended": sum(each.ended for each in counts),
                "seconds": round(seconds, 2),
                "cpu_seconds": round(cpu, 2),
                "rows_per_second": round(rows / seconds),
                "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
                "idle_rss_mb": round(idle / 1024, 1),
                "differs": summary.differs,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
