import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.multipart import (
    MAX_HEAD_BYTES,
    MAX_PADDING_BYTES,
    MAX_PREAMBLE_BYTES,
    MultipartReader,
    PartEnd,
    PartHead,
    read_boundary,
    read_head,
    read_value,
    whole_contents,
)
from app.core.errors import MalformedMultipart, UnsupportedMediaType, UploadTooLarge
from tests.stow import BOUNDARY, related

NASTY = st.binary(max_size=40) | st.sampled_from(
    [b"--" + BOUNDARY.encode(), b"\r\n", b"\r\n--a-bound", b"\r\n--" + BOUNDARY.encode() + b"x", b"-", b"\r"]
)
"""Contents that look like a boundary and are none: only a line that begins with it is one."""


def reader(max_parts: int = 100, boundary: str = BOUNDARY) -> MultipartReader:
    return MultipartReader(boundary, max_parts=max_parts)


def parts(body: bytes, step: int = 1 << 20, asked: MultipartReader | None = None) -> list[tuple[PartHead, bytes]]:
    asked = asked or reader()
    pieces = [piece for at in range(0, len(body), step) for piece in asked.feed(body[at : at + step])]
    asked.close()
    heads = [piece for piece in pieces if isinstance(piece, PartHead)]
    return list(zip(heads, whole_contents(pieces, 1 << 20), strict=True))


def split(body: bytes, step: int = 1 << 20) -> list[bytes]:
    return [content for _, content in parts(body, step)]


class TestReadBoundary:
    @pytest.mark.parametrize(
        ("sent", "boundary"),
        [
            ('multipart/related; type="application/dicom"; boundary=abc', "abc"),
            ('multipart/related; type="application/dicom"; boundary="a b=c"', "a b=c"),
            ("Multipart/Related;boundary=abc;TYPE=application/dicom", "abc"),
            ('multipart/related; type="Application/DICOM"; start="<x>"; boundary=abc', "abc"),
        ],
    )
    def test_quoted_or_bare(self, sent: str, boundary: str) -> None:
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
        boundary = read_boundary(f'multipart/related; type="application/dicom"{end}')
        with pytest.raises(MalformedMultipart, match="no boundary"):
            reader(boundary=boundary)


@pytest.mark.parametrize(
    ("header", "value", "parameters"),
    [
        ("Text/Plain", "text/plain", {}),
        ("a ; B=c;d = e", "a", {"b": "c", "d": "e"}),
        ('form-data; name="x"; filename="a;name=y.dcm"', "form-data", {"name": "x", "filename": "a;name=y.dcm"}),
        (r'a; b="c\"d\\e"', "a", {"b": 'c"d\\e'}),
        ('a; b="c', "a", {"b": "c"}),
        ("a; b=1; b=2", "a", {"b": "1"}),
        ("a;;; b=c", "a", {"b": "c"}),
        ("", "", {}),
    ],
)
def test_a_headers_value_and_parameters(header: str, value: str, parameters: dict[str, str]) -> None:
    assert read_value(header) == (value, parameters)


@pytest.mark.parametrize(
    ("lines", "head"),
    [
        (b"", PartHead()),
        (b'Content-Disposition: form-data; name="x"', PartHead(name="x")),
        (b'content-disposition:form-data;name=x;filename=""', PartHead(name="x")),
        (b"Content-Disposition: form-data; name=x; filename*=UTF-8''y", PartHead(name="x", has_filename=True)),
        (b'Content-Type: a/b;\r\n\tc=d\r\nContent-Disposition: form-data;\r\n name="x";\r\n filename="y"',
         PartHead("a/b", "x", has_filename=True)),
    ],
)  # fmt: skip
def test_a_parts_headers(lines: bytes, head: PartHead) -> None:
    assert read_head(lines) == head


class TestReader:
    @given(st.lists(NASTY.filter(lambda content: not content.startswith(b"--" + BOUNDARY.encode())), max_size=5),
           st.integers(1, 60), st.sampled_from([b"", b"\r\n", b"a preamble\r\n", b"--a-bound\n"]))  # fmt: skip
    def test_parts_arrive_as_they_were_sent_however_the_body_is_cut(
        self, contents: list[bytes], step: int, preamble: bytes
    ) -> None:
        clean = [content.replace(b"\r\n--" + BOUNDARY.encode(), b"") for content in contents]
        assert split(preamble + related(clean), step) == clean

    @pytest.mark.parametrize("end", [b"--", b"--\r\n", b"--\r\nan epilogue"])
    def test_nothing_has_to_follow_the_last_boundary(self, end: bytes) -> None:
        assert len(parts(related([b"x"], end=end))) == 1

    def test_a_part_ends_when_the_next_begins(self) -> None:
        body = related([b"first", b"second"])
        *_, end, head = reader().feed(body[: body.index(b"second")])
        assert (end, head) == (PartEnd(), PartHead("application/dicom"))

    @pytest.mark.parametrize("padding", [b" ", b"\t \t", b" " * (MAX_PADDING_BYTES - 2)])
    @pytest.mark.parametrize("step", [1, 7, 1 << 20])
    def test_blanks_behind_a_boundary_belong_to_it(self, padding: bytes, step: int) -> None:
        line = b"--" + BOUNDARY.encode()
        body = related([b"one", b"two"]).replace(line + b"\r\n", line + padding + b"\r\n")
        assert split(body, step) == [b"one", b"two"]

    def test_headers_may_be_folded(self) -> None:
        headers = b'Content-Type: application/dicom;\r\n  transfer-syntax="1.2"\r\nX: y\r\n'
        assert parts(related([b"x"], headers=headers)) == [(PartHead("application/dicom"), b"x")]

    @pytest.mark.parametrize("cut", [1, 3, 10, 60])
    def test_a_body_that_stops_early_is_noticed(self, cut: int) -> None:
        body = related([bytes(100)], end=b"--")
        with pytest.raises(MalformedMultipart, match="ends before"):
            parts(body[:-cut])

    @pytest.mark.parametrize("body", [b"", b"nothing of the kind", b"x" * (MAX_PREAMBLE_BYTES + 99), b"--other\r\n"])
    def test_a_body_without_its_boundary_is_malformed(self, body: bytes) -> None:
        with pytest.raises(MalformedMultipart):
            parts(body)

    @pytest.mark.parametrize(
        ("headers", "said"),
        [(b"no colon\r\n", "cannot be read"), (b"A: " + b"x" * MAX_HEAD_BYTES + b"\r\n", "8 KiB of headers")],
    )
    def test_headers_are_bounded(self, headers: bytes, said: str) -> None:
        with pytest.raises(MalformedMultipart, match=said):
            parts(related([b"x"], headers=headers))

    def test_headers_without_end_are_not_kept(self) -> None:
        endless = reader()
        with pytest.raises(MalformedMultipart, match="8 KiB of headers"):
            list(endless.feed(b"--" + BOUNDARY.encode() + b"\r\n" + b"A: b\r\n" * 10_000))

    def test_a_boundary_that_is_too_long(self) -> None:
        with pytest.raises(MalformedMultipart, match="too long"):
            reader(boundary="x" * 1000)

    def test_of_a_large_part_only_the_beginning_is_kept(self) -> None:
        pieces = reader().feed(related([bytes(50_000), b"small"]))
        assert list(map(len, whole_contents(pieces, 99))) == [100, 5]

    def test_too_many_parts_end_it(self) -> None:
        with pytest.raises(UploadTooLarge, match="this call takes, 3") as caught:
            parts(related([b""] * 10_000), asked=reader(max_parts=3))
        assert caught.value.facts == {"limit_parts": 3}
