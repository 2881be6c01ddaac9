"""Every real ultrasound file of pydicom and pydicom-data, sent as one view: analysed, or refused with the right code.

Why each is refused was looked at, not computed: ``color-p*`` and ``examples_rgb_color`` show colour flow; ``US1_*`` and
``examples_jpeg2k`` (one picture) show it in two panels that touch, which are seen first; ``gdcm-US-ALOKA`` shows two
panels; ``OBXXXX1A*`` and ``examples_palette`` (one picture) show a probe in air, black below its first centimetre, but
for those of two frames: their second frame is the negative of the first, and takes its place. ``ExplVR_BigEnd`` is
80 x 60 pixels of test pattern.
"""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.api.test_analyses import post
from tests.conftest import ServiceFactory

TABLE = json.loads((Path(__file__).parents[1] / "golden" / "real_answers.json").read_text())
"""File name -> "analysed", or the code of the refusal."""


def folders() -> list[Path]:
    """Folders of real files that come with packages."""
    packages = (("pydicom", "data/test_files"), ("data_store", "data"))
    specs = ((importlib.util.find_spec(package), inner) for package, inner in packages)
    return [Path(spec.origin).parent / inner for spec, inner in specs if spec is not None and spec.origin]


def find_real_file(name: str) -> Path:
    """Find a real file, or skip: pydicom-data is an optional package."""
    for folder in folders():
        if found := next(folder.rglob(name), None):
            return found
    pytest.skip(f"{name} comes with pydicom-data, which is not installed")


@pytest.fixture(scope="module")
def service(serve: ServiceFactory) -> Iterator[TestClient]:
    with serve() as client:
        yield client


@pytest.mark.parametrize("name", sorted(TABLE))
def test_a_real_file_is_analysed_or_refused_for_the_right_reason(service: TestClient, name: str) -> None:
    content = find_real_file(name).read_bytes()
    answer = post(service, {"right_portal_vein": content}, allow_partial="true")
    assert answer.status_code in {201, 200, 415, 422}
    assert (answer.json().get("code") or "analysed") == TABLE[name]


def test_the_table_holds_all_of_them() -> None:
    """Twenty-one files of ultrasound come with the two packages."""
    assert len(TABLE) == 21
