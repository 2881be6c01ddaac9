"""The reader: what it takes, what it refuses and in which words, and pixels against independent decoders.

Run as ``python -m tests.unit.adapters.test_dicom_reader``, this file writes ``tests/golden/real_files.json`` anew.
"""

import hashlib
import importlib.util
import json
import logging
import re
import shutil
import struct
import subprocess
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, get_frame
from pydicom.pixels.processing import apply_color_lut
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    JPEG2000,
    MPEG2MPML,
    UID,
    ComprehensiveSRStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from app.adapters.dicom import ReadLimits, read_instance
from app.adapters.dicom.codecs import DECODERS
from app.adapters.dicom.keywords import KEPT, STUDY_ATTRIBUTES
from app.core.errors import (
    DicomError,
    MissingAttribute,
    NotDicom,
    NotUltrasound,
    UndecodablePixels,
    UnsupportedTransferSyntax,
)
from app.core.values import DicomInstance, TissueBox, UltrasoundRegion, View, ViewTexts
from tests.factories import (
    PATIENT_NAME,
    VIEW_NAMES,
    Region,
    colour_chart,
    ct_instance,
    encoded,
    four_view_study,
    sector,
    truncated,
    uid,
    us_instance,
    written,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "real_files.json"
LOSSY = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"}
SMALL = colour_chart()
SMALL_GREY = SMALL[..., 0]


def names(syntax: str) -> str:
    return str(UID(syntax).name)


def refusal(data: bytes, error: type[DicomError], **limits: int) -> DicomError:
    with pytest.raises(error) as caught:
        read_instance(data, ReadLimits(**limits))
    assert type(caught.value) is error
    return caught.value


def difference(pixels: NDArray[Any], expected: NDArray[Any]) -> int:
    assert pixels.shape == expected.shape
    return int(np.abs(pixels.astype(int) - expected).max())


class TestReadInstance:
    def test_the_default_object_is_read(self) -> None:
        instance = read_instance(us_instance())
        assert instance.pixels.shape == (480, 640)
        assert instance.pixels.dtype == np.uint8
        assert instance.pixels.flags.c_contiguous
        assert instance.sop_instance_uid.startswith("2.25.")
        assert instance.study_instance_uid == uid("study", 1, 1)
        assert instance.transfer_syntax_uid == ExplicitVRLittleEndian
        assert (instance.frame_number, instance.number_of_frames) == (1, 1)
        assert instance.view_texts.image == (VIEW_NAMES[View.HEPATIC_VEINS],)
        assert instance.decoder == f"numpy {np.__version__}"
        assert instance.warnings == ()

    def test_the_same_bytes_give_the_same_pixels(self) -> None:
        data = us_instance(transfer_syntax=JPEGBaseline8Bit)
        assert np.array_equal(read_instance(data).pixels, read_instance(data).pixels)

    def test_four_views_of_one_study_are_read(self) -> None:
        instances = {view: read_instance(data) for view, data in four_view_study(rows=48, columns=64).items()}
        assert list(instances) == list(View)
        assert len({instance.study_instance_uid for instance in instances.values()}) == 1
        assert len({instance.sop_instance_uid for instance in instances.values()}) == 4

    @pytest.mark.parametrize("syntax", DECODERS, ids=names)
    def test_every_accepted_transfer_syntax_is_read(self, syntax: str) -> None:
        instance = read_instance(us_instance(pixels=SMALL_GREY, transfer_syntax=syntax))
        assert difference(instance.pixels, SMALL_GREY) <= (8 if syntax in LOSSY else 0)

    @pytest.mark.parametrize("syntax", DECODERS, ids=names)
    @pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
    def test_every_colour_comes_back_as_rgb(self, syntax: str, photometric: str) -> None:
        instance = read_instance(us_instance(pixels=SMALL, photometric=photometric, transfer_syntax=syntax))
        assert instance.pixels.shape == (64, 96, 3)
        assert difference(instance.pixels, SMALL) <= (12 if syntax in LOSSY else 4)

    @pytest.mark.parametrize(("photometric", "syntax"), [("YBR_RCT", JPEG2000Lossless), ("YBR_ICT", JPEG2000)])
    def test_the_colour_transformations_of_jpeg_2000_come_back_as_rgb(self, photometric: str, syntax: str) -> None:
        instance = read_instance(us_instance(pixels=SMALL, photometric=photometric, transfer_syntax=syntax))
        assert difference(instance.pixels, SMALL) <= (8 if syntax in LOSSY else 0)

    def test_monochrome1_is_inverted(self) -> None:
        instance = read_instance(us_instance(pixels=SMALL_GREY, photometric="MONOCHROME1"))
        assert np.array_equal(instance.pixels, 255 - SMALL_GREY)

    def test_colour_by_plane_is_read(self) -> None:
        planes = np.moveaxis(SMALL, -1, 0).tobytes()
        data = us_instance(pixels=SMALL, photometric="RGB", attributes={"PlanarConfiguration": 1, "PixelData": planes})
        assert np.array_equal(read_instance(data).pixels, SMALL)

    def test_an_odd_number_of_bytes_is_padded(self) -> None:
        grey = sector(49, 63)
        assert np.array_equal(read_instance(us_instance(pixels=grey)).pixels, grey)

    @pytest.mark.parametrize("frame", [1, 2, 3])
    def test_big_endian_words_of_two_samples_are_turned_round(self, frame: int) -> None:
        cine = np.stack([sector(49, 63, seed) for seed in range(3)])  # an odd frame begins in mid-word
        data = cine.tobytes() + b"\0"
        dataset = pydicom.dcmread(BytesIO(us_instance(pixels=cine, attributes={"RepresentativeFrameNumber": frame})))
        dataset["PixelData"].VR = "OW"
        dataset.PixelData = np.frombuffer(data, "<u2").byteswap().tobytes()
        instance = read_instance(written(dataset, ExplicitVRBigEndian))
        assert np.array_equal(instance.pixels, cine[frame - 1])


class TestFileMeta:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"DICM",
            b"\0" * 132,
            b"%PDF-1.7\n" + b"x" * 500,
            b"\x89PNG\r\n\x1a\n" + b"x" * 500,
            b"not a DICOM file, but a text " * 20,
            us_instance()[128:],
        ],
        ids=["empty", "prefix alone", "zeros", "PDF", "PNG", "text", "no preamble"],
    )
    def test_what_has_no_preamble_is_not_dicom(self, data: bytes) -> None:
        assert "128-byte preamble" in refusal(data, NotDicom).detail

    def test_an_end_right_after_the_prefix_is_a_missing_transfer_syntax(self) -> None:
        error = refusal(b"\0" * 128 + b"DICM", MissingAttribute)
        assert error.facts["missing_attributes"] == ["TransferSyntaxUID"]

    @pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, MPEG2MPML, HTJ2KLossless], ids=names)
    def test_other_transfer_syntaxes_are_named_and_refused(self, syntax: UID) -> None:
        error = refusal(_with_transfer_syntax(syntax), UnsupportedTransferSyntax)
        assert f"{syntax} ({syntax.name})" in error.detail
        assert error.detail.count(str(syntax)) == 1
        assert "Ask the archive for the image in Explicit VR Little Endian (1.2.840.10008.1.2.1)" in error.detail
        assert "JPEG 2000 Image Compression" in error.detail
        assert error.facts["accepted_transfer_syntaxes"] == list(DECODERS)

    def test_a_private_transfer_syntax_is_named_once(self) -> None:
        error = refusal(_with_transfer_syntax("1.2.3.4"), UnsupportedTransferSyntax)
        assert error.detail.count("1.2.3.4") == 1

    def test_a_deflated_bomb_is_refused_without_inflating_it(self) -> None:
        refusal(_with_transfer_syntax(DeflatedExplicitVRLittleEndian) + b"\0" * 1000, UnsupportedTransferSyntax)

    def test_a_transfer_syntax_that_is_no_uid_is_not_repeated(self) -> None:
        error = refusal(_with_transfer_syntax("Zebedee"), UnsupportedTransferSyntax)
        assert "Zebedee" not in error.detail


