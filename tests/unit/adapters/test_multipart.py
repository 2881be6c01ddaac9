import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.multipart import MAX_PREAMBLE_BYTES, RelatedPart, RelatedReader, read_boundary
from app.core.errors import MalformedMultipart, UnsupportedMediaType, UploadTooLarge
from tests.stow import BOUNDARY, related

NASTY = st.binary(max_size=40) | st.sampled_from(
    [b"--" + BOUNDARY.encode(), b"\r\n", b"\r\n--a-bound", b"\r\n--" + BOUNDARY.encode() + b"x", b"-", b"\r"]
)
"""Contents that look like a boundary and are none: only a line that begins with it is one."""


def reader(max_part_bytes: int = 10_000, max_parts: int = 100, boundary: str = BOUNDARY) -> RelatedReader:
    return RelatedReader(boundary.encode(), max_part_bytes=max_part_bytes, max_parts=max_parts)


def parts(body: bytes, step: int = 1 << 20, asked: RelatedReader | None = None) -> list[RelatedPart]:
    asked = asked or reader()
    found = [part for at in range(0, len(body), step) for part in asked.feed(body[at : at + step])]
    asked.close()
    return found


class TestReadBoundary:
    @pytest.mark.parametrize(
        ("sent", "boundary"),
        [
            ('multipart/related; type="application/dicom"; boundary=abc', b"abc"),
            ('multipart/related; type="application/dicom"; boundary="a b=c"', b"a b=c"),
            ("Multipart/Related;boundary=abc;TYPE=application/dicom", b"abc"),
            ('multipart/related; type="Application/DICOM"; start="<x>"; boundary=abc', b"abc"),
        ],
    )
    def test_quoted_or_bare(self, sent: str, boundary: bytes) -> None:
        assert read_boundary(sent) == boundary

    @pytest.mark.parametrize(
        "sent",
        [
            "",
            "application/dicom",
            "multipart/form-data; boundary=abc",
            "multipart/related; boundary=abc",
            'multipart/related; type="application/dicom+json"; boundary=abc',
        ],
    )
    def test_other_media_types_are_refused(self, sent: str) -> None:
        with pytest.raises(UnsupportedMediaType, match="application/dicom"):
            read_boundary(sent)

    @pytest.mark.parametrize("end", ["", "; boundary=", '; boundary=""'])
    def test_no_boundary(self, end: str) -> None:
        with pytest.raises(MalformedMultipart, match="no boundary"):
            read_boundary(f'multipart/related; type="application/dicom"{end}')


class TestRelatedReader:
    @given(st.lists(NASTY.filter(lambda content: not content.startswith(b"--" + BOUNDARY.encode())), max_size=5),
           st.integers(1, 60), st.sampled_from([b"", b"\r\n", b"a preamble\r\n", b"--a-bound\n"]))  # fmt: skip
    def test_parts_arrive_as_they_were_sent_however_the_body_is_cut(
        self, contents: list[bytes], step: int, preamble: bytes
    ) -> None:
        clean = [content.replace(b"\r\n--" + BOUNDARY.encode(), b"") for content in contents]
        assert [part.content for part in parts(preamble + related(clean), step)] == clean

    @pytest.mark.parametrize("end", [b"--", b"--\r\n", b"--\r\nan epilogue"])
    def test_nothing_has_to_follow_the_last_boundary(self, end: bytes) -> None:
        assert len(parts(related([b"x"], end=end))) == 1

    def test_a_part_is_given_when_the_next_begins(self) -> None:
        body = related([b"first", b"second"])
        given_so_far = list(reader().feed(body[: body.index(b"second")]))
        assert [part.content for part in given_so_far] == [b"first"]

    def test_a_part_says_what_it_is_or_is_what_the_body_is(self) -> None:
        named = parts(related([b"x"], headers=b"content-TYPE: Text/Plain; a=b\r\n"))
        unnamed = parts(related([b"x"], headers=b"X-Other: y\r\n")) + parts(related([b"x"], headers=b""))
        assert [part.media_type for part in named + unnamed] == ["text/plain", *["application/dicom"] * 2]

    @pytest.mark.parametrize("cut", [1, 3, 10, 60])
    def test_a_body_that_stops_early_is_noticed(self, cut: int) -> None:
        body = related([bytes(100)], end=b"--")
        with pytest.raises(MalformedMultipart, match="ends before"):
            parts(body[:-cut])

    @pytest.mark.parametrize("body", [b"", b"nothing of the kind", b"x" * (MAX_PREAMBLE_BYTES + 99), b"--other\r\n"])
    def test_a_body_without_its_boundary_is_malformed(self, body: bytes) -> None:
        with pytest.raises(MalformedMultipart):
            parts(body)

    @pytest.mark.parametrize("headers", [b"no colon\r\n", b"A: " + b"x" * 100_000 + b"\r\n", b"A: b\r\n" * 100])
    def test_headers_are_bounded(self, headers: bytes) -> None:
        with pytest.raises(MalformedMultipart, match="cannot be told apart"):
            parts(related([b"x"], headers=headers))

    def test_a_boundary_that_is_too_long(self) -> None:
        with pytest.raises(MalformedMultipart, match="too long"):
            reader(boundary="x" * 1000)

    def test_of_a_large_part_only_the_beginning_is_kept(self) -> None:
        found = parts(related([bytes(50_000), b"small"]), asked=reader(max_part_bytes=99))
        assert [len(part.content) for part in found] == [100, 5]

    def test_too_many_parts_end_it(self) -> None:
        with pytest.raises(UploadTooLarge, match="more than 3 parts") as caught:
            parts(related([b""] * 10_000), asked=reader(max_parts=3))
        assert caught.value.facts == {"limit_parts": 3}
