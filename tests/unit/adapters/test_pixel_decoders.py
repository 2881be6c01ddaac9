"""The codecs, each against pixels that somebody else compressed, and against streams that lie."""

import re
import struct
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from app.adapters.dicom.codecs import DECODERS, decode_frame
from app.adapters.dicom.display import to_rgb
from app.adapters.dicom.grey_scale import Window, grey_scale
from app.adapters.dicom.lookup import LookupTable
from app.adapters.dicom.palette import expand_segments
from app.adapters.dicom.pixel_format import PixelFormat
from app.core.errors import UndecodablePixels
from tests import factories
from tests.factories import ENCODERS, colour_chart, encoded, without_marker

LOSSLESS = [uid for uid in ENCODERS if re.search("(?<!Near-)Lossless", UID(uid).name)]
GREY = PixelFormat(64, 96, 1, 8, 8, "MONOCHROME2")
COLOUR = PixelFormat(64, 96, 3, 8, 8, "RGB")


def names(uid: str) -> str:
    return str(UID(uid).name)


def with_adobe_marker(stream: bytes, transform: int) -> bytes:
    segment = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)
    return stream[:2] + struct.pack(">BBH", 0xFF, 0xEE, len(segment) + 2) + segment + stream[2:]


def bare_jpeg(space: str, subsampling: str = "444") -> bytes:
    """A colour JPEG without any marker that tells its colour space."""
    stream = imagecodecs.jpeg8_encode(
        colour_chart(), level=95, colorspace="RGB", outcolorspace=space, subsampling=subsampling
    )
    return without_marker(without_marker(bytes(stream), 0xE0), 0xEE)


def with_component_ids(stream: bytes, ids: bytes) -> bytes:
    """Rename the components, in the frame header and in the scan header."""
    frame, scan = stream.index(b"\xff\xc0"), stream.index(b"\xff\xda")
    renamed = bytearray(stream)
    for i, name in enumerate(ids):
        renamed[frame + 10 + 3 * i] = name
        renamed[scan + 5 + 2 * i] = name
    return bytes(renamed)


def difference(decoded: np.ndarray, expected: np.ndarray) -> int:
    return int(np.abs(decoded.astype(int) - expected).max())


