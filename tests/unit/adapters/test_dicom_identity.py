"""Which object this is, of any kind, and what it calls itself, before its pixels are looked at."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from pydicom.uid import (
    MPEG4HP41,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from app.adapters.dicom import check_identity, read_identity, read_instance, read_names
from app.adapters.dicom.checks import OWN_MANUFACTURER
from app.core.errors import MissingAttribute, NotDicom, NotUltrasound, OwnResult, UnsupportedTransferSyntax
from app.core.values import View
from tests.factories import ENCODERS, NATIVE, ct_instance, truncated, uid, us_instance


def own_capture(**attributes: object) -> bytes:
    own = {"SOPClassUID": SecondaryCaptureImageStorage, "Manufacturer": OWN_MANUFACTURER}
    return us_instance(attributes=own | attributes)


def deflated() -> bytes:
    data = us_instance(transfer_syntax=ExplicitVRLittleEndian)
    head, body = data[: data.index(b"\x08\x00\x05\x00CS")], data[data.index(b"\x08\x00\x05\x00CS") :]
    pressed = zlib.compressobj(wbits=-15)
    old, new = ExplicitVRLittleEndian.encode(), DeflatedExplicitVRLittleEndian.encode()
    return head.replace(old + b"\0", new, 1) + pressed.compress(body) + pressed.flush()


ROWS = struct.pack("<HH2sH", 0x0028, 0x0010, b"US", 2)


def elements(whole: bytes) -> Iterator[bytes]:
    """Cut the data set of an object, Explicit VR Little Endian, into its elements, up to its rows."""
    at = whole.index(struct.pack("<HH", 0x0008, 0x0005))
    while whole[at : at + 8] != ROWS:
        vr, length = struct.unpack_from("<2sH", whole, at + 4)
        head = 8
        if vr in (b"SQ", b"UN", b"OB", b"OW", b"UT"):
            head, length = 12, struct.unpack_from("<L", whole, at + 8)[0]
        yield whole[at : at + head + length]
        at += head + length


class TestIdentity:
    @pytest.mark.parametrize("syntax", [*NATIVE, *ENCODERS])
    def test_an_image_says_which_one_it_is(self, syntax: str) -> None:
        identity = read_identity(us_instance(transfer_syntax=syntax))
        assert identity.transfer_syntax_uid == syntax
        assert identity.sop_class_uid == UltrasoundImageStorage
        assert identity.study_instance_uid == uid("study", 1, 1)
        check_identity(identity)

    def test_the_beginning_of_an_object_is_enough(self) -> None:
        whole = us_instance()
        assert read_identity(truncated(whole, 0.1)) == read_identity(whole)
        assert read_names(truncated(whole, 0.1)) == read_instance(whole).view_texts

    @pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Modality"])
    def test_tags_may_be_out_of_order(self, keyword: str) -> None:
        whole, without = us_instance(), us_instance(without=[keyword])
        [element] = set(elements(whole)) - set(elements(without))
        at = without.index(ROWS)
        moved = without[:at] + element + without[at:]
        assert read_identity(moved) == read_identity(whole)
        assert read_names(moved) == read_names(whole)
        assert np.array_equal(read_instance(moved).pixels, read_instance(whole).pixels)

    def test_any_kind_of_object_has_one(self) -> None:
        assert read_identity(ct_instance()).sop_class_uid == CTImageStorage

    @pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SOPInstanceUID", "SOPClassUID"])
    def test_what_is_missing_is_named(self, keyword: str) -> None:
        with pytest.raises(MissingAttribute) as caught:
            check_identity(read_identity(us_instance(without=[keyword])))
        assert caught.value.facts["missing_attributes"] == [keyword]

    def test_a_text_that_is_no_uid_is_not_repeated(self) -> None:
        identity = read_identity(us_instance(attributes={"StudyInstanceUID": "1.2"}).replace(b"1.2\0", b"A.B\0"))
        assert identity.study_instance_uid == ""

    def test_a_deflated_object_is_known_by_its_file(self) -> None:
        identity = read_identity(deflated())
        assert identity.sop_instance_uid == read_identity(us_instance()).sop_instance_uid
        with pytest.raises(UnsupportedTransferSyntax):
            check_identity(identity)

    @pytest.mark.parametrize("data", [b"", b"%PDF-1.7", bytes(132), bytes(128) + b"DICM"])
    def test_what_is_no_dicom_has_none(self, data: bytes) -> None:
        with pytest.raises((NotDicom, MissingAttribute)):
            read_identity(data)


class TestNames:
    def test_a_video_is_named_as_any_image(self) -> None:
        video = us_instance(view=View.LIVER_KIDNEY, transfer_syntax=MPEG4HP41, codestreams=[b"no video"])
        assert read_names(video).image == ("Liver kidney",)
        with pytest.raises(UnsupportedTransferSyntax):
            read_instance(video)

    def test_another_modality_is_not_looked_at(self) -> None:
        with pytest.raises(NotUltrasound):
            read_names(truncated(ct_instance(), 0.5))

    def test_our_own_results_are_no_images(self) -> None:
        for read in (read_names, read_instance):
            with pytest.raises(OwnResult, match="result of this service"):
                read(own_capture())

    def test_an_image_by_a_maker_of_the_same_name_is_one(self) -> None:
        assert read_names(us_instance(attributes={"Manufacturer": OWN_MANUFACTURER}))