def _with_transfer_syntax(syntax: str) -> bytes:
    """A file meta group that claims a syntax, and nothing else."""
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    return b"\0" * 128 + b"DICM" + struct.pack("<HH2sH", 2, 0x10, b"UI", len(value)) + value


class TestUltrasound:
    @pytest.mark.parametrize("sop_class", ["6.1", "6", "3.1", "3"])
    def test_ultrasound_classes_are_read_the_retired_ones_too(self, sop_class: str) -> None:
        sop_class_uid = f"1.2.840.10008.5.1.4.1.1.{sop_class}"
        read_instance(us_instance(pixels=SMALL_GREY, attributes={"SOPClassUID": sop_class_uid}))

    def test_a_secondary_capture_of_modality_us_is_read(self) -> None:
        read_instance(us_instance(pixels=SMALL_GREY, attributes={"SOPClassUID": SecondaryCaptureImageStorage}))

    def test_a_secondary_capture_of_another_modality_is_refused(self) -> None:
        attributes = {"SOPClassUID": SecondaryCaptureImageStorage, "Modality": "OT"}
        error = refusal(us_instance(pixels=SMALL_GREY, attributes=attributes), NotUltrasound)
        assert "(0008,0060) Modality" in error.detail

    def test_a_ct_is_refused(self) -> None:
        assert "CT Image Storage" in refusal(ct_instance(), NotUltrasound).detail

    @pytest.mark.parametrize("sop_class", [ComprehensiveSRStorage, "1.2.840.10008.5.1.4.1.1.6.2"], ids=names)
    def test_reports_and_volumes_are_refused(self, sop_class: str) -> None:
        data = us_instance(pixels=SMALL_GREY, attributes={"SOPClassUID": sop_class})
        assert str(UID(sop_class).name) in refusal(data, NotUltrasound).detail

    def test_an_object_without_a_class_is_judged_by_its_file_meta(self) -> None:
        dataset = pydicom.dcmread(BytesIO(us_instance(pixels=SMALL_GREY)))
        del dataset.SOPClassUID
        error = refusal(written(dataset, ExplicitVRLittleEndian), MissingAttribute)
        assert error.facts["missing_attributes"] == ["SOPClassUID"]


class TestRequiredAttributes:
    REQUIRED = (
        "SOPInstanceUID",
        "StudyInstanceUID",
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "BitsAllocated",
        "BitsStored",
        "PixelRepresentation",
        "PhotometricInterpretation",
        "PixelData",
    )

    @pytest.mark.parametrize("keyword", REQUIRED)
    def test_each_is_asked_for_by_tag_and_name(self, keyword: str) -> None:
        error = refusal(us_instance(pixels=SMALL_GREY, without=[keyword]), MissingAttribute)
        assert error.facts["missing_attributes"] == [keyword]
        assert re.search(r"\([0-9A-F]{4},[0-9A-F]{4}\) [A-Z]", error.detail)

    def test_all_that_is_missing_is_said_at_once(self) -> None:
        error = refusal(us_instance(pixels=SMALL_GREY, without=self.REQUIRED), MissingAttribute)
        assert error.facts["missing_attributes"] == list(self.REQUIRED)
        assert "(0020,000D) Study Instance UID" in error.detail

    @pytest.mark.parametrize("text", ["", "1.2.abc", "1..2", "12", ".1.2", "1.2." + "3" * 61])
    def test_a_uid_that_is_none_counts_as_missing(self, text: str) -> None:
        data = _with_value(us_instance(pixels=SMALL_GREY), 0x0020000D, text.encode())
        error = refusal(data, MissingAttribute)
        assert error.facts["missing_attributes"] == ["StudyInstanceUID"]

    def test_an_empty_number_counts_as_missing(self) -> None:
        data = us_instance(pixels=SMALL_GREY, attributes={"BitsStored": None})
        assert refusal(data, MissingAttribute).facts["missing_attributes"] == ["BitsStored"]


def _with_value(data: bytes, tag: int, value: bytes) -> bytes:
    """Replace the value of a short explicit little endian element, valid or not."""
    at = data.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF))
    (length,) = struct.unpack_from("<H", data, at + 6)
    padded = value + b"\0" * (len(value) % 2)
    return data[: at + 6] + struct.pack("<H", len(padded)) + padded + data[at + 8 + length :]