class TestDecodeFrame:
    @pytest.mark.parametrize("syntax", LOSSLESS, ids=names)
    @pytest.mark.parametrize("bits", [8, 12, 16])
    def test_grey_comes_back_exactly_from_every_lossless_syntax(self, syntax: str, bits: int) -> None:
        levels = np.linspace(0, 2**bits - 1, 64 * 96).reshape(64, 96)
        ramp = levels.astype(np.uint8) if bits == 8 else levels.astype(np.uint16)
        fmt = replace(GREY, bits_allocated=8 if bits == 8 else 16, bits_stored=bits)
        frame = decode_frame(syntax, encoded(ramp, "MONOCHROME2", syntax), fmt)
        assert np.array_equal(frame.samples, ramp)
        assert frame.photometric_interpretation == "MONOCHROME2"

    @pytest.mark.parametrize("syntax", LOSSLESS, ids=names)
    def test_rgb_comes_back_exactly_from_every_lossless_syntax(self, syntax: str) -> None:
        frame = decode_frame(syntax, encoded(colour_chart(), "RGB", syntax), COLOUR)
        assert np.array_equal(frame.samples, colour_chart())
        assert frame.photometric_interpretation == "RGB"

    def test_extended_jpeg_of_12_bits_comes_back_nearly(self) -> None:
        ramp = np.linspace(0, 4095, 64 * 96).reshape(64, 96).astype(np.uint16)
        syntax = "1.2.840.10008.1.2.4.51"
        frame = decode_frame(
            syntax, encoded(ramp, "MONOCHROME2", syntax), replace(GREY, bits_allocated=16, bits_stored=12)
        )
        assert difference(frame.samples, ramp) <= 16  # of 4095: one grey level

    def test_the_decoder_is_named_with_its_version(self) -> None:
        frame = decode_frame(RLELossless, encoded(colour_chart(), "RGB", RLELossless), COLOUR)
        assert frame.decoder == f"imagecodecs {imagecodecs.__version__} packbits"

    @pytest.mark.parametrize("syntax", ENCODERS, ids=names)
    @pytest.mark.parametrize("claim", [{"rows": 65}, {"columns": 97}], ids=str)
    def test_a_stream_of_another_size_is_refused(self, syntax: str, claim: dict[str, Any]) -> None:
        stream = encoded(colour_chart()[..., 0], "MONOCHROME2", syntax)
        with pytest.raises(UndecodablePixels):
            decode_frame(syntax, stream, replace(GREY, **claim))

    # RLE has no size of its own: only the number of pixels can be compared
    @pytest.mark.parametrize("syntax", [syntax for syntax in ENCODERS if syntax != RLELossless], ids=names)
    def test_a_stream_that_lies_on_its_side_is_refused(self, syntax: str) -> None:
        stream = encoded(colour_chart()[..., 0], "MONOCHROME2", syntax)
        with pytest.raises(UndecodablePixels, match="the image size"):
            decode_frame(syntax, stream, replace(GREY, rows=96, columns=64))

    @pytest.mark.parametrize("syntax", ENCODERS, ids=names)
    def test_a_stream_of_another_number_of_components_is_refused(self, syntax: str) -> None:
        with pytest.raises(UndecodablePixels, match="contradicts"):
            decode_frame(syntax, encoded(colour_chart(), "RGB", syntax), GREY)

    @pytest.mark.parametrize("syntax", ENCODERS, ids=names)
    @pytest.mark.parametrize("keep", [0, 1, 20, 70, 0.5, 0.95])
    def test_a_stream_that_is_cut_short_is_refused(self, syntax: str, keep: float) -> None:
        stream = encoded(factories.sector(64, 96), "MONOCHROME2", syntax)
        with pytest.raises(UndecodablePixels):
            decode_frame(syntax, stream[: int(keep * len(stream)) if 0 < keep < 1 else int(keep)], GREY)

    @pytest.mark.parametrize("syntax", DECODERS, ids=names)
    def test_noise_is_refused(self, syntax: str) -> None:
        noise = np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8).tobytes()
        with pytest.raises(UndecodablePixels):
            decode_frame(syntax, noise, GREY)

    def test_a_small_stream_that_claims_a_huge_picture_is_refused_before_it_is_decoded(self) -> None:
        stream = bytearray(encoded(colour_chart()[..., 0], "MONOCHROME2", JPEGBaseline8Bit))
        struct.pack_into(">HH", stream, stream.index(b"\xff\xc0") + 5, 65_500, 65_500)
        with pytest.raises(UndecodablePixels, match=r"\(0028,0010\) Rows and \(0028,0011\) Columns"):
            decode_frame(JPEGBaseline8Bit, bytes(stream), GREY)

    def test_rle_that_unpacks_to_more_than_the_picture_is_refused(self) -> None:
        bomb = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\0" * 100_000  # 128 bytes for every two
        with pytest.raises(UndecodablePixels):
            decode_frame(RLELossless, bomb, GREY)

    def test_a_progressive_stream_is_refused_as_another_process(self) -> None:
        stream = bytearray(encoded(colour_chart()[..., 0], "MONOCHROME2", JPEGBaseline8Bit))
        stream[stream.index(b"\xff\xc0") + 1] = 0xC2
        with pytest.raises(UndecodablePixels, match=r"\(0002,0010\) Transfer Syntax UID"):
            decode_frame(JPEGBaseline8Bit, bytes(stream), GREY)

    def test_a_stream_of_the_wrong_codec_is_refused(self) -> None:
        stream = encoded(colour_chart()[..., 0], "MONOCHROME2", JPEGLSLossless)
        with pytest.raises(UndecodablePixels):
            decode_frame(JPEGLosslessSV1, stream, GREY)

    def test_signed_jpeg_2000_is_refused(self) -> None:
        stream = bytearray(encoded(colour_chart()[..., 0], "MONOCHROME2", JPEG2000Lossless))
        stream[42] |= 0x80
        with pytest.raises(UndecodablePixels, match="sign"):
            decode_frame(JPEG2000Lossless, bytes(stream), GREY)

    def test_a_jp2_wrapper_is_taken_off(self) -> None:
        wrapped = bytes(imagecodecs.jpeg2k_encode(colour_chart(), level=0, codecformat="jp2", reversible=True))
        frame = decode_frame(JPEG2000Lossless, wrapped, replace(COLOUR, photometric_interpretation="YBR_RCT"))
        assert np.array_equal(frame.samples, colour_chart())

    def test_bits_above_bits_stored_are_cleared(self) -> None:
        words = np.full((64, 96), 0xF123, "<u2")
        fmt = replace(GREY, bits_allocated=16, bits_stored=12)
        frame = decode_frame("1.2.840.10008.1.2.1", words.tobytes(), fmt)
        assert np.unique(frame.samples).tolist() == [0x123]

    @pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", RLELossless, JPEGLSLossless], ids=names)
    def test_a_colour_transformation_of_jpeg_2000_is_refused_elsewhere(self, syntax: str) -> None:
        pixels = colour_chart()
        stream = encoded(pixels, "RGB", syntax) if syntax in ENCODERS else pixels.tobytes()
        with pytest.raises(UndecodablePixels, match="belongs to JPEG 2000"):
            decode_frame(syntax, stream, replace(COLOUR, photometric_interpretation="YBR_RCT"))


