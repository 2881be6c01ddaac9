"""Objects whose structure is not in order: elements lost, doubled, moved, renamed, nested, misstated.

``make test ARGS='tests/unit/adapters/test_dicom_structure.py --examples 100000 --timeout 0'`` looks for long.
"""

import gc
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from io import BytesIO

import pydicom
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from app.adapters.dicom import read_identity, read_instance, read_names
from app.adapters.dicom.keywords import KEPT
from app.core.errors import AnalysisError
from app.core.values import View
from tests.factories import sector, us_instance

SYNTAXES = [ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless, JPEGLSLossless]
LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF")
VRS = [b"OB", b"OW", b"SQ", b"UN", b"UT", b"UI", b"US", b"UL", b"SS", b"IS", b"DS", b"CS", b"LO", b"PN", b"FD", b"AT"]
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
TAGS = sorted(int(pydicom.datadict.tag_for_keyword(keyword) or 0) for keyword in KEPT)
UNDEFINED = 0xFFFFFFFF
SLOWEST_S = 2


@dataclass(frozen=True)
class Element:
    """A data element as it will stand in the file.

    Attributes
    ----------
    stated_length : int or None
        What the length field says; None: the truth.
    """

    tag: int
    vr: bytes
    value: bytes
    stated_length: int | None = None

    def written(self) -> bytes:
        length = len(self.value) if self.stated_length is None else self.stated_length
        head = struct.pack("<HH", self.tag >> 16, self.tag & 0xFFFF) + self.vr
        head += b"\0\0" + struct.pack("<I", length) if self.vr in LONG else struct.pack("<H", length & 0xFFFF)
        return head + self.value + (SEQUENCE_END if length == UNDEFINED else b"")


Elements = list[Element]
Change = Callable[[Elements], Elements]


def taken_apart(syntax: str) -> tuple[bytes, Elements]:
    """Make a good object; give what stands before its data set, and the data set's elements."""
    whole = us_instance(pixels=sector(64, 96), view=View.LIVER_KIDNEY, transfer_syntax=syntax)
    dataset = pydicom.dcmread(BytesIO(whole))
    del dataset.file_meta
    elements = [_element(dataset, tag) for tag in list(dataset.keys())]
    head = whole[: whole.index(elements[0].written())]
    assert head + b"".join(each.written() for each in elements) == whole
    return head, elements


def _element(dataset: pydicom.Dataset, tag: pydicom.tag.BaseTag) -> Element:
    alone, buffer = pydicom.Dataset(), BytesIO()
    alone[tag] = dataset.get_item(tag)
    pydicom.dcmwrite(buffer, alone, implicit_vr=False, little_endian=True, enforce_file_format=False)
    data = buffer.getvalue()
    vr = data[4:6]
    head, length = (12, struct.unpack("<I", data[8:12])[0]) if vr in LONG else (8, None)
    if length == UNDEFINED:
        return Element(int(tag), vr, data[head : -len(SEQUENCE_END)], UNDEFINED)
    return Element(int(tag), vr, data[head:])


OBJECTS = [taken_apart(syntax) for syntax in SYNTAXES]


def at(place: int, change: Callable[[Element], Elements]) -> Change:
    """Change one element, which any number finds."""

    def changed(elements: Elements) -> Elements:
        index = place % max(len(elements), 1)
        return [*elements[:index], *(made for each in elements[index : index + 1] for made in change(each)),
                *elements[index + 1 :]]  # fmt: skip

    return changed


def nested(element: Element, depth: int) -> Elements:
    """Put an element into so many sequences within each other, of undefined length as long ones are."""
    start = struct.pack("<HH", element.tag >> 16, element.tag & 0xFFFF) + b"SQ\0\0\xff\xff\xff\xff"
    item, item_end = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0\0\0\0\0"
    value = item + (start + item) * (depth - 1) + element.written() + (item_end + SEQUENCE_END) * (depth - 1) + item_end
    return [Element(element.tag, b"SQ", value, UNDEFINED)]


def numbers() -> st.SearchStrategy[bytes]:
    return st.sampled_from([0, 1, 2, 3, 8, 12, 16, 255, 32767, 65535]).map(lambda each: struct.pack("<H", each))


places = st.integers(0, 200)
values = st.one_of(
    numbers(), st.binary(max_size=40), st.text(max_size=20).map(str.encode), st.just(b"1" * 5000), st.just(b"\\" * 999)
)
tags = st.sampled_from(TAGS) | st.integers(0x00080000, 0xFFFFFFFF)
lengths = st.sampled_from([0, 1, 2, 0xFFFE, 0xFFFF, 0x7FFFFFFF, UNDEFINED - 1, UNDEFINED]) | st.integers(0, 1 << 20)
changes = st.one_of(
    places.map(lambda place: at(place, lambda element: [])),
    places.map(lambda place: at(place, lambda element: [element, element])),
    st.builds(lambda place, tag: at(place, lambda element: [replace(element, tag=tag)]), places, tags),
    st.builds(lambda place, vr: at(place, lambda element: [replace(element, vr=vr)]), places, st.sampled_from(VRS)),
    st.builds(lambda place, value: at(place, lambda element: [replace(element, value=value)]), places, values),
    st.builds(
        lambda place, length: at(place, lambda element: [replace(element, stated_length=length)]), places, lengths
    ),
    st.builds(
        lambda place, depth: at(place, lambda element: nested(element, depth)),
        places,
        st.integers(1, 5) | st.sampled_from([63, 1000, 20_000]),
    ),
    st.randoms(use_true_random=False).map(lambda random: lambda elements: random.sample(elements, len(elements))),
)


def test_every_structure_is_read_or_refused(examples: int) -> None:
    tally: Counter[str] = Counter()
    slowest_s = 0.0

    @settings(max_examples=examples, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(OBJECTS), st.sampled_from(OBJECTS), st.lists(changes, min_size=1, max_size=4), st.booleans())
    def look(told: tuple[bytes, Elements], meant: tuple[bytes, Elements], made: list[Change], is_itself: bool) -> None:
        nonlocal slowest_s
        head, elements = told if is_itself else (told[0], meant[1])
        data = head + b"".join(each.written() for each in reduce(lambda some, change: change(some), made, elements))
        gc.disable()  # what hypothesis holds takes half a second to look through
        started = time.process_time()
        for read in (read_identity, read_names, read_instance):
            try:
                read(data)
                tally[f"{read.__name__} ok"] += 1
            except AnalysisError as refusal:
                tally[f"{read.__name__} {refusal.code}"] += 1
        slowest_s = max(slowest_s, time.process_time() - started)
        gc.enable()

    look()
    print(f"{examples} objects, slowest {slowest_s:.2f} s", dict(sorted(tally.items())))
    assert slowest_s < SLOWEST_S
    assert min(tally["read_instance ok"], tally["read_instance not_dicom"]) > examples / 100
