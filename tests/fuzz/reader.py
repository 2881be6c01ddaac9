"""Fuzz the reader, guided by the coverage of our code and pydicom's.

::

    .venv/bin/python -m pip install atheris
    .venv/bin/python -m tests.fuzz.reader out/fuzz -runs=500000 -timeout=2 -rss_limit_mb=2048

The first argument is a folder for the corpus (kept between runs), crashes and the tally; the rest goes to libFuzzer,
whose ``-timeout`` calls an input that takes longer a hang. Seeds are our own objects in every transfer syntax, and
small real ones of pydicom's own test data.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["app", "pydicom"]):
    from app.adapters.dicom import read_identity, read_instance, read_names
    from app.core.errors import AnalysisError

from app.adapters.dicom.codecs import DECODERS
from tests.factories import ct_instance, sector, us_instance

EVERY = 5_000
LARGEST_SEED_BYTES = 60_000
GREY = sector(64, 96)

tally: Counter[str] = Counter()


def seeds() -> list[bytes]:
    """Small objects of every kind."""
    own = [us_instance(pixels=GREY, transfer_syntax=syntax) for syntax in DECODERS]
    own += [us_instance(pixels=GREY, photometric=each) for each in ("MONOCHROME1", "PALETTE COLOR")]
    own += [us_instance(rows=48, columns=64, frames=3), us_instance(rows=48, columns=64), ct_instance()]
    return own + [path.read_bytes() for path in real_files()]


def real_files() -> list[Path]:
    """Small real ultrasound files of pydicom's own test data."""
    from pydicom.data import get_testdata_files

    paths = [Path(name) for name in get_testdata_files("*US*.dcm")]
    return [path for path in paths if path.stat().st_size < LARGEST_SEED_BYTES]


def read_all(data: bytes) -> None:
    """Read what the fuzzer made: an image or a named refusal; anything else is a crash."""
    tally["inputs"] += 1
    for read in (read_identity, read_names, read_instance):
        try:
            read(data)
            tally[f"{read.__name__} ok"] += 1
        except AnalysisError as refusal:
            cause = type(refusal.__cause__).__name__ if refusal.__cause__ else ""
            tally[f"{read.__name__} {refusal.code} {cause}".strip()] += 1
    if tally["inputs"] % EVERY == 0:
        (folder / "tally.json").write_text(json.dumps(dict(tally.most_common()), indent=1))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:02d}").write_bytes(seed)
    atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={folder}/", *sys.argv[2:]], read_all)
    atheris.Fuzz()