class TestColourOfJpeg:
    """Which of the signals decides: shared chroma, Adobe's marker, component names, JFIF, the attribute."""

    def decode(self, stream: bytes, photometric: str) -> tuple[int, list[str]]:
        fmt = replace(COLOUR, photometric_interpretation=photometric)
        frame = decode_frame(JPEGBaseline8Bit, stream, fmt)
        assert frame.photometric_interpretation == "RGB"
        return difference(frame.samples, colour_chart()), [warning.code for warning in frame.warnings]

    @pytest.mark.parametrize(("space", "photometric"), [("RGB", "RGB"), ("YCBCR", "YBR_FULL")])
    def test_without_any_marker_the_attribute_decides(self, space: str, photometric: str) -> None:
        error, warnings = self.decode(bare_jpeg(space), photometric)
        assert error <= 3
        assert warnings == []

    @pytest.mark.parametrize(("space", "transform"), [("RGB", 0), ("YCBCR", 1)])
    @pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
    def test_adobes_marker_decides_over_the_attribute(self, space: str, transform: int, photometric: str) -> None:
        error, warnings = self.decode(with_adobe_marker(bare_jpeg(space), transform), photometric)
        assert error <= 3
        assert bool(warnings) == ((space == "RGB") != (photometric == "RGB"))

    @pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
    def test_components_named_rgb_decide_over_the_attribute(self, photometric: str) -> None:
        error, warnings = self.decode(with_component_ids(bare_jpeg("RGB"), b"RGB"), photometric)
        assert error <= 3
        assert warnings == ([] if photometric == "RGB" else ["photometric_contradiction"])

    def test_a_jfif_file_is_ycbcr_though_the_attribute_says_rgb(self) -> None:
        stream = bytes(imagecodecs.jpeg8_encode(colour_chart(), level=95, subsampling="444"))
        assert b"JFIF" in stream[:32]
        error, warnings = self.decode(stream, "RGB")
        assert error <= 4
        assert warnings == ["photometric_contradiction"]

    @pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422"])
    def test_shared_chroma_is_ycbcr_whatever_else_is_said(self, photometric: str) -> None:
        stream = with_adobe_marker(bare_jpeg("YCBCR", "422"), 0)
        error, warnings = self.decode(stream, photometric)
        assert error <= 5
        assert bool(warnings) == (photometric == "RGB")


class TestColourOfJpeg2000:
    @pytest.mark.parametrize("photometric", ["YBR_RCT", "RGB", "YBR_FULL"])
    def test_an_undone_component_transformation_gives_rgb_whatever_the_attribute_says(self, photometric: str) -> None:
        stream = encoded(colour_chart(), "YBR_RCT", JPEG2000Lossless)
        frame = decode_frame(JPEG2000Lossless, stream, replace(COLOUR, photometric_interpretation=photometric))
        assert frame.photometric_interpretation == "RGB"
        assert np.array_equal(frame.samples, colour_chart())

    def test_ybr_full_without_a_transformation_stays_ybr(self) -> None:
        stream = encoded(colour_chart(), "YBR_FULL", JPEG2000Lossless)
        frame = decode_frame(JPEG2000Lossless, stream, replace(COLOUR, photometric_interpretation="YBR_FULL"))
        assert frame.photometric_interpretation == "YBR_FULL"
        assert difference(to_rgb(frame.samples.astype(np.uint8)), colour_chart()) <= 3


class TestToRgb:
    def test_it_agrees_with_pillow_on_every_kind_of_colour(self) -> None:
        ybr = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(18, -1, 3).astype(np.uint8)
        assert difference(to_rgb(ybr), pillow_rgb(ybr)) <= 1

    def test_grey_stays_grey(self) -> None:
        grey = np.full((2, 2, 3), 128, np.uint8)
        grey[..., 0] = [[0, 17], [200, 255]]
        assert np.array_equal(to_rgb(grey), np.repeat(grey[..., :1], 3, axis=-1))


def pillow_rgb(ybr: np.ndarray) -> np.ndarray:
    image = Image.frombytes("YCbCr", (ybr.shape[1], ybr.shape[0]), ybr.tobytes())
    return np.asarray(image.convert("RGB"))