class TestPixelDescription:
    @pytest.mark.parametrize(
        ("attributes", "attribute"),
        [
            ({"Rows": 0}, "(0028,0010) Rows"),
            ({"Columns": 9000}, "(0028,0011) Columns"),
            ({"SamplesPerPixel": 3}, "(0028,0002) Samples per Pixel"),
            ({"BitsAllocated": 32}, "(0028,0100) Bits Allocated"),
            ({"BitsStored": 9}, "(0028,0101) Bits Stored"),
            ({"BitsStored": 0}, "(0028,0101) Bits Stored"),
            ({"HighBit": 6}, "(0028,0102) High Bit"),
            ({"PixelRepresentation": 1}, "(0028,0103) Pixel Representation"),
            ({"PhotometricInterpretation": "HSV"}, "(0028,0004) Photometric Interpretation"),
            ({"PhotometricInterpretation": "YBR_PARTIAL_420"}, "(0028,0004) Photometric Interpretation"),
            ({"PlanarConfiguration": 2}, "(0028,0006) Planar Configuration"),
            ({"NumberOfFrames": -1}, "(0028,0008) Number of Frames"),
            ({"NumberOfFrames": 99_999}, "(0028,0008) Number of Frames"),
        ],
        ids=str,
    )
    def test_what_ultrasound_does_not_allow_is_refused_by_name(
        self, attributes: dict[str, object], attribute: str
    ) -> None:
        data = us_instance(pixels=SMALL_GREY, attributes=attributes)
        assert attribute in refusal(data, UndecodablePixels).detail

    def test_16_bit_colour_is_refused(self) -> None:
        data = us_instance(pixels=SMALL.astype(np.uint16), photometric="RGB", bits_stored=16)
        assert "(0028,0100) Bits Allocated" in refusal(data, UndecodablePixels).detail

    def test_all_that_is_wrong_is_said_at_once(self) -> None:
        data = us_instance(pixels=SMALL_GREY, attributes={"Rows": 0, "PixelRepresentation": 1})
        detail = refusal(data, UndecodablePixels).detail
        assert "Rows" in detail
        assert "Pixel Representation" in detail

    def test_a_frame_larger_than_the_limit_is_refused(self) -> None:
        refusal(us_instance(pixels=SMALL_GREY), UndecodablePixels, max_decoded_bytes=64 * 96 - 1)
        read_instance(us_instance(pixels=SMALL_GREY), ReadLimits(max_decoded_bytes=64 * 96))

    def test_an_odd_width_is_fine_where_a_codec_shares_the_chroma(self) -> None:
        odd = colour_chart(63, 95)
        data = us_instance(pixels=odd, photometric="YBR_FULL_422", transfer_syntax=JPEGBaseline8Bit)
        assert difference(read_instance(data).pixels, odd) <= 6

    def test_an_odd_width_cannot_share_chroma_without_one(self) -> None:
        data = us_instance(pixels=SMALL, photometric="YBR_FULL_422", attributes={"Columns": 95})
        assert "(0028,0011) Columns" in refusal(data, UndecodablePixels).detail

    def test_more_pixels_than_data_are_refused(self) -> None:
        data = us_instance(pixels=SMALL_GREY, attributes={"Rows": 65})
        assert "(7FE0,0010) Pixel Data" in refusal(data, UndecodablePixels).detail

    def test_chroma_that_is_not_shared_though_said_to_be_is_refused(self) -> None:
        data = us_instance(
            pixels=SMALL, photometric="YBR_FULL", attributes={"PhotometricInterpretation": "YBR_FULL_422"}
        )
        refusal(data, UndecodablePixels)

    def test_native_data_under_a_compressed_syntax_is_refused(self) -> None:
        data = us_instance(pixels=SMALL_GREY)
        swapped = _with_value(data, 0x00020010, JPEGBaseline8Bit.encode())
        assert "encapsulated" in refusal(swapped, UndecodablePixels).detail

    def test_compressed_data_under_a_native_syntax_is_refused(self) -> None:
        data = us_instance(pixels=SMALL_GREY, transfer_syntax=JPEGBaseline8Bit)
        swapped = _with_value(data, 0x00020010, ExplicitVRLittleEndian.encode())
        assert "encapsulated" in refusal(swapped, UndecodablePixels).detail


