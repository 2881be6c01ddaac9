"""Score an archive with `liver-pdff score`, kill it on the way, go on, and compare its pace with the bare network's.

``python -m benchmarks.score --studies 2000`` writes the archive from a few phantoms (each study under a UID of its
own), times the bare session before and after, and prints JSON. ``--dask 2`` does the same on a local cluster.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pydicom import dcmread

from app.adapters.bundle.engine import Engine, gathered
from app.adapters.bundle.store import load_bundle
from app.core.values import View
from app.settings import Settings
from training.phantom import write_study
from training.progress import progress

TEMPLATES = 25
FLOOR_STUDIES = 60
KILLED_AT_SHARE = 0.4
POLL_S = 0.05


def write_archive(folder: Path, studies: int) -> None:
    """Write studies, four files each, under the UIDs of their own."""
    templates = [_template(folder.parent / "templates", number) for number in range(min(TEMPLATES, studies))]
    for number in progress(range(studies), "archive", studies, "study"):
        uid, files = templates[number % len(templates)]
        own = (b"1.2.%020d" % number).ljust(len(uid), b"1")
        study = folder / f"{number % 100:02d}" / str(number)
        study.mkdir(parents=True)
        for view, content in files.items():
            (study / f"{view}.dcm").write_bytes(content.replace(uid, own))


def _template(folder: Path, number: int) -> tuple[bytes, dict[View, bytes]]:
    paths = write_study(folder / str(number), number + 1, seed=4242, pdff_percent=1.5 * number)
    uid = str(dcmread(next(iter(paths.values()))).StudyInstanceUID).encode()
    return uid, {view: path.read_bytes() for view, path in paths.items()}


def bare_studies_per_s(settings: Settings) -> float:
    """Time the network alone on studies of four pictures, all cores busy."""
    network = load_bundle(settings.bundle, settings.threads).model.network
    pictures = np.random.default_rng(0).integers(0, 256, (4, 224, 224), np.uint8)
    with Engine(network, settings.threads) as engine:
        engine(pictures, list(View))
        started = time.perf_counter()
        gathered([engine.ask(*each) for _ in range(FLOOR_STUDIES) for each in zip(pictures, View, strict=True)])
        return FLOOR_STUDIES / (time.perf_counter() - started)


def score(archive: Path, out: Path, dask: str, killed_at_rows: int | None = None) -> float:
    """Run the command; kill it when it has written so many rows. Return its seconds."""
    command = [sys.executable, "-m", "app.cli", "score", str(archive), "--out", str(out), "--dask", dask]
    started = time.perf_counter()
    with subprocess.Popen(command, start_new_session=True) as process:  # noqa: S603 - our own command
        while killed_at_rows and process.poll() is None and rows_in_journal(out) < killed_at_rows:
            time.sleep(POLL_S)
        if killed_at_rows:
            os.killpg(process.pid, signal.SIGKILL)
    return time.perf_counter() - started


def rows_in_journal(out: Path) -> int:
    """Count what a run has done so far."""
    journal = out.with_name(f"{out.name}.journal")
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def measure(studies: int, dask: str) -> dict[str, Any]:
    """Do it all."""
    settings = Settings()
    with tempfile.TemporaryDirectory() as name:
        archive, out = Path(name) / "archive", Path(name) / "scores.parquet"
        write_archive(archive, studies)
        floor = [bare_studies_per_s(settings)]
        first_s = score(archive, out, dask, int(KILLED_AT_SHARE * studies))
        kept = rows_in_journal(out)
        floor.append(bare_studies_per_s(settings))
        second_s = score(archive, out, dask)
        floor.append(bare_studies_per_s(settings))
        table = pq.read_table(out)
        bare, pace = statistics.median(floor), (studies - kept) / second_s
        return {
            "studies": studies,
            "dask_processes": dask or None,
            "rows_when_killed": kept,
            "rows_at_the_end": table.num_rows,
            "scored": table["outcome"].to_pylist().count("scored"),
            "seconds_until_killed": round(first_s, 1),
            "seconds_of_the_rest": round(second_s, 1),
            "studies_per_s_from_start_to_end": round(pace, 2),
            "bare_session_studies_per_s": [round(each, 2) for each in floor],
            "share_of_the_bare_session": round(pace / bare, 3),
        }


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--dask", default="", help="as `liver-pdff score --dask`")
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.studies, arguments.dask), indent=2))


if __name__ == "__main__":
    main()
