"""Small files that ask for much: each is refused or contained, and the next good study is answered."""

import struct
import time
import zlib
from collections.abc import Callable, Iterator

import imagecodecs
import numpy as np
import pytest
from fastapi.testclient import TestClient
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from app.core.values import View
from tests.api.test_analyses import post
from tests.conftest import ServiceFactory
from tests.factories import four_view_study, us_instance

LARGEST = 5760
"""Rows and columns of the largest square picture that is accepted: 32 MiB of grey."""
LARGEST_COLOUR = 3328
SECONDS = 8
"""A reader has 2 s of processor time; the rest is for a busy machine."""


def encapsulated(
    syntax: str, codestream: bytes | bytearray, size: int = LARGEST, photometric: str = "MONOCHROME2"
) -> bytes:
    """An object that promises a large picture, and brings this."""
    tiny = np.zeros((8, 8) if photometric == "MONOCHROME2" else (8, 8, 3), np.uint8)
    return us_instance(
        view=View.LIVER_KIDNEY,
        study=51,
        pixels=tiny,
        photometric=photometric,
        transfer_syntax=syntax,
        codestreams=[bytes(codestream)],
        attributes={"Rows": size, "Columns": size},
    )


def many_scans() -> bytes:
    """A baseline JPEG in colour whose every scan is another walk over one plane: much work for twelve bytes each."""
    jpeg = imagecodecs.jpeg8_encode(np.zeros((LARGEST_COLOUR, LARGEST_COLOUR, 3), np.uint8), level=50)
    first = jpeg.index(b"\xff\xda")
    scans = [b"\xff\xda\0\x08\x01" + bytes((component, 0, 0, 63, 0)) + b"\0\0" for component in (1, 2, 3)]
    return bytes(jpeg[:first]) + b"".join(scans) + scans[0] * 20_000 + b"\xff\xd9"


def many_tiles() -> bytes:
    """A JPEG 2000 stream that says it has 62,500 tiles and brings one."""
    stream = bytearray(imagecodecs.jpeg2k_encode(np.zeros((LARGEST, LARGEST), np.uint8), codecformat="j2k"))
    siz = stream.index(b"\xff\x51") + 4
    stream[siz + 18 : siz + 26] = struct.pack(">2L", 24, 24)
    return bytes(stream)


def inflated() -> bytes:
    """A deflated data set of a gibibyte, in a megabyte."""
    plain = us_instance()
    at = plain.index(struct.pack("<HH", 0x0008, 0x0005))
    meta = plain[:at].replace(b"1.2.840.10008.1.2.1\0", DeflatedExplicitVRLittleEndian.encode())
    squeeze = zlib.compressobj(wbits=-15)
    zeros = bytes(1 << 20)
    body = squeeze.compress(struct.pack("<HH2sHL", 9, 0x10, b"OB", 0, 1 << 30))
    return meta + body + b"".join(squeeze.compress(zeros) for _ in range(1024)) + squeeze.flush()


BOMBS: dict[str, Callable[[], bytes]] = {
    "many scans": lambda: encapsulated(JPEGBaseline8Bit, many_scans(), LARGEST_COLOUR, "YBR_FULL"),
    "many tiles": lambda: encapsulated(JPEG2000Lossless, many_tiles()),
    "deflate": inflated,
    "packbits": lambda: encapsulated(RLELossless, struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\0" * 1_000_000),
    "flat JPEG-LS": lambda: encapsulated(
        JPEGLSLossless, imagecodecs.jpegls_encode(np.zeros((LARGEST, LARGEST), np.uint8))
    ),
    "larger than promised": lambda: encapsulated(
        JPEG2000Lossless, imagecodecs.jpeg2k_encode(np.zeros((LARGEST, LARGEST), np.uint8), codecformat="j2k"), 8
    ),
    "too large": lambda: encapsulated(JPEGBaseline8Bit, b"\xff\xd8", 8192),
}


@pytest.fixture(scope="module")
def client(serve: ServiceFactory) -> Iterator[TestClient]:
    with serve() as client:
        assert post(client, four_view_study(study=50)).status_code == 201
        yield client


@pytest.mark.parametrize("kind", BOMBS)
def test_it_is_refused_or_contained_and_the_next_study_is_answered(client: TestClient, kind: str) -> None:
    bomb = BOMBS[kind]()
    started = time.perf_counter()
    answer = post(client, {**four_view_study(study=51), View.LIVER_KIDNEY: bomb})
    elapsed_s = time.perf_counter() - started
    assert answer.status_code in (415, 422), answer.text
    assert len(bomb) < 3 << 20
    assert elapsed_s < SECONDS
    good = four_view_study(study=list(BOMBS).index(kind) + 60)
    assert post(client, good).status_code == 201
    refusal = answer.json()
    print(f"{kind}: {len(bomb) / 1024:.0f} KiB, {elapsed_s:.2f} s, {refusal['code']}: {refusal['detail']}")