class TestDamage:
    @pytest.mark.parametrize("syntax", DECODERS, ids=names)
    @pytest.mark.parametrize("keep", [0.05, 0.3, 0.9, 0.999])
    def test_a_file_that_is_cut_short_is_refused(self, syntax: str, keep: float) -> None:
        data = us_instance(rows=96, columns=128, transfer_syntax=syntax)
        with pytest.raises(DicomError):
            read_instance(truncated(data, keep))

    def test_the_sender_is_told_to_send_the_whole_file(self) -> None:
        assert "cut short" in refusal(truncated(us_instance()), UndecodablePixels).detail

    def test_millions_of_tiny_elements_are_refused(self) -> None:
        padding = b"".join(struct.pack("<HH2sH", 9, i % 0xFFFF, b"LO", 0) for i in range(1, 20_000))
        data = us_instance(pixels=SMALL_GREY)
        at = data.index(struct.pack("<HH", 0x0010, 0x0010))
        bomb = data[:at] + padding + data[at:]
        read_instance(bomb)
        assert "data elements" in refusal(bomb, NotDicom, max_reads=10_000).detail

    def test_sequences_nested_without_end_are_refused(self) -> None:
        level = struct.pack("<HH2sHL", 9, 1, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
        data = us_instance(pixels=SMALL_GREY)
        at = data.index(struct.pack("<HH", 0x0010, 0x0010))
        refusal(data[:at] + level * 5000 + data[at:], NotDicom)

    @settings(max_examples=150, deadline=None)
    @given(
        syntax=st.sampled_from(sorted(DECODERS)),
        edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    )
    def test_any_bytes_changed_are_read_or_refused_and_nothing_else(
        self, syntax: str, edits: list[tuple[float, int]]
    ) -> None:
        data = bytearray(FUZZ_SEEDS[syntax])
        for place, value in edits:
            data[132 + int(place * (len(data) - 132))] = value
        with suppress(DicomError):  # a refusal is as good; anything else fails
            assert read_instance(bytes(data)).pixels.dtype == np.uint8

    @given(st.binary(max_size=300))
    def test_any_bytes_behind_the_prefix_are_refused(self, noise: bytes) -> None:
        with pytest.raises(DicomError):
            read_instance(b"\0" * 128 + b"DICM" + noise)


FUZZ_SEEDS = {syntax: us_instance(pixels=SMALL_GREY, transfer_syntax=syntax) for syntax in DECODERS}


class TestFrames:
    CINE = np.stack([np.full((16, 24), 10 * (i + 1), np.uint8) for i in range(5)])

    @pytest.mark.parametrize(("frames", "chosen"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless], ids=names)
    def test_the_middle_frame_is_used(self, frames: int, chosen: int, syntax: str) -> None:
        instance = read_instance(us_instance(pixels=self.CINE[:frames], transfer_syntax=syntax))
        assert (instance.frame_number, instance.number_of_frames) == (chosen, frames)
        assert np.unique(instance.pixels).tolist() == [10 * chosen]

    def test_the_reader_says_so(self) -> None:
        (warning,) = read_instance(us_instance(pixels=self.CINE)).warnings
        assert (warning.code, warning.detail) == ("multi_frame", "Frame 3 of 5 was used.")

    @pytest.mark.parametrize(("representative", "chosen"), [(1, 1), (5, 5), (0, 3), (6, 3)])
    def test_a_valid_representative_frame_is_used_instead(self, representative: int, chosen: int) -> None:
        data = us_instance(pixels=self.CINE, attributes={"RepresentativeFrameNumber": representative})
        assert read_instance(data).frame_number == chosen

    @pytest.mark.parametrize("table", ["basic", "empty", "extended", "fragments"])
    @pytest.mark.parametrize("frame", [1, 3, 5])
    def test_the_frame_is_found_by_each_kind_of_table(self, table: str, frame: int) -> None:
        streams = [encoded(one, "MONOCHROME2", JPEGLSLossless) for one in self.CINE]
        data = self.encapsulated(streams, table, {"RepresentativeFrameNumber": frame})
        assert np.unique(read_instance(data).pixels).tolist() == [10 * frame]

    def encapsulated(self, streams: list[bytes], table: str, attributes: dict[str, object]) -> bytes:
        if table == "extended":
            value, offsets, lengths = encapsulate_extended(streams)
            attributes |= {"ExtendedOffsetTable": offsets, "ExtendedOffsetTableLengths": lengths}
        else:
            value = encapsulate(streams, fragments_per_frame=2 if table == "fragments" else 1, has_bot=table == "basic")
        attributes["PixelData"] = value
        return us_instance(pixels=self.CINE, transfer_syntax=JPEGLSLossless, codestreams=streams, attributes=attributes)

    def test_the_other_frames_are_not_decoded(self) -> None:
        streams = [b"\0\0", encoded(self.CINE[1], "MONOCHROME2", JPEGLSLossless), b"\0\0"]
        data = us_instance(pixels=self.CINE[:3], transfer_syntax=JPEGLSLossless, codestreams=streams)
        assert read_instance(data).frame_number == 2

    def test_fewer_frames_than_said_are_refused(self) -> None:
        data = us_instance(pixels=self.CINE, transfer_syntax=RLELossless, attributes={"NumberOfFrames": 50})
        assert "(0028,0008) Number of Frames" in refusal(data, UndecodablePixels).detail
        refusal(us_instance(pixels=self.CINE, attributes={"NumberOfFrames": 6}), UndecodablePixels)

    def test_an_object_that_does_not_count_has_one_frame(self) -> None:
        data = us_instance(pixels=self.CINE[0], attributes={"NumberOfFrames": None})
        assert read_instance(data).number_of_frames == 1


class TestGreyLevels:
    RAMP = np.linspace(0, 4095, 64 * 96).reshape(64, 96).astype(np.uint16)

    @pytest.mark.parametrize("syntax", [*DECODERS], ids=names)
    def test_12_bits_without_a_window_span_black_to_white(self, syntax: str) -> None:
        if syntax == JPEGBaseline8Bit:
            return  # holds 8 bits only
        instance = read_instance(us_instance(pixels=self.RAMP, bits_stored=12, transfer_syntax=syntax))
        assert difference(instance.pixels, np.rint(self.RAMP / 4095 * 255)) <= (2 if syntax in LOSSY else 1)

    def test_a_window_is_applied_whatever_the_depth(self) -> None:
        window: dict[str, object] = {"WindowCenter": 100, "WindowWidth": 51}
        instance = read_instance(us_instance(pixels=SMALL_GREY, attributes=window))
        assert (instance.pixels[SMALL_GREY <= 74] == 0).all()
        assert (instance.pixels[SMALL_GREY >= 125] == 255).all()

    def test_the_first_of_several_windows_is_applied(self) -> None:
        one = us_instance(pixels=SMALL_GREY, attributes={"WindowCenter": 100, "WindowWidth": 51})
        two = us_instance(pixels=SMALL_GREY, attributes={"WindowCenter": [100, 9], "WindowWidth": [51, 2]})
        assert np.array_equal(read_instance(one).pixels, read_instance(two).pixels)

    def test_a_window_of_no_width_is_ignored_with_a_warning(self) -> None:
        instance = read_instance(us_instance(pixels=SMALL_GREY, attributes={"WindowCenter": 10, "WindowWidth": 0}))
        assert np.array_equal(instance.pixels, SMALL_GREY)
        assert [warning.code for warning in instance.warnings] == ["window_ignored"]

    def test_a_window_is_not_applied_to_colour(self) -> None:
        window: dict[str, object] = {"WindowCenter": 10, "WindowWidth": 5}
        data = us_instance(pixels=SMALL, photometric="RGB", attributes=window)
        assert np.array_equal(read_instance(data).pixels, SMALL)

    def test_slope_and_intercept_come_before_the_window(self) -> None:
        plain = us_instance(pixels=SMALL_GREY, attributes={"WindowCenter": 100, "WindowWidth": 101})
        moved: dict[str, object] = {"WindowCenter": 1100, "WindowWidth": 101}
        moved |= {"RescaleSlope": 1, "RescaleIntercept": 1000}
        shifted = us_instance(pixels=SMALL_GREY, attributes=moved)
        assert np.array_equal(read_instance(plain).pixels, read_instance(shifted).pixels)

    @pytest.mark.parametrize(("slope", "intercept"), [(0, 5), (1e300, 0), (1, 1e300)])
    def test_a_slope_that_makes_no_sense_is_ignored(self, slope: float, intercept: float) -> None:
        attributes = {"RescaleSlope": slope, "RescaleIntercept": intercept}
        assert np.array_equal(read_instance(us_instance(pixels=SMALL_GREY, attributes=attributes)).pixels, SMALL_GREY)

    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=names)
    @pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
    def test_a_look_up_table_is_applied(self, syntax: str, sequence: str) -> None:
        table = Dataset()
        table.add_new("LUTDescriptor", "US", [256, 0, 16])
        table.add_new("LUTData", "US", [int(i) * 257 for i in range(255, -1, -1)])
        table.ModalityLUTType = "US"
        data = us_instance(pixels=SMALL_GREY, transfer_syntax=syntax, attributes={sequence: Items([table])})
        assert np.array_equal(read_instance(data).pixels, 255 - SMALL_GREY)


