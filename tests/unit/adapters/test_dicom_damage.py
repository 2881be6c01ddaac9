"""Objects whose tables, lengths, offsets or counts are wrong: the same picture, or a refusal that says why.

Never another picture, to the pixel. Each valid object is damaged in every way of its kind; a refusal must name the
attribute that was damaged, or the one that it contradicts.
"""

import io
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from app.adapters.dicom import check_identity, read_identity, read_instance, read_names
from app.core.errors import DicomError, NotDicom, UndecodablePixels
from tests.factories import colour_chart, encoded, sector, us_instance, written

GREY = sector(64, 96)
COLOURS = ("Red", "Green", "Blue")
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
TABLE = r"Palette Color Lookup Table|LUT Data|LUT Descriptor"


def names(value: object) -> str:
    return UID(value).name if isinstance(value, UID) else str(value)


def fate(data: bytes) -> NDArray[Any] | DicomError:
    try:
        return read_instance(data).pixels
    except DicomError as error:
        return error


def check(data: bytes, expected: NDArray[Any], named: str) -> DicomError | None:
    """Assert the law of this file; give the refusal."""
    found = fate(data)
    if isinstance(found, DicomError):
        assert re.search(named, found.detail), found.detail
        return found
    assert np.array_equal(found, expected), "another picture"
    return None


def refused(data: bytes, named: str) -> None:
    found = fate(data)
    assert isinstance(found, UndecodablePixels)
    assert re.search(named, found.detail), found.detail


# --- look-up tables ---------------------------------------------------------------------------------------------


Layout = Callable[[NDArray[np.uint16]], bytes]

LAYOUTS: Mapping[str, tuple[int, Layout]] = {
    "16 bits": (16, lambda levels: (levels * 257).astype("<u2").tobytes()),
    "8 bits in bytes": (8, lambda levels: levels.astype(np.uint8).tobytes() + b"\0" * (len(levels) % 2)),
    "8 bits in low bytes": (8, lambda levels: levels.astype("<u2").tobytes()),
    "8 bits in high bytes": (8, lambda levels: (levels << 8).astype("<u2").tobytes()),
    "8 bits in both bytes": (8, lambda levels: (levels * 257).astype("<u2").tobytes()),
    "16 bits that hold 8": (16, lambda levels: levels.astype("<u2").tobytes()),
}
"""Every way to write a table that is read, with the bits that its descriptor says."""
DOUBLED = "8 bits in both bytes"
"""Cut in half it is a table of bytes in which each entry stands twice, as systems of 7 bits write: nothing tells."""


@dataclass(frozen=True)
class Tables:
    """Three palettes: a descriptor and a value each."""

    descriptors: tuple[tuple[int, int, int], ...]
    values: tuple[bytes, ...]
    vr: str = "US"

    def changed(self, *, colours: tuple[int, ...] = (0, 1, 2), at: int, to: int) -> "Tables":
        def one(descriptor: tuple[int, int, int]) -> tuple[int, int, int]:
            changed = [*descriptor]
            changed[at] = to
            return changed[0], changed[1], changed[2]

        return replace(self, descriptors=tuple(one(d) if i in colours else d for i, d in enumerate(self.descriptors)))

    def resized(self, length: int, colours: tuple[int, ...] = (0, 1, 2), filled: bytes = b"") -> "Tables":
        sized = [value[:length] + filled * (length - len(value)) for value in self.values]
        return replace(self, values=tuple(sized[i] if i in colours else value for i, value in enumerate(self.values)))