class TestGreyScale:
    def test_8_bits_without_anything_stay_as_they_are(self) -> None:
        assert np.array_equal(grey_scale(8, (1.0, 0.0), None), np.arange(256))

    def test_more_bits_without_a_window_span_the_whole_range_of_bits_stored(self) -> None:
        scale = grey_scale(12, (1.0, 0.0), None)
        assert scale[[0, 2048, 4095]].tolist() == [0, 128, 255]

    def test_a_negative_slope_turns_the_scale_round(self) -> None:
        assert np.array_equal(grey_scale(8, (-1.0, 255.0), None), np.arange(256)[::-1])

    @pytest.mark.parametrize(("center", "width"), [(128, 256), (2048, 4096)])
    def test_the_window_of_the_whole_range_changes_nothing(self, center: float, width: float) -> None:
        bits = int(np.log2(width))
        assert np.array_equal(grey_scale(bits, (1.0, 0.0), Window(center, width)), grey_scale(bits, (1.0, 0.0), None))

    def test_a_window_is_applied_to_8_bits_too(self) -> None:
        scale = grey_scale(8, (1.0, 0.0), Window(100, 51))
        assert scale[[0, 74, 125, 255]].tolist() == [0, 0, 255, 255]
        assert 0 < scale[100] < 255

    def test_a_window_counts_in_modality_values(self) -> None:
        assert np.array_equal(
            grey_scale(8, (2.0, -100.0), Window(100, 100)), grey_scale(8, (1.0, 0.0), Window(100.25, 50.5))
        )

    @pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
    def test_every_function_rises_from_black_to_white_through_grey(self, function: str) -> None:
        scale = grey_scale(8, (1.0, 0.0), Window(128, 60, function)).astype(int)
        assert (np.diff(scale) >= 0).all()
        assert scale[0] == 0
        assert scale[255] == 255
        assert abs(scale[128] - 128) <= 3

    def test_a_width_of_one_is_a_threshold(self) -> None:
        assert grey_scale(8, (1.0, 0.0), Window(100, 1))[[99, 100]].tolist() == [0, 255]

    @pytest.mark.parametrize(
        "window",
        [
            Window(1, 0),
            Window(1, -5),
            Window(float("nan"), 5),
            Window(1, 5, "WHATEVER"),
            Window(1e300, 5),
            Window(5, 1e300),
        ],
        ids=str,
    )
    def test_a_window_that_the_standard_forbids_is_not_usable(self, window: Window) -> None:
        assert not window.is_usable

    def test_a_voi_table_is_applied(self) -> None:
        table = LookupTable(10, np.array([0, 512, 1023], np.uint16), 10)
        assert grey_scale(8, (1.0, 0.0), table)[[0, 10, 11, 12, 255]].tolist() == [0, 0, 128, 255, 255]

    def test_a_modality_table_comes_first(self) -> None:
        table = LookupTable(0, np.arange(255, -1, -1).astype(np.uint16), 8)
        assert np.array_equal(grey_scale(8, table, None), np.arange(256)[::-1])


class TestExpandSegments:
    """The example of PS3.3 C.7.9.2 in kind: discrete, linear and indirect segments."""

    def test_discrete_entries_are_copied(self) -> None:
        assert expand_segments([0, 3, 7, 8, 9], 3) == [7, 8, 9]

    def test_linear_entries_start_after_the_entry_before_and_end_at_the_last(self) -> None:
        assert expand_segments([0, 1, 0, 1, 4, 100], 5) == [0, 25, 50, 75, 100]

    def test_indirect_segments_repeat_earlier_ones(self) -> None:
        words = [0, 2, 0, 10, 1, 2, 30, 2, 2, 0, 0]
        assert expand_segments(words, 8) == [0, 10, 20, 30, 0, 10, 20, 30]

    def test_offsets_of_8_bit_palettes_are_four_bytes(self) -> None:
        data = [0, 2, 0, 10, 1, 2, 30, 2, 2, 0, 0, 0, 0, 0]  # the last is padding
        assert expand_segments(data, 8, is_bytes=True) == [0, 10, 20, 30, 0, 10, 20, 30]

    def test_an_indirect_segment_that_leads_into_another_is_refused(self) -> None:
        with pytest.raises(UndecodablePixels, match="segmented palette"):
            expand_segments([0, 4, 0, 1, 7, 9, 2, 1, 4, 0], 5)  # words 2 to 4 look like a segment

    def test_expanding_stops_beyond_the_size(self) -> None:
        with pytest.raises(UndecodablePixels, match=r"segmented palette .* more entries than the 16"):
            expand_segments([0, 1, 5, *[1, 65_535, 9] * 10_000], 16)

    @pytest.mark.parametrize(
        "words", [[0, 1, 5], [9, 1, 1], [0, 0], [0, 1, 5, 2, 60_000, 0, 0], [1, 3, 9], [0, 9, 1]], ids=str
    )
    def test_segments_that_lead_nowhere_are_refused(self, words: list[int]) -> None:
        with pytest.raises(UndecodablePixels, match="segmented palette"):
            expand_segments(words, 70_000)