class TestPalette:
    INDICES = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96) % 256

    def read(self, size: int, bits: int, data: Callable[[NDArray[np.uint16]], bytes], **more: object) -> NDArray[Any]:
        ramp = np.arange(size, dtype=np.uint16)
        attributes: dict[str, object] = {
            f"{colour}PaletteColorLookupTableDescriptor": [size, 0, bits] for colour in ("Red", "Green", "Blue")
        }
        attributes |= {
            f"{colour}PaletteColorLookupTableData": data(values)
            for colour, values in (("Red", ramp), ("Green", ramp[::-1]), ("Blue", ramp // 2))
        }
        indices = self.INDICES.astype(np.uint8)
        return read_instance(us_instance(pixels=indices, photometric="PALETTE COLOR", attributes=attributes)).pixels

    @property
    def expected(self) -> NDArray[Any]:
        return np.stack((self.INDICES, 255 - self.INDICES, self.INDICES // 2), axis=-1)

    def test_16_bit_entries_show_their_high_byte(self) -> None:
        assert np.array_equal(self.read(256, 16, lambda ramp: (ramp * 257).astype("<u2").tobytes()), self.expected)

    def test_8_bit_entries_are_read_one_in_a_byte(self) -> None:
        assert np.array_equal(self.read(256, 8, lambda ramp: ramp.astype(np.uint8).tobytes()), self.expected)

    def test_8_bit_entries_are_read_one_in_a_word(self) -> None:
        assert np.array_equal(self.read(256, 8, lambda ramp: ramp.astype("<u2").tobytes()), self.expected)

    def test_16_bit_entries_that_hold_8_bits_are_not_shown_black(self) -> None:
        assert np.array_equal(self.read(256, 16, lambda ramp: ramp.astype("<u2").tobytes()), self.expected)

    def test_indices_outside_the_table_take_its_ends(self) -> None:
        pixels = self.read(200, 8, lambda ramp: ramp.astype("<u2").tobytes())
        assert pixels[self.INDICES == 250].tolist() == [[199, 0, 99]] * int((self.INDICES == 250).sum())

    def test_a_table_shorter_than_it_says_is_refused(self) -> None:
        with pytest.raises(UndecodablePixels, match="look-up table"):
            self.read(256, 8, lambda ramp: b"\0" * 100)

    def test_a_palette_without_tables_asks_for_them(self) -> None:
        keywords = ["BluePaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableData"]
        data = us_instance(pixels=SMALL_GREY, photometric="PALETTE COLOR", without=keywords)
        error = refusal(data, MissingAttribute)
        assert error.facts["missing_attributes"] == keywords

    @pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless], ids=names)
    def test_a_palette_reads_the_same_in_every_syntax(self, syntax: str) -> None:
        plain = us_instance(pixels=SMALL_GREY, photometric="PALETTE COLOR")
        other = us_instance(pixels=SMALL_GREY, photometric="PALETTE COLOR", transfer_syntax=syntax)
        assert np.array_equal(read_instance(plain).pixels, read_instance(other).pixels)


class TestRegions:
    def test_the_inclusive_maximum_becomes_half_open(self) -> None:
        regions = [Region(10, 20, 89, 59), Region(0, 0, 5, 5, 4, 10)]
        instance = read_instance(us_instance(pixels=SMALL_GREY, regions=regions))
        assert instance.regions == (
            UltrasoundRegion(TissueBox(10, 20, 90, 60), 1, 1),
            UltrasoundRegion(TissueBox(0, 0, 6, 6), 4, 10),
        )

    def test_boxes_larger_than_the_picture_are_kept_as_written(self) -> None:
        (region,) = read_instance(us_instance(pixels=SMALL_GREY, regions=[Region(0, 0, 5000, 5000)])).regions
        assert region.box == TissueBox(0, 0, 5001, 5001)

    def test_a_damaged_item_is_skipped(self) -> None:
        dataset = pydicom.dcmread(BytesIO(us_instance(pixels=SMALL_GREY, regions=[Region(1, 2, 3, 4)] * 3)))
        del dataset.SequenceOfUltrasoundRegions[0].RegionLocationMinX0
        dataset.SequenceOfUltrasoundRegions[1].RegionLocationMaxX1 = 0
        assert len(read_instance(written(dataset, ExplicitVRLittleEndian)).regions) == 1

    def test_no_regions_are_no_mistake(self) -> None:
        assert read_instance(us_instance(pixels=SMALL_GREY)).regions == ()

    def test_no_more_than_the_limit_are_read(self) -> None:
        data = us_instance(pixels=SMALL_GREY, regions=[Region(1, 2, 3, 4)] * 100)
        assert len(read_instance(data).regions) == 64


class TestViewTexts:
    def code(self, meaning: str, scheme: str = "99X", value: str = "1") -> Items:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
        return Items([item])

    def test_those_of_the_image_come_in_the_order_in_which_they_tell(self) -> None:
        attributes = {
            "AnatomicRegionSequence": self.code("eight"),
            "PrimaryAnatomicStructureSequence": self.code("seven"),
            "AcquisitionProtocolDescription": "six",
            "ImageComments": "five",
            "StageCodeSequence": self.code("four"),
            "StageName": "three",
            "ViewName": "two",
            "ViewCodeSequence": self.code("one"),
        }
        texts = read_instance(us_instance(view=None, pixels=SMALL_GREY, attributes=attributes)).view_texts
        assert texts.image == ("one", "two", "three", "four", "five", "six", "seven", "eight")
        assert texts.examination == {}

    def test_those_of_the_examination_are_kept_apart_by_attribute(self) -> None:
        attributes = {
            "ProtocolName": "a",
            "PerformedProtocolCodeSequence": self.code("b"),
            "AcquisitionProtocolName": "c",
            "SeriesDescription": "d",
            "PerformedProcedureStepDescription": "e",
            "StudyDescription": "f",
        }
        texts = read_instance(us_instance(view=None, pixels=SMALL_GREY, attributes=attributes)).view_texts
        assert texts.image == ()
        assert dict(texts.examination) == {
            "ProtocolName": "a",
            "PerformedProtocolCodeSequence": "b",
            "AcquisitionProtocolName": "c",
            "SeriesDescription": "d",
            "PerformedProcedureStepDescription": "e",
        }

    @pytest.mark.parametrize(
        ("scheme", "value", "view"),
        [
            ("SCT", "8993003", View.HEPATIC_VEINS),
            ("SRT", "T-48813", View.RIGHT_PORTAL_VEIN),
            ("SCT", "32764006", None),  # the portal vein as a whole
            ("SCT", "10200004", None),  # liver
            ("99X", "8993003", None),
        ],
    )
    def test_a_code_names_a_view_in_any_language(self, scheme: str, value: str, view: View | None) -> None:
        attributes = {"ViewCodeSequence": self.code("Lebervene", scheme, value)}
        texts = read_instance(us_instance(view=None, pixels=SMALL_GREY, attributes=attributes)).view_texts
        assert [text for text in texts.image if isinstance(text, View)] == ([view] if view else [])
        assert "Lebervene" in texts.image

    @pytest.mark.parametrize("sequence", ["ViewCode", "AnatomicRegion", "PrimaryAnatomicStructure"])
    def test_modifiers_belong_to_their_code(self, sequence: str) -> None:
        item = self.code("Right main branch of portal vein", "SCT", "73931004")[0]
        modifier = {"ViewCode": "ViewModifierCode"}.get(sequence, f"{sequence}Modifier")
        setattr(item, f"{modifier}Sequence", self.code("Posterior"))
        attributes = {f"{sequence}Sequence": Items([item])}
        texts = read_instance(us_instance(view=None, pixels=SMALL_GREY, attributes=attributes)).view_texts
        assert texts.image == ("Right main branch of portal vein Posterior",)

    @pytest.mark.parametrize(
        ("attributes", "text"),
        [
            ({"ImageLaterality": "R"}, "Portal vein right"),
            ({"Laterality": "L"}, "Portal vein left"),
            ({"ImageLaterality": "R", "Laterality": "L"}, "Portal vein right"),
            ({"ImageLaterality": "U"}, "Portal vein"),
        ],
    )
    def test_a_side_belongs_to_the_anatomic_region(self, attributes: dict[str, object], text: str) -> None:
        region = {"AnatomicRegionSequence": self.code("Portal vein")}
        instance = read_instance(us_instance(view=None, pixels=SMALL_GREY, attributes=region | attributes))
        assert instance.view_texts.image == (text,)

    def test_empty_ones_are_left_out(self) -> None:
        empty = {"ViewName": "", "ImageComments": " \n ", "ProtocolName": " "}
        assert read_instance(us_instance(view=None, pixels=SMALL_GREY, attributes=empty)).view_texts == ViewTexts()

    def test_each_is_one_line_of_bounded_length(self) -> None:
        data = us_instance(view=None, pixels=SMALL_GREY, attributes={"ImageComments": "a\r\n b " * 500})
        (text,) = read_instance(data).view_texts.image
        assert text.startswith("a b a b")
        assert len(text) == 256

    @pytest.mark.parametrize("charset", ["ISO_IR 192", "ISO_IR 100"])
    def test_letters_of_other_languages_are_read(self, charset: str) -> None:
        attributes = {"SpecificCharacterSet": charset, "ImageComments": "Léber Überblick"}
        data = us_instance(view=None, pixels=SMALL_GREY, attributes=attributes)
        assert read_instance(data).view_texts.image == ("Léber Überblick",)

    def test_an_unknown_character_set_does_not_stop_the_reading(self) -> None:
        data = us_instance(pixels=SMALL_GREY).replace(b"ISO_IR 192", b"ISO_IR 999")
        assert read_instance(data).view_texts.image == (VIEW_NAMES[View.HEPATIC_VEINS],)


class TestOrigin:
    def test_holds_what_result_objects_repeat(self) -> None:
        extra = {"AcquisitionDateTime": "20240102030405.5", "InstanceNumber": 7}
        origin = read_instance(us_instance(pixels=SMALL_GREY, attributes=extra)).origin
        assert (origin.instance_number, origin.taken_at) == (7, "20240102030405.5")
        assert origin.sop_class_uid == "1.2.840.10008.5.1.4.1.1.6.1"
        assert origin.study["PatientName"] == PATIENT_NAME
        assert "ReferringPhysicianName" not in origin.study  # it has no value

    def test_time_needs_its_date(self) -> None:
        times = {"AcquisitionTime": "030405", "ContentDate": "20240103", "ContentTime": "040506"}
        assert read_instance(us_instance(pixels=SMALL_GREY, attributes=times)).origin.taken_at == "20240103040506"

    def test_an_object_that_says_nothing_is_no_error(self) -> None:
        nothing = dict.fromkeys(("PatientName", "PatientID", "InstanceNumber", "StudyDate", "SeriesInstanceUID"), None)
        origin = read_instance(us_instance(pixels=SMALL_GREY, attributes=nothing)).origin
        assert (origin.instance_number, origin.taken_at, origin.series_instance_uid) == (None, "", "")
        assert "PatientName" not in origin.study

    def test_patient_attributes_are_kept_nowhere_else(self) -> None:
        tags = {keyword: tag_for_keyword(keyword) or 0 for keyword in KEPT}
        assert {keyword for keyword, tag in tags.items() if tag >> 16 == 0x0010} <= set(STUDY_ATTRIBUTES)

    def test_no_patient_attribute_is_printed(self) -> None:
        instance = read_instance(us_instance(pixels=SMALL_GREY))
        assert PATIENT_NAME not in repr(instance)


class TestSilence:
    """pydicom's warnings quote what it reads: none may leave the reader, in any thread."""

    NOISY = us_instance(pixels=SMALL_GREY).replace(b"ISO_IR 192", b"ISO_IR 999")

    def test_pydicom_itself_is_noisy_about_this_object(self, caplog: pytest.LogCaptureFixture) -> None:
        with pytest.warns(UserWarning, match="Unknown encoding"):
            str(pydicom.dcmread(BytesIO(self.NOISY)).ImageComments)
        assert caplog.records

    def test_the_reader_is_not(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            read_instance(self.NOISY)
        assert not caught
        assert not caplog.records

    def test_many_threads_at_once_leave_the_filters_as_they_were(self) -> None:
        before = list(warnings.filters), list(logging.getLogger("pydicom").filters)
        with ThreadPoolExecutor(8) as pool:
            instances = list(pool.map(read_instance, [self.NOISY] * 64))
        assert all(np.array_equal(instance.pixels, SMALL_GREY) for instance in instances)
        assert (list(warnings.filters), list(logging.getLogger("pydicom").filters)) == before


class TestRefusals:
    def test_no_message_repeats_what_the_object_says(self) -> None:
        secret = "Zebedee"
        hostile: tuple[Mapping[str, object], ...] = (
            {"PhotometricInterpretation": secret},
            {"Modality": secret, "SOPClassUID": SecondaryCaptureImageStorage},
        )
        for attributes in hostile:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom dislikes these values as they are written
                data = us_instance(pixels=SMALL_GREY, attributes=attributes)
            with pytest.raises(DicomError) as caught:
                read_instance(data)
            assert secret not in caught.value.detail

    def test_the_cause_is_kept(self) -> None:
        error = refusal(
            us_instance(pixels=SMALL_GREY, transfer_syntax=RLELossless, codestreams=[b"\0" * 80]), UndecodablePixels
        )
        assert error.__cause__ is not None or "RLE" in error.detail


# --- real files ------------------------------------------------------------------------------------------------


def real_files() -> dict[str, Path]:
    """The files that come with pydicom and pydicom-data, by name."""
    roots = [Path(pydicom.__file__).parent / "data" / "test_files"]
    extra = importlib.util.find_spec("data_store")
    if extra is not None and extra.origin is not None:
        roots.append(Path(extra.origin).parent / "data")
    return {path.name: path for root in roots for path in sorted(root.glob("*.dcm"))}


def real_bytes(name: str) -> bytes:
    path = real_files().get(name)
    if path is None:
        pytest.skip(f"{name} is not here: pip install pydicom-data")
    return path.read_bytes()


def golden_entry(data: bytes) -> dict[str, Any]:
    """What the golden table says of one file."""
    try:
        instance = read_instance(data)
    except DicomError as error:
        return {"refused": error.code}
    dataset = pydicom.dcmread(BytesIO(data), stop_before_pixels=True)
    entry = {
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "photometric": dataset.PhotometricInterpretation,
        "rows": instance.pixels.shape[0],
        "columns": instance.pixels.shape[1],
        "channels": instance.pixels.shape[2] if instance.pixels.ndim == 3 else 1,
        "frame_number": instance.frame_number,
        "number_of_frames": instance.number_of_frames,
        "regions": len(instance.regions),
        "mean": np.atleast_1d(instance.pixels.mean(axis=(0, 1)).round(3)).tolist(),
    }
    if instance.transfer_syntax_uid not in LOSSY:
        entry["sha256"] = hashlib.sha256(instance.pixels.tobytes()).hexdigest()
    return entry


def write_golden() -> None:
    refused = {"CT_small.dcm", "MR_small.dcm", "image_dfl.dcm", "no_meta.dcm", "reportsi.dcm", "rtplan_truncated.dcm"}
    refused |= {"meta_missing_tsyntax.dcm", "empty_charset_LEI.dcm", "ExplVR_LitEndNoMeta.dcm"}
    entries = {name: golden_entry(path.read_bytes()) for name, path in sorted(real_files().items())}
    kept = {name: entry for name, entry in entries.items() if "refused" not in entry or name in refused}
    table = {
        "command": "python -m tests.unit.adapters.test_dicom_reader",
        "tolerance": "sha256 of the uint8 pixels for lossless files; means of lossy ones within 0.25",
        "files": kept,
    }
    GOLDEN.write_text(json.dumps(table, indent=1) + "\n")


def golden_files() -> dict[str, dict[str, Any]]:
    files: dict[str, dict[str, Any]] = json.loads(GOLDEN.read_text())["files"] if GOLDEN.exists() else {}
    return files


class TestRealFiles:
    @pytest.mark.parametrize("name", golden_files())
    def test_each_reads_as_the_golden_table_says(self, name: str) -> None:
        expected = dict(golden_files()[name])
        entry = golden_entry(real_bytes(name))
        assert entry.pop("mean", None) == pytest.approx(expected.pop("mean", None), abs=0.25)
        assert entry == expected

    def test_the_table_holds_21_ultrasound_images(self) -> None:
        assert sum("refused" not in entry for entry in golden_files().values()) == 21

    def test_reversible_jpeg_2000_equals_its_uncompressed_original(self) -> None:
        original, compressed = read_instance(real_bytes("US1_UNCR.dcm")), read_instance(real_bytes("US1_J2KR.dcm"))
        assert np.array_equal(original.pixels, compressed.pixels)

    def test_irreversible_jpeg_2000_equals_its_decompressed_copy(self) -> None:
        original, compressed = read_instance(real_bytes("US1_UNCI.dcm")), read_instance(real_bytes("US1_J2KI.dcm"))
        assert difference(original.pixels, compressed.pixels) <= 1

    @pytest.mark.parametrize("name", ["US1_J2KR.dcm", "US1_J2KI.dcm", "examples_jpeg2k.dcm"])
    def test_jpeg_2000_equals_pillow(self, name: str) -> None:
        data = real_bytes(name)
        stream = get_frame(pydicom.dcmread(BytesIO(data)).PixelData, 0, number_of_frames=1)
        with Image.open(BytesIO(stream)) as image:
            assert difference(read_instance(data).pixels, np.asarray(image)) <= 1

    @pytest.mark.parametrize("name", ["gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm"])
    def test_a_segmented_palette_equals_pydicom(self, name: str) -> None:
        data = real_bytes(name)
        dataset = pydicom.dcmread(BytesIO(data))
        order = "<u2" if dataset.original_encoding[1] else ">u2"
        indices = np.frombuffer(dataset.PixelData, order).reshape(dataset.Rows, dataset.Columns)
        expected = apply_color_lut(indices.astype(np.uint16), dataset)
        assert difference(read_instance(data).pixels, expected >> 8) == 0


# --- dcmtk, the independent decoder -----------------------------------------------------------------------------


DCMTK_RECIPES: Mapping[str, tuple[str, ...]] = {
    "implicit": ("dcmconv", "+ti"),
    "big endian": ("dcmconv", "+tb"),
    "RLE": ("dcmcrle",),
    "JPEG baseline": ("dcmcjpeg", "+eb"),
    "JPEG baseline, full chroma": ("dcmcjpeg", "+eb", "+s4"),
    "JPEG baseline, RGB inside": ("dcmcjpeg", "+eb", "+cr"),
    "JPEG extended": ("dcmcjpeg", "+ee"),
    "JPEG lossless": ("dcmcjpeg", "+el", "+sv", "6"),
    "JPEG lossless SV1": ("dcmcjpeg", "+e1"),
    "JPEG lossless in fragments, empty table": ("dcmcjpeg", "+e1", "+fs", "1", "-ot"),
    "JPEG-LS by line": ("dcmcjpls", "+el", "+il"),
    "JPEG-LS by sample": ("dcmcjpls", "+el", "+is"),
    "JPEG-LS by plane": ("dcmcjpls", "+el", "+in"),
    "JPEG-LS, near lossless": ("dcmcjpls", "+en"),
}


@pytest.mark.real
class TestAgainstDcmtk:
    """Files that dcmtk wrote, and every real one it can draw, equal what dcmtk draws."""

    DRAWN = (
        *("ExplVR_BigEnd", "examples_palette", "examples_rgb_color", "examples_ybr_color", "color-pl", "color-px"),
        *("OBXXXX1A", "OBXXXX1A_2frame", "OBXXXX1A_expb", "OBXXXX1A_expb_2frame", "OBXXXX1A_rle"),
        *("OBXXXX1A_rle_2frame", "US1_UNCI", "US1_UNCR", "color3d_jpeg_baseline", "JPGLosslessP14SV1_1s_1f_8b"),
    )

    def run(self, folder: Path, data: bytes, *command: str) -> bytes:
        """Pass bytes through a tool of dcmtk."""
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed: apt-get install dcmtk")
        source, target = folder / "in", folder / "out"
        source.write_bytes(data)
        target.unlink(missing_ok=True)
        subprocess.run([*command, str(source), str(target)], check=True, capture_output=True, timeout=60)
        return target.read_bytes()

    def drawn(self, folder: Path, data: bytes, instance: DicomInstance) -> NDArray[Any]:
        """Let dcmtk draw the frame that the reader chose, through the first window if there is one."""
        if "jpegls" in instance.decoder:
            data = self.run(folder, data, "dcmdjpls")
        window = ["+Wi", "1"] if "WindowCenter" in pydicom.dcmread(BytesIO(data), stop_before_pixels=True) else []
        picture = self.run(folder, data, "dcmj2pnm", "+F", str(instance.frame_number), *window)
        with Image.open(BytesIO(picture)) as image:
            return np.asarray(image)

    @pytest.mark.parametrize("name", DRAWN)
    def test_real_files_look_the_same(self, tmp_path: Path, name: str) -> None:
        data = real_bytes(f"{name}.dcm")
        instance = read_instance(data)
        rounding = 1 if name.startswith("JPGLossless") else 0  # dcmtk cuts where a window is rounded
        assert difference(instance.pixels, self.drawn(tmp_path, data, instance)) <= rounding

    # indices do not survive a lossy codec: dcmtk refuses, or draws the colours first
    @pytest.mark.parametrize(
        ("recipe", "photometric"),
        [
            (recipe, photometric)
            for recipe in DCMTK_RECIPES
            for photometric in ("MONOCHROME2", "MONOCHROME1", "RGB", "PALETTE COLOR")
            if photometric != "PALETTE COLOR" or not re.search("baseline|extended|near", recipe)
        ],
    )
    def test_what_dcmtk_writes_looks_the_same(self, tmp_path: Path, recipe: str, photometric: str) -> None:
        pixels = SMALL if photometric == "RGB" else SMALL_GREY
        data = self.run(tmp_path, us_instance(pixels=pixels, photometric=photometric), *DCMTK_RECIPES[recipe])
        instance = read_instance(data)
        assert difference(instance.pixels, self.drawn(tmp_path, data, instance)) <= 2

    @pytest.mark.parametrize("recipe", ["RLE", "JPEG extended", "JPEG lossless", "JPEG-LS by line", "big endian"])
    def test_12_bits_come_back_as_dcmtk_reads_them(self, tmp_path: Path, recipe: str) -> None:
        native = us_instance(pixels=TestGreyLevels.RAMP, bits_stored=12)
        data = self.run(tmp_path, native, *DCMTK_RECIPES[recipe])
        assert difference(read_instance(data).pixels, read_instance(native).pixels) <= 1

    @pytest.mark.parametrize("recipe", ["RLE", "JPEG lossless in fragments, empty table", "JPEG-LS by line"])
    def test_the_chosen_frame_of_a_cine_looks_the_same(self, tmp_path: Path, recipe: str) -> None:
        native = us_instance(rows=96, columns=128, frames=4)
        data = self.run(tmp_path, native, *DCMTK_RECIPES[recipe])
        assert np.array_equal(read_instance(data).pixels, read_instance(native).pixels)


if __name__ == "__main__":
    write_golden()