def levels_of(size: int) -> list[NDArray[np.uint16]]:
    ramp = (np.arange(size) * 255 // max(size - 1, 1)).astype(np.uint16)
    return [ramp, ramp[::-1].copy(), ramp // 2 + 1]


def tables_of(layout: str, size: int, first: int = 0) -> Tables:
    bits, write = LAYOUTS[layout]
    return Tables(((size & 0xFFFF, first, bits),) * 3, tuple(write(levels) for levels in levels_of(size)))


def palette_object(tables: Tables, syntax: str = ExplicitVRLittleEndian, pixels: NDArray[Any] = GREY) -> bytes:
    data = us_instance(pixels=pixels, photometric="PALETTE COLOR", bits_stored=8 * pixels.itemsize)
    dataset = pydicom.dcmread(BytesIO(data))
    turn = turned if syntax == ExplicitVRBigEndian else bytes
    for colour, descriptor, value in zip(COLOURS, tables.descriptors, tables.values, strict=True):
        del dataset[f"{colour}PaletteColorLookupTableDescriptor"]
        dataset.add_new(f"{colour}PaletteColorLookupTableDescriptor", tables.vr, list(descriptor))
        dataset[f"{colour}PaletteColorLookupTableData"].value = turn(value + b"\0" * (len(value) % 2))
    if pixels.itemsize == 2:
        dataset.PixelData = turn(dataset.PixelData)
    return written(dataset, syntax)


def turned(data: bytes) -> bytes:
    return np.frombuffer(data, "<u2").byteswap().tobytes()


def shown(size: int, pixels: NDArray[Any] = GREY) -> NDArray[Any]:
    index = np.minimum(pixels.astype(int), size - 1)
    return np.stack([levels[index] for levels in levels_of(size)], axis=-1)


class TestPalettes:
    @pytest.mark.parametrize("syntax", SYNTAXES, ids=names)
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("size", [256, 255, 200, 7, 2])
    def test_every_layout_shows_the_same_picture(self, layout: str, size: int, syntax: str) -> None:
        pixels = read_instance(palette_object(tables_of(layout, size), syntax)).pixels
        assert np.array_equal(pixels, shown(size))

    @pytest.mark.parametrize("syntax", SYNTAXES, ids=names)
    def test_no_entries_mean_65536(self, syntax: str) -> None:
        pixels = (GREY.astype(np.uint16) * 257)[:32, :48]
        found = read_instance(palette_object(tables_of("16 bits", 65_536), syntax, pixels)).pixels
        assert np.array_equal(found, shown(65_536, pixels))

    @pytest.mark.parametrize("first", [1, 40_000])
    def test_the_first_input_is_unsigned_as_the_pixels_are(self, first: int) -> None:
        pixels = (GREY.astype(np.uint16) + first)[:32, :48]
        tables = tables_of("16 bits", 256, first)
        assert np.array_equal(read_instance(palette_object(tables, pixels=pixels)).pixels, shown(256, pixels - first))

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("colours", [(0,), (1,), (2,), (0, 1), (0, 1, 2)], ids=str)
    @pytest.mark.parametrize("size", [256, 200])
    def test_a_table_of_another_length_is_never_another_picture(
        self, layout: str, colours: tuple[int, ...], size: int
    ) -> None:
        tables = tables_of(layout, size)
        whole = len(tables.values[0])
        for length in {0, 2, 100, size - 2, size, size + 2, whole - 2, whole + 2, whole // 2, 2 * whole, 4 * size}:
            if length == whole or (layout == DOUBLED and length == size and len(colours) == 3):
                continue
            for filled in (b"\0", b"\x7f"):
                damaged = tables.resized(length, colours, filled)
                error = check(palette_object(damaged), shown(size), "Palette Color Lookup Table Data")
                assert error is not None
                if length:
                    assert f"has {length} bytes" in error.detail or "more bits" in error.detail

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("colours", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
    def test_a_descriptor_of_another_size_is_never_another_picture(self, layout: str, colours: tuple[int, ...]) -> None:
        for size in (0, 1, 2, 127, 128, 129, 254, 255, 257, 258, 511, 512, 513, 65_535):
            if layout == DOUBLED and size == 512 and len(colours) == 3:
                continue
            damaged = tables_of(layout, 256).changed(colours=colours, at=0, to=size)
            assert check(palette_object(damaged), shown(256), TABLE), size

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("colours", [(0,), (2,), (0, 1, 2)], ids=str)
    def test_a_descriptor_of_other_bits_is_never_another_picture(self, layout: str, colours: tuple[int, ...]) -> None:
        for bits in (0, 1, 4, 7, 8, 9, 10, 12, 15, 16, 17, 32, 256, 65_535):
            damaged = tables_of(layout, 256).changed(colours=colours, at=2, to=bits)
            check(palette_object(damaged), shown(256), TABLE)

    @pytest.mark.parametrize("colour", [0, 1, 2])
    def test_a_first_input_of_its_own_is_refused(self, colour: int) -> None:
        damaged = tables_of("16 bits", 256).changed(colours=(colour,), at=1, to=3)
        refused(palette_object(damaged), "Descriptor contradict each other")

    @pytest.mark.parametrize("first", [256, 32_768, 65_300, 65_535])
    def test_inputs_that_no_pixel_has_are_refused(self, first: int) -> None:
        tables = tables_of("16 bits", 256)
        refused(palette_object(tables.changed(at=1, to=first)), "Descriptor maps")
        if first >= 32_768:
            refused(palette_object(replace(tables, vr="SS").changed(at=1, to=first - 65_536)), "Descriptor maps")

    def test_what_is_missing_is_said_with_what_was_promised(self) -> None:
        damaged = tables_of("16 bits", 256).resized(256, (1,))
        error = fate(palette_object(damaged))
        assert isinstance(error, UndecodablePixels)
        assert error.detail == (
            "A look-up table cannot be used: (0028,1202) Green Palette Color Lookup Table Data has 256 bytes, but "
            "(0028,1101) Red Palette Color Lookup Table Descriptor promises 256 entries of 16 bits, which take 512. "
            "Export the object again from its source."
        )


class TestSegmentedPalettes:
    # levels 0..255 in each colour: 16 copied, a line to 100, a line to 255, and those 16 again
    WORDS = (0, 16, *range(0, 160, 10), 1, 84, 100, 1, 140, 255, 2, 1, 0, 0)

    def data(self, words: tuple[int, ...], bits: int, colours: tuple[int, ...] = (0, 1, 2), cut: int = 0) -> bytes:
        dataset = pydicom.dcmread(BytesIO(us_instance(pixels=GREY, photometric="PALETTE COLOR")))
        for i, colour in enumerate(COLOURS):
            used = words if i in colours else self.WORDS
            used = (*used, 0, 0) if bits == 8 and used[-4:] == (2, 1, 0, 0) else used  # four bytes of an offset
            value = bytes(used) if bits == 8 else struct.pack(f"<{len(used)}H", *used)
            value = value[: len(value) - cut] if cut and i in colours else value
            del dataset[f"{colour}PaletteColorLookupTableData"]
            setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, bits])
            setattr(dataset, f"Segmented{colour}PaletteColorLookupTableData", value + b"\0" * (len(value) % 2))
        return written(dataset, ExplicitVRLittleEndian)

    @property
    def expected(self) -> NDArray[Any]:
        copied = np.arange(0, 160, 10)
        lines = [150 + (100 - 150) * i / 84 for i in range(1, 85)], [100 + 155 * i / 140 for i in range(1, 141)]
        table = np.rint(np.concatenate([copied, *lines, copied]))
        return np.repeat(table[GREY.astype(int)].astype(np.uint8)[..., None], 3, axis=-1)

    @pytest.mark.parametrize("bits", [8, 16])
    def test_the_whole_one_is_read(self, bits: int) -> None:
        assert np.array_equal(read_instance(self.data(self.WORDS, bits)).pixels, self.expected)

    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("colours", [(1,), (0, 1, 2)], ids=str)
    def test_one_that_is_cut_short_is_refused(self, bits: int, colours: tuple[int, ...]) -> None:
        for cut in range(2, 28, 2):
            refused(self.data(self.WORDS, bits, colours, cut), "Segmented .* Palette Color Lookup Table Data")

    @pytest.mark.parametrize("bits", [8, 16])
    def test_a_length_or_kind_that_is_wrong_is_refused(self, bits: int) -> None:
        for at in (0, 1, 18, 19, 21, 22, 24, 25, 26):
            for value in {0, 1, 2, 3, 15, 17, 83, 85, 139, 141, 255} - {self.WORDS[at]}:
                words = (*self.WORDS[:at], value, *self.WORDS[at + 1 :])
                check(self.data(words, bits), self.expected, "Segmented .* Palette Color Lookup Table Data")

    @pytest.mark.parametrize("more", [(0, 1, 5), (1, 1, 5), (2, 1, 0, 0), (9,), (0,)], ids=str)
    def test_one_that_goes_on_is_refused(self, more: tuple[int, ...]) -> None:
        refused(self.data((*self.WORDS, *more), 16), "Segmented .* Palette Color Lookup Table Data")


class TestLuts:
    """VOI and Modality LUT: a ramp that is turned round."""

    @staticmethod
    def item(descriptor: tuple[int, ...], value: bytes, vr: str = "OW", descriptor_vr: str = "US") -> Dataset:
        item = Dataset()
        item.add_new("LUTDescriptor", descriptor_vr, list(descriptor))
        item.add_new("LUTData", vr, value)
        return item

    @classmethod
    def object(cls, sequence: str, *arguments: Any, **more: Any) -> bytes:
        attributes: dict[str, object] = {sequence: Items([cls.item(*arguments)]), **more}
        return us_instance(pixels=GREY, attributes=attributes)

    @pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_every_layout_shows_the_same_picture(self, sequence: str, layout: str) -> None:
        bits, write = LAYOUTS[layout]
        table = write(np.arange(255, -1, -1).astype(np.uint16))
        assert np.array_equal(read_instance(self.object(sequence, (256, 0, bits), table)).pixels, 255 - GREY)

    @pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_other_lengths_sizes_and_bits_are_never_another_picture(self, sequence: str, layout: str) -> None:
        bits, write = LAYOUTS[layout]
        table = write((np.arange(255, -1, -1) * 254 // 255 + 1).astype(np.uint16))
        expected = read_instance(self.object(sequence, (256, 0, bits), table)).pixels
        for length in {0, 2, 128, 254, 256, 258, 510, 512, 514, 1024} - {len(table), 256 if layout == DOUBLED else 0}:
            changed = (table + b"\x7f" * 1024)[:length]
            assert check(self.object(sequence, (256, 0, bits), changed), expected, TABLE), length
        for size in {0, 1, 128, 254, 255, 257, 258, 512, 65_535} - {512 if layout == DOUBLED else -1}:
            assert check(self.object(sequence, (size, 0, bits), table), expected, TABLE), size
        # high bytes are as good 16-bit entries, a level darker
        for other in {0, 7, 8, 9, 12, 15, 16, 17, 300} - {16 if layout == "8 bits in high bytes" else -1}:
            check(self.object(sequence, (256, 0, other), table), expected, TABLE)

    @pytest.mark.parametrize("bits", range(8, 17))
    def test_a_voi_lut_may_have_8_to_16_bits_and_must_use_them(self, bits: int) -> None:
        levels = np.arange(256) * ((1 << bits) - 1) // 255
        data = self.object("VOILUTSequence", (256, 0, bits), levels.astype("<u2").tobytes())
        assert np.array_equal(read_instance(data).pixels, GREY)
        for other in set(range(8, 17)) - {bits}:
            damaged = self.object("VOILUTSequence", (256, 0, other), levels.astype("<u2").tobytes())
            check(damaged, GREY, TABLE)

    @pytest.mark.parametrize("descriptor", [(), (256,), (256, 0), (256, 0, 16, 0)], ids=str)
    @pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
    def test_a_descriptor_of_other_than_three_values_is_refused(
        self, sequence: str, descriptor: tuple[int, ...]
    ) -> None:
        table = (np.arange(256) * 257).astype("<u2").tobytes()
        refused(self.object(sequence, descriptor, table), r"\(0028,3002\) LUT Descriptor")

    def test_a_table_that_looks_nothing_up_is_refused(self) -> None:
        table = (np.arange(256) * 257).astype("<u2").tobytes()
        for sequence in ("VOILUTSequence", "ModalityLUTSequence"):
            refused(self.object(sequence, (256, 300, 16), table), "LUT Descriptor maps")

    @pytest.mark.parametrize("syntax", [*SYNTAXES], ids=names)
    @pytest.mark.parametrize("vr", ["US", "SS"])
    def test_a_first_input_below_zero_is_read_with_or_without_its_sign(self, syntax: str, vr: str) -> None:
        if syntax == ImplicitVRLittleEndian and vr == "SS":
            return  # written as the same bytes
        first = -100 if vr == "SS" else 65_436
        levels = [int(level) for level in np.arange(255, -1, -1) * 257]
        item = Dataset()
        item.add_new("LUTDescriptor", vr, [256, first, 16])
        item.add_new("LUTData", "US", levels)
        attributes: dict[str, object] = {"VOILUTSequence": Items([item]), "RescaleSlope": 1, "RescaleIntercept": -100}
        data = us_instance(pixels=GREY, transfer_syntax=syntax, attributes=attributes)
        assert np.array_equal(read_instance(data).pixels, 255 - GREY)

    @pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
    def test_a_sequence_that_cannot_be_read_is_refused_and_one_without_items_is_not(self, sequence: str) -> None:
        table = (np.arange(255, -1, -1) * 257).astype("<u2").tobytes()
        data = self.object(sequence, (256, 0, 16), table)
        tag = pydicom.datadict.tag_for_keyword(sequence) or 0
        at = data.index(struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, b"SQ")) + 12
        assert data[at : at + 4] == b"\xfe\xff\x00\xe0"
        for size in (0, 1, 6, 20, 0xFFFFFFFF, 100_000):
            damaged = data[: at + 4] + struct.pack("<L", size) + data[at + 8 :]
            check(damaged, 255 - GREY, f"{TABLE}|LUT Sequence|damaged|cut short")
        refused(data[:at] + b"\xfe\xff\xdd\xe0" + data[at + 4 :], "LUT Sequence")
        empty = us_instance(pixels=GREY, attributes={sequence: Items([])})
        assert np.array_equal(read_instance(empty).pixels, GREY)

    def test_a_sequence_that_is_too_large_is_not_passed_over(self) -> None:
        item = self.item((256, 0, 16), bytes(512))
        item.add_new("LUTExplanation", "UT", "x" * (1 << 20))
        refused(us_instance(pixels=GREY, attributes={"VOILUTSequence": Items([item])}), r"\(0028,3010\) VOI LUT Seq")

    def test_colour_is_shown_without_them(self) -> None:
        chart = colour_chart()
        item = self.item((256, 0, 16), b"")
        data = us_instance(pixels=chart, photometric="RGB", attributes={"VOILUTSequence": Items([item])})
        assert np.array_equal(read_instance(data).pixels, chart)


# --- frames -----------------------------------------------------------------------------------------------------


CINE = np.stack([sector(64, 96, seed) for seed in range(5)])
CODECS = [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, RLELossless]
LOSSLESS = CODECS[1:]
PARTS = ((1, 1), (1, 3), (5, 1), (5, 2), (2, 4))
"""Frames, and fragments a frame."""
WRONG = r"\(0028,0008\) Number of Frames|\(7FE0,0010\) Pixel Data|Extended Offset Table|cut short"


def item(value: bytes, length: int | None = None) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<L", len(value) if length is None else length) + value


@dataclass(frozen=True)
class Encapsulated:
    """Pixel data as a list of items."""

    syntax: str
    frames: list[list[bytes]]
    basic: bytes = b""
    extended: tuple[bytes, bytes] | None = None
    count: object = None
    value: bytes | None = None
    """In place of all items."""

    @classmethod
    def of(cls, syntax: str, frames: int, parts: int, table: str = "none") -> "Encapsulated":
        streams = [encoded(one, "MONOCHROME2", syntax) for one in CINE[:frames]]
        made = cls(syntax, [split(stream + b"\0" * (len(stream) % 2), parts) for stream in streams], count=frames)
        offsets = made.offsets
        if table == "basic":
            return replace(made, basic=struct.pack(f"<{frames}L", *offsets))
        if table == "extended":
            lengths = [len(stream) for stream in streams]
            return replace(made, extended=(struct.pack(f"<{frames}Q", *offsets), struct.pack(f"<{frames}Q", *lengths)))
        return made

    @property
    def fragments(self) -> list[bytes]:
        return [part for frame in self.frames for part in frame]

    @property
    def offsets(self) -> list[int]:
        sizes = [sum(len(item(part)) for part in frame) for frame in self.frames]
        return [sum(sizes[:i]) for i in range(len(sizes))]

    @property
    def items(self) -> list[bytes]:
        return [item(self.basic), *map(item, self.fragments)]

    @property
    def expected(self) -> NDArray[Any]:
        return np.asarray(fate(self.data))

    @property
    def data(self) -> bytes:
        value = b"".join(self.items) if self.value is None else self.value
        attributes: dict[str, object] = {"PixelData": value}
        if self.extended:
            attributes["ExtendedOffsetTable"], attributes["ExtendedOffsetTableLengths"] = self.extended
        cine = CINE[: len(self.frames)]
        made = us_instance(pixels=cine, transfer_syntax=self.syntax, codestreams=[b"\0\0"], attributes=attributes)
        if self.count != len(self.frames):
            dataset = pydicom.dcmread(BytesIO(made))
            dataset.add_new("NumberOfFrames", "IS", self.count)
            dataset["PixelData"].is_undefined_length = True
            made = written(dataset, self.syntax)
        return made[:-9] + made[-8:] if len(value) % 2 else made  # pydicom pads the whole, which nobody may


def split(stream: bytes, parts: int) -> list[bytes]:
    size = -(-len(stream) // parts)
    size += size % 2
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def objects(*tables: str) -> list[Any]:
    return [*_objects(*tables)]


def _objects(*tables: str) -> Iterator[Any]:
    for syntax in CODECS:
        for frames, parts in PARTS:
            if syntax == RLELossless and parts > 1:
                continue
            for table in tables:
                if table != "extended" or parts == 1:
                    made = Encapsulated.of(syntax, frames, parts, table)
                    yield pytest.param(made, id=f"{UID(syntax).name}, {frames} frames of {parts}, {table}")


class TestOffsetTables:
    @pytest.mark.parametrize("valid", objects("none", "basic", "extended"))
    def test_the_valid_object_is_read(self, valid: Encapsulated) -> None:
        instance = read_instance(valid.data)
        assert instance.number_of_frames == len(valid.frames)
        chosen = CINE[(len(valid.frames) - 1) // 2]
        assert np.abs(instance.pixels.astype(int) - chosen).max() <= (12 if valid.syntax == JPEGBaseline8Bit else 0)
        assert {warning.code for warning in instance.warnings} <= {"multi_frame"}

    @staticmethod
    def wrong_numbers(numbers: list[int], size: int) -> Iterator[list[int]]:
        """Every wrong table of a kind."""
        most = 2 ** (8 * size) - 1
        for i in range(len(numbers)):
            for other in {numbers[i] + step for step in (-8, -2, -1, 1, 2, 4, 8)} | {0, 2, numbers[-1] + 8, most}:
                if other != numbers[i] and 0 <= other <= most:
                    yield [*numbers[:i], other, *numbers[i + 1 :]]
        yield numbers[:-1]
        yield [*numbers, numbers[-1] + 8]
        yield [*numbers, *numbers]
        if len(numbers) > 1:
            yield numbers[1:]
            yield numbers[::-1]
            yield [*numbers[1:], numbers[0]]
            yield [max(number - numbers[1], 0) for number in numbers]
            yield [0] * len(numbers)

    @pytest.mark.parametrize("valid", objects("basic"))
    def test_a_wrong_basic_table_is_never_another_picture(self, valid: Encapsulated) -> None:
        expected, is_needed = valid.expected, len(valid.frames) < len(valid.fragments) and len(valid.frames) > 1
        tables = [struct.pack(f"<{len(n)}L", *n) for n in self.wrong_numbers(valid.offsets, 4)]
        tables += [valid.basic[:-1], valid.basic[:-2], valid.basic + b"\0", valid.basic + b"\0\0"]
        places = {0} | {len(b"".join(map(item, valid.fragments[:i]))) for i in range(len(valid.fragments))}
        for wrong in sorted(places - set(valid.offsets)):  # the beginning of a fragment, but of no frame
            tables.append(struct.pack(f"<{len(valid.frames)}L", *valid.offsets[:-1], wrong))
        for table in {table for table in tables if table}:
            error = check(replace(valid, basic=table).data, expected, "Basic Offset Table")
            assert bool(error) == is_needed

    @pytest.mark.parametrize("valid", objects("extended"))
    def test_a_wrong_extended_table_changes_nothing_where_a_frame_is_a_fragment(self, valid: Encapsulated) -> None:
        expected = valid.expected
        assert valid.extended
        offsets, lengths = valid.extended
        count = len(valid.frames)
        numbers = [*struct.unpack(f"<{count}Q", lengths)]
        wrong = [(struct.pack(f"<{len(n)}Q", *n), lengths) for n in self.wrong_numbers(valid.offsets, 8)]
        wrong += [(offsets, struct.pack(f"<{len(n)}Q", *n)) for n in self.wrong_numbers(numbers, 8)]
        wrong += [(offsets, b""), (b"", lengths), (offsets[:-1] + b"", lengths), (offsets, lengths[:-4])]
        for tables in wrong:
            found = read_instance(replace(valid, extended=tables).data)
            assert np.array_equal(found.pixels, expected)

    def test_an_extended_table_does_not_allow_several_fragments_a_frame(self) -> None:
        valid = Encapsulated.of(JPEGLSLossless, 3, 2)
        lengths = [sum(map(len, frame)) for frame in valid.frames]
        tables = struct.pack("<3Q", *valid.offsets), struct.pack("<3Q", *lengths)
        refused(replace(valid, extended=tables).data, r"\(7FE0,0001\) Extended Offset Table is wrong")

    def test_what_was_ignored_is_said(self) -> None:
        wrong = replace(Encapsulated.of(JPEGLSLossless, 1, 3, "basic"), basic=struct.pack("<L", 8))
        (warning,) = read_instance(wrong.data).warnings
        assert warning.code == "offset_table_ignored"

    def test_a_basic_table_that_is_left_out_is_said(self) -> None:
        for frames, parts in PARTS:
            valid = Encapsulated.of(JPEGBaseline8Bit, frames, parts)
            refused(replace(valid, value=b"".join(valid.items[1:])).data, "Basic Offset Table")


class TestCounts:
    @pytest.mark.parametrize("valid", objects("none", "basic", "extended"))
    def test_another_number_of_frames_is_refused(self, valid: Encapsulated) -> None:
        for count in {-1, 2, 3, 4, 5, 6, 10, 20_000, 20_001, 99_999_999} - {len(valid.frames)}:
            refused(replace(valid, count=str(count)).data, r"\(0028,0008\) Number of Frames")

    @pytest.mark.parametrize("count", [b"x ", b"-5", b"1.5 ", b"1e9 ", b"\0\xff", b"nan "], ids=str)
    def test_a_number_that_is_none_is_refused(self, count: bytes) -> None:
        data = us_instance(pixels=GREY, attributes={"NumberOfFrames": "77"})
        length = struct.pack("<H", len(count))
        refused(data.replace(b"IS\2\x0077", b"IS" + length + count), r"\(0028,0008\) Number of Frames")

    @pytest.mark.parametrize("valid", objects("none", "basic"))
    @pytest.mark.parametrize("count", [None, "0", "1"])
    def test_no_number_means_one_frame(self, valid: Encapsulated, count: object) -> None:
        data = replace(valid, count=count).data
        if len(valid.frames) > 1:
            refused(data, r"\(0028,0008\) Number of Frames")
            return
        instance = read_instance(data)
        assert np.array_equal(instance.pixels, valid.expected)
        assert [warning.code for warning in instance.warnings] == ["frames_not_counted"] * (count == "0")

    @pytest.mark.parametrize("count", [None, 0, 1, 2, 3, 4, 6])
    @pytest.mark.parametrize("frames", [1, 2, 5])
    def test_native_frames_are_counted_by_their_length(self, frames: int, count: int | None) -> None:
        data = us_instance(pixels=CINE[:frames], attributes={"NumberOfFrames": count})
        if frames == (count or 1):
            assert np.array_equal(read_instance(data).pixels, CINE[(frames - 1) // 2])
        else:
            refused(data, r"\(0028,0008\) Number of Frames")


class TestFragments:
    @pytest.mark.parametrize("valid", objects("none", "basic"))
    def test_a_lost_empty_or_cut_fragment_is_never_another_picture(self, valid: Encapsulated) -> None:
        expected = valid.expected
        for i, whole in enumerate(valid.fragments):
            half = len(whole) // 4 * 2
            for left in (None, b"", whole[:half], whole[half:]):
                items = [*valid.items[: i + 1], *([] if left is None else [item(left)]), *valid.items[i + 2 :]]
                check(replace(valid, value=b"".join(items)).data, expected, f"{WRONG}|the codec cannot decode")

    @pytest.mark.parametrize("valid", objects("none", "basic"))
    def test_a_wrong_length_of_a_fragment_is_never_another_picture(self, valid: Encapsulated) -> None:
        expected = valid.expected
        for i, whole in enumerate(valid.items):
            true = len(whole) - 8
            behind = len(valid.items[i + 1]) if i + 1 < len(valid.items) else 0
            lengths = {0, 1, 2, 4, true - 2, true - 1, true + 1, true + 2, true + 8, true + behind, 1 << 31, 0xFFFFFFFF}
            for length in lengths - {true, -1, -2}:
                items = [*valid.items[:i], item(whole[8:], length), *valid.items[i + 1 :]]
                check(replace(valid, value=b"".join(items)).data, expected, WRONG)

    @pytest.mark.parametrize("valid", objects("none", "basic"))
    def test_empty_fragments_between_others_change_nothing(self, valid: Encapsulated) -> None:
        for i in range(1, len(valid.items) + 1):
            items = [*valid.items[:i], item(b""), *valid.items[i:]]
            check(replace(valid, value=b"".join(items)).data, valid.expected, "Basic Offset Table")

    @pytest.mark.parametrize("valid", objects("none"))
    def test_fragments_of_odd_length_are_read(self, valid: Encapsulated) -> None:
        *before, last = valid.fragments
        frames = [[*before, last + b"\0"]] if len(valid.frames) == 1 else [[*before], [last + b"\0"]]
        items = [item(b""), *(item(part) for frame in frames for part in frame)]
        assert check(replace(valid, value=b"".join(items)).data, valid.expected, "nothing") is None

    @pytest.mark.parametrize("valid", objects("none", "basic"))
    def test_a_missing_delimiter_is_refused_and_bytes_behind_it_are_ignored(self, valid: Encapsulated) -> None:
        delimiter, data = b"\xfe\xff\xdd\xe0\0\0\0\0", valid.data
        assert data.endswith(delimiter)
        for behind in (b"\0", b"\0" * 100, b"\xff\xd8\xff" * 9, struct.pack("<HH2sHL", 0xFFFC, 0xFFFC, b"OB", 0, 0)):
            assert np.array_equal(read_instance(data + behind).pixels, valid.expected)
            refused(data[: -len(delimiter)] + behind, "cut short|delimiter")
        refused(data[: -len(delimiter)], "cut short")

    @pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless], ids=names)
    def test_two_streams_in_one_fragment_are_refused(self, syntax: str) -> None:
        streams = [encoded(one, "MONOCHROME2", syntax) for one in CINE[:2]]
        valid = Encapsulated.of(syntax, 1, 1)
        for between in (b"", b"\0", b"\xff", b"\0" * 2000):
            both = streams[0] + between + streams[1]
            refused(replace(valid, frames=[[both + b"\0" * (len(both) % 2)]]).data, "Number of Frames")

    @pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless], ids=names)
    def test_a_stream_without_its_end_is_refused(self, syntax: str) -> None:
        stream = encoded(CINE[0], "MONOCHROME2", syntax)
        assert stream.endswith(b"\xff\xd9")
        valid = Encapsulated.of(syntax, 1, 1)
        for end in (b"", b"\xff", b"\0\0", b"\xff\xd8"):
            refused(replace(valid, frames=[[stream[:-2] + end]]).data, "cut short")
        for behind in (b"\0" * 5000, b"x" * 5000, b"\xff" * 8):
            assert np.array_equal(read_instance(replace(valid, frames=[[stream + behind]]).data).pixels, valid.expected)

    def test_more_fragments_than_anybody_writes_are_refused(self) -> None:
        valid = Encapsulated.of(RLELossless, 1, 1)
        refused(replace(valid, value=b"".join(valid.items) + item(b"") * 200_001).data, "fragments")

    def test_a_lost_restart_interval_is_refused(self) -> None:
        buffer = io.BytesIO()
        Image.fromarray(CINE[0]).save(buffer, "JPEG", quality=90, restart_marker_blocks=2)
        stream = buffer.getvalue()
        valid = replace(Encapsulated.of(JPEGBaseline8Bit, 1, 1), frames=[[stream]])
        assert valid.expected.shape == (64, 96)
        marks = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", stream)]
        for lost in range(1, 17):
            refused(replace(valid, frames=[[stream[: marks[4]] + stream[marks[4 + lost] :]]]).data, "lacks a part")


class TestNativeLength:
    @pytest.mark.parametrize("syntax", SYNTAXES, ids=names)
    @pytest.mark.parametrize("frames", [1, 2])
    @pytest.mark.parametrize("more", [-GREY.size, -1000, -96, -2, 2, 4, 96, 1000, GREY.size])
    def test_another_length_is_refused(self, syntax: str, frames: int, more: int) -> None:
        value = (CINE[:frames].tobytes() + b"\0" * GREY.size)[: frames * GREY.size + more]
        data = us_instance(pixels=CINE[:frames], transfer_syntax=syntax, attributes={"PixelData": value})
        found = fate(data)
        assert isinstance(found, DicomError)
        assert "(7FE0,0010) Pixel Data" in found.detail

    @pytest.mark.parametrize(
        "attributes",
        [{"Rows": 63}, {"Rows": 65}, {"Columns": 95}, {"Columns": 48}, {"Rows": 32}, {"BitsAllocated": 16}],
        ids=str,
    )
    def test_attributes_that_ask_for_another_length_are_refused(self, attributes: dict[str, object]) -> None:
        refused(us_instance(pixels=GREY, attributes=attributes), r"\(7FE0,0010\) Pixel Data has 6144 bytes")

    def test_a_length_that_the_file_does_not_have_is_refused(self) -> None:
        data = us_instance(pixels=GREY)
        at = data.index(struct.pack("<HH2s", 0x7FE0, 0x10, b"OB")) + 8
        for length in (GREY.size + 2, 1 << 20, 1 << 31, 0xFFFFFFFE):
            refused(data[:at] + struct.pack("<L", length) + data[at + 4 :], "cut short")
        for behind in (b"\0", b"\0" * 7, b"\xff" * 1000):
            assert np.array_equal(read_instance(data + behind).pixels, GREY)


# --- the data set -----------------------------------------------------------------------------------------------


class TestStrayItems:
    STRAYS = (b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0")

    @pytest.mark.parametrize("stray", STRAYS, ids=["item", "item delimiter", "sequence delimiter"])
    @pytest.mark.parametrize("length", [0, 2, 8, 0xFFFFFFFF])
    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit], ids=names)
    def test_one_anywhere_in_the_data_set_is_damage(self, stray: bytes, length: int, syntax: str) -> None:
        data = us_instance(pixels=GREY, transfer_syntax=syntax)
        places = [data.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 140)
                  for tag in (0x00080016, 0x00080060, 0x00100010, 0x0020000D, 0x00280010, 0x7FE00010)]  # fmt: skip
        for at in places:
            damaged = data[:at] + stray + struct.pack("<L", length) + data[at:]
            found = fate(damaged)
            assert isinstance(found, NotDicom)
            assert "damaged" in found.detail

    @pytest.mark.parametrize("stray", STRAYS, ids=["item", "item delimiter", "sequence delimiter"])
    def test_one_before_the_uids_is_damage_to_whoever_asks_for_them(self, stray: bytes) -> None:
        data = us_instance(pixels=GREY)
        at = data.index(struct.pack("<HH", 0x0008, 0x0016), 140)
        damaged = data[:at] + stray + bytes(4) + data[at:]
        with pytest.raises(NotDicom, match="damaged"):
            check_identity(read_identity(damaged))
        with pytest.raises(NotDicom, match="damaged"):
            read_names(damaged)

    def test_a_file_that_ends_in_an_element_is_cut_short(self) -> None:
        data = us_instance(pixels=GREY)
        at = data.index(struct.pack("<HH", 0x0028, 0x0010), 140)
        for more in range(1, 8):
            refused(data[: at + more], "cut short")


# --- colour -----------------------------------------------------------------------------------------------------


def screen() -> NDArray[np.uint8]:
    """A grey picture with a coloured patch, as a screen with a logo."""
    grey = np.repeat(sector(96, 128)[..., None], 3, axis=-1)
    grey[2:12, 2:30] = (200, 40, 30)
    return grey


class TestColourModels:
    @pytest.mark.parametrize("syntax", [*SYNTAXES, *LOSSLESS], ids=names)
    @pytest.mark.parametrize(("held", "said"), [("RGB", "YBR_FULL"), ("YBR_FULL", "RGB")])
    def test_the_name_of_the_other_is_refused(self, syntax: str, held: str, said: str) -> None:
        right = us_instance(pixels=screen(), photometric=held, transfer_syntax=syntax)
        assert np.abs(read_instance(right).pixels.astype(int) - screen()).max() <= 4
        wrong = us_instance(
            pixels=screen(), photometric=held, transfer_syntax=syntax, attributes={"PhotometricInterpretation": said}
        )
        refused(wrong, r"\(0028,0004\) Photometric Interpretation.*says that the samples are")

    @pytest.mark.parametrize("said", ["YBR_RCT", "YBR_ICT"])
    @pytest.mark.parametrize("held", ["RGB", "YBR_FULL"])
    def test_a_transformation_that_a_stream_does_not_have_is_refused(self, held: str, said: str) -> None:
        wrong = us_instance(
            pixels=screen(),
            photometric=held,
            transfer_syntax=JPEG2000Lossless,
            attributes={"PhotometricInterpretation": said},
        )
        refused(wrong, r"contradicts \(0028,0004\) Photometric Interpretation")

    def test_a_transformation_that_the_attribute_does_not_name_is_said(self) -> None:
        data = us_instance(
            pixels=screen(),
            photometric="YBR_RCT",
            transfer_syntax=JPEG2000Lossless,
            attributes={"PhotometricInterpretation": "YBR_FULL"},
        )
        instance = read_instance(data)
        assert np.array_equal(instance.pixels, screen())
        assert [warning.code for warning in instance.warnings] == ["photometric_contradiction"]

    @pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
    def test_no_plain_colour_is_mistaken(self, photometric: str) -> None:
        for colour in (
            (0, 0, 0),
            (255, 255, 255),
            (128, 128, 128),
            (255, 0, 0),
            (0, 255, 0),
            (0, 0, 255),
            (90, 70, 40),
        ):
            plain = np.full((48, 64, 3), colour, np.uint8)
            read_instance(us_instance(pixels=plain, photometric=photometric))


# --- any damage -------------------------------------------------------------------------------------------------


SEEDS = [
    Encapsulated.of(syntax, frames, parts, table)
    for syntax in (JPEGBaseline8Bit, JPEGLSLossless)
    for frames, parts in ((1, 3), (3, 1), (3, 2))
    for table in ("none", "basic")
]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    valid=st.sampled_from(SEEDS),
    which=st.integers(0, 6),
    length=st.integers(0, 70_000) | st.sampled_from([0xFFFFFFFF, 1 << 31]),
    numbers=st.lists(st.integers(0, 20_000), max_size=5),
    count=st.integers(-1, 7),
)
def test_no_length_table_and_count_show_another_picture(
    valid: Encapsulated, which: int, length: int, numbers: list[int], count: int
) -> None:
    expected = valid.expected
    items = valid.items
    at = which % len(items)
    renumbered = [item(struct.pack(f"<{len(numbers)}L", *numbers)), *items[1:]]
    for changed in (
        replace(valid, value=b"".join([*items[:at], item(items[at][8:], length), *items[at + 1 :]])),
        replace(valid, value=b"".join(renumbered)),
        replace(valid, count=str(count)),
        replace(valid, value=b"".join(renumbered), count=str(count)),
    ):
        check(changed.data, expected, f"{WRONG}|Basic Offset Table")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    layout=st.sampled_from(sorted({*LAYOUTS} - {DOUBLED})),
    size=st.integers(0, 600),
    bits=st.integers(0, 20),
    length=st.integers(0, 600).map(lambda half: 2 * half),
    colours=st.sets(st.integers(0, 2), min_size=1).map(tuple),
)
def test_no_length_size_and_bits_show_another_picture(
    layout: str, size: int, bits: int, length: int, colours: tuple[int, ...]
) -> None:
    valid = tables_of(layout, 256)
    for damaged in (
        valid.changed(colours=colours, at=0, to=size),
        valid.changed(colours=colours, at=2, to=bits),
        valid.resized(length, colours),
    ):
        check(palette_object(damaged), shown(256), TABLE)
