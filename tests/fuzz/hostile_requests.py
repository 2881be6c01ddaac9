"""Make requests that are nearly right: from a seed and a number, the same bytes each time.

A request begins as a documented call and is then changed in its parts: target, parameters, headers, framing, the
structure of its form, the contents. What it is owed is known from how it was made: an answer, an end of some kind
(an answer or a closed connection), or nothing, where it is incomplete or nobody can tell.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from app.core.values import View

ID_MARK: Final = b"{{analysis}}"
KEY_MARK: Final = b"{{key}}"
BASIC_MARK: Final = b"{{basic}}"
"""Stand for what only a running service has, so that the same bytes can be sent to another."""
CANARY: Final = b"zq\"'><zq>"
"""In no page unless escaped."""
HEAD_LIMIT: Final = 64 * 1024

Pair = tuple[bytes, bytes]


class Owed(StrEnum):
    """What a request is owed."""

    ANSWER = "answer"
    END = "end"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it goes over the wire, marks in place.

    Attributes
    ----------
    data : bytes
    method : bytes
    owed : Owed
    is_last : bool
        Whether its answer closes the connection, or may.
    template : int or None
        Number of the study that it is, whole; its answer must have that study's numbers.
    """

    data: bytes
    method: bytes
    owed: Owed
    is_last: bool = False
    template: int | None = None

    @property
    def has_key(self) -> bool:
        """Whether the key stands in it."""
        return KEY_MARK in self.data or BASIC_MARK in self.data

    @property
    def path(self) -> bytes:
        """What is asked for, decoded, without query."""
        target = self.data.split(b"\r\n", 1)[0].split(b" ")[1:2]
        return unquote_to_bytes(target[0].partition(b"?")[0]) if target else b""


@dataclass(slots=True)
class Draft:
    """A request in parts.

    Attributes
    ----------
    framing : list of pairs or None
        Headers that say how long the body is; None for the right Content-Length.
    """

    method: bytes
    target: bytes
    version: bytes = b"HTTP/1.1"
    headers: list[Pair] = field(default_factory=lambda: [(b"Host", b"127.0.0.1")])
    body: bytes = b""
    framing: list[Pair] | None = None
    owed: Owed = Owed.ANSWER
    is_last: bool = False
    template: int | None = None

    def written(self) -> bytes:
        """Give the bytes."""
        framing = self.framing
        if framing is None:
            framing = [(b"Content-Length", b"%d" % len(self.body))] if self.body or self.method == b"POST" else []
        lines = [b"%s %s %s\r\n" % (self.method, self.target, self.version)]
        lines += [b"%s: %s\r\n" % pair for pair in [*self.headers, *framing]]
        return b"".join(lines) + b"\r\n" + self.body

    def sent(self) -> Sent:
        """Finish it."""
        return Sent(self.written(), self.method, self.owed, self.is_last, self.template)


@dataclass(frozen=True, slots=True)
class Material:
    """What requests are made from.

    Attributes
    ----------
    paths : mapping
        Of the OpenAPI document.
    studies : sequence of dict
        View to DICOM file; small.
    study_uids : sequence of bytes
    contents : sequence of bytes
        Other files: broken, of another kind, small.
    """

    paths: Mapping[str, Any]
    studies: Sequence[Mapping[View, bytes]]
    study_uids: Sequence[bytes]
    contents: Sequence[bytes]


# --- values ---------------------------------------------------------------------------------------------------

NASTY: Final[tuple[bytes, ...]] = (
    b"", b" ", b"\0", b"%", b"..", b"../../etc/passwd", b"/", b"//", b"\\", b";", b"?", b"#", b"&", b"=", b"+", b"*",
    CANARY, b"<script>alert(1)</script>", b"{{7*7}}", b"${7*7}", b"' OR 1=1--", b'"', b"\r\nX-Injected: 1", b"\n",
    b"-1", b"0", b"1", b"00", b"1e309", b"NaN", b"Infinity", b"-0", b"1.5", b"9" * 20, b"9" * 400, b"0x10", b"1_000",
    b"null", b"true", b"[]", b"{}", b"None", b"undefined", b"A" * 63, b"A" * 65, b"A" * 2000, b"1." * 40, b"." * 64,
    "é".encode(), "e\u0301".encode(), "\u202e".encode(), "\U0001f9a0".encode(), "\u0663".encode(), "\u00bd".encode(),
    b"\xed\xa0\x80", b"\xc0\xaf", b"\xff\xfe", b"\x80", b"\x7f", b"\x1b[31m", "\u2028".encode(), "\ufeff".encode(),
    b"2025-02-30", b"2025-01-01", b"0001-01-01T00:00:00Z", b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59Z",
    b"9999-12-31T23:59:59-14:00", b"2025-01-01T00:00:00+99:99", b"2025-01-01T24:00:00", b"-1-01-01", b"1e10", b"-1e10",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616",
)  # fmt: skip
GOOD: Final[Mapping[str, tuple[bytes, ...]]] = {
    "view": tuple(view.value.encode() for view in View),
    "target": (b"pdff", b"ge5", b"ge10"),
    "limit": (b"1", b"5"),
    "since": (b"2025-01-01T00:00:00Z", b"2099-01-01", b"1e3"),
    "before": (b"2025-01-01T00:00:00Z",),
    "after_id": (b"1000000000", b"9223372036854775000"),
    "first_day": (b"2025-01-01",),
    "last_day": (b"2025-01-01",),
}
METHODS: Final = (
    b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND", b"PURGE", b"SEARCH",
    b"MKCOL", b"LINK", b"QUERY",
)  # fmt: skip
COSTLY: Final = ("/v1/audit", "/metrics", "/v1/bundle")
"""Answers that grow with all that was asked, or are long: seldom asked for, so that more can be asked."""
PAGES: Final = (b"/", b"/analyses?study=1.2", b"/docs", b"/redoc", b"/livez", b"/readyz", b"/static/icon.svg",
b"/favicon.ico",
                b"/static/", b"/static", b"/nothing", b"/v1", b"/v1/", b"/dicom-web")  # fmt: skip
WRONG_KEYS: Final = (
    b"Bearer", b"Bearer ", b"Bearer x", b"bearer liverpdff_00000000_" + b"A" * 43, b"Basic", b"Basic Og==", b"Basic Zg",
    b"Basic !!!!", b"Basic \xe9", b"Basic AAAA", b"Basic " + b"A" * 3000, b"Digest username=x", b"Negotiate abc",
    b"Bearer a.b.c", b"Bearer eyJhbGciOiJub25lIn0.e30.", b"Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.AAAA",
    b"Bearer \xff\xfe", b"Bearer liverpdff_%00_x", b"Bearer liverpdff__", b"\xc3\xa9", b",", b"Bearer x, Bearer y",
    b"Basic eDpsaXZlcnBkZmZfAF8A", b"BEARER  x ", b"Token x", b"Bearer " + b"liverpdff_" * 300,
)  # fmt: skip


def parameter(name: str, rng: random.Random, material: Material) -> bytes:
    """Choose a value for a parameter, percent-encoded: mostly a wrong one, which costs the service least."""
    kind = rng.random()
    if name == "analysis_id" and kind < 0.2:
        return ID_MARK if kind < 0.03 else b"%08x-0000-4000-8000-%012x" % (rng.getrandbits(32), rng.getrandbits(48))
    if name == "study_instance_uid" and kind < 0.2:
        return rng.choice(material.study_uids) if kind < 0.04 else b"1.2.%d" % rng.getrandbits(60)
    if name in GOOD and kind < 0.5:
        return rng.choice(GOOD[name])
    return encoded(rng.choice(NASTY), rng)


def encoded(value: bytes, rng: random.Random) -> bytes:
    """Percent-encode a value: as one should, all of it, twice, or not quite."""
    style = rng.randrange(8)
    if style == 0:
        return b"".join(b"%%%02x" % each for each in value)
    once = quote_from_bytes(value, safe="").encode()
    if style == 1:
        return once.replace(b"%", b"%25")
    return once + rng.choice((b"", b"", b"%", b"%zz", b"%u0041")) if style == 2 else once


# --- calls ----------------------------------------------------------------------------------------------------


def call(rng: random.Random, material: Material) -> Draft:
    """Take a documented call without a body, with values of our own."""
    if rng.random() < 0.25:
        return Draft(b"GET", rng.choice(PAGES))
    path, operations = rng.choice(list(material.paths.items()))
    if path in COSTLY and rng.random() < 0.9:
        return Draft(b"GET", b"/nothing")
    method, operation = rng.choice(list(operations.items()))
    query = []
    for each in operation.get("parameters", ()):
        value = parameter(each["name"], rng, material)
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", value.decode("latin-1"))
        elif rng.random() < 0.6:
            query.append(each["name"].encode() + b"=" + value)
    query += [rng.choice((b"unknown", b"limit", b"cursor", b"", b"study", b"%00", b"target[]")) + b"=" +
              parameter("", rng, material) for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]  # fmt: skip
    query += query[:1] * rng.choice((0, 0, 0, 1))
    target = path.encode("latin-1") + (
        rng.choice((b"?", b"?", b"?", b"??", b"?&")) + b"&".join(query) if query else b""
    )
    return Draft(method.upper().encode(), target)


def change_target(draft: Draft, rng: random.Random) -> None:
    """Bend the target; it stays one that HTTP allows."""
    target = draft.target
    if not target.startswith(b"/"):
        return  # bent once more, it would be no target
    at = rng.randrange(1, len(target)) if len(target) > 1 else 1
    nasty = encoded(rng.choice(NASTY), rng)
    draft.target = rng.choice(
        (
            target[:at] + nasty + target[at:],
            b"/." + target,
            b"/.." + target,
            b"/static/.." + target,
            b"/static/%2e%2e" + target,
            b"/livez/.." + target,
            b"/livez;" + target,
            b"/docs/%2e%2e" + target,
            b"/" + target,
            target + b"/",
            target + b"%2f",
            target + b"?",
            target + b"%3f",
            target + b"?" + nasty + b"=" + nasty,
            b"/" + target[1:].replace(b"/", b"%2F"),
            target.replace(b"/", b"//"),
            b"/" + target[1:].replace(b"/", b"\\"),
            target.swapcase(),
            b"http://evil.example" + target,
            b"https://127.0.0.1" + target,
            b"*" if draft.method == b"OPTIONS" else target + b"*",
            target + b"?" + b"a=b&" * 500,
            target + b"/a" * 500,
            target + b"a" * 8000,
        )
    )


# --- headers --------------------------------------------------------------------------------------------------

HEADER_VALUES: Final[Mapping[bytes, tuple[bytes, ...]]] = {
    b"Accept": (b"", b"*/*", b"text/html", b"application/json", b"application/dicom+json", b"image/png;q=0", b"*", b",",
                b"text/html;q=x", b"a/b;" * 500, b"application/dicom+json;q=1.5, */*;q=0", CANARY),
    b"Accept-Encoding": (b"", b"gzip", b"identity;q=0, *;q=0", b"br;q=x", b"gzip, " * 500),
    b"Accept-Language": (b"de", b"*", b"x-" + b"a" * 500, CANARY),
    b"Range": (b"bytes=0-0", b"bytes=-1", b"bytes=5-1", b"bytes=0-" + b"9" * 40, b"bytes=" + b"0-1," * 200, b"bytes=",
               b"bytes=0-1,0-1,0-1", b"lines=1-2", b"bytes=abc", b"bytes=--1", b"bytes=\xe9", b"bytes=0-1,,5-"),
    b"If-Range": (b"x", b'"x"', b"Thu, 01 Jan 1970 00:00:00 GMT", b"\xff"),
    b"If-None-Match": (b"*", b'"x"', b'W/"x"', b'"' * 100, b", " * 200, b"\xe9"),
    b"If-Match": (b"*", b'"x"', b"\xe9"),
    b"If-Modified-Since": (b"Thu, 01 Jan 1970 00:00:00 GMT", b"Thu, 99 Foo 9999 99:99:99 GMT", b"0", b"\xe9",
                           b"Thu, 01 Jan 0000 00:00:00 GMT", b"Thu, 01 Jan 99999999999 00:00:00 GMT"),
    b"If-Unmodified-Since": (b"Thu, 01 Jan 1970 00:00:00 GMT", b"x"),
    b"Origin": (b"null", b"http://evil.example", b"http://127.0.0.1", b"", b"://", b"\xe9", b"http://127.0.0.1:1/x"),
    b"Sec-Fetch-Site": (b"cross-site", b"same-origin", b"none", b"", b"\xe9"),
    b"Host": (b"", b"evil.example", b"127.0.0.1:99999", b"[::1]", b"[", b"a b", b"\xe9", CANARY, b"x" * 5000, b"a/b",
              b"user@evil", b"evil.example:80:80", b"..", b"evil\\.example"),
    b"X-Forwarded-For": (b"1.2.3.4", b"unknown", b"\xe9", CANARY, b"1.2.3.4, " * 500, b",", b"[::1]:80",
    b"::ffff:1.2.3.4",
                         b"127.0.0.1", b"1.2.3.4:99999", b"a" * 3000),
    b"X-Forwarded-Proto": (b"https", b"javascript", b"", b"https,http", b"\xe9", b"ws", b"wss"),
    b"X-Forwarded-Host": (b"evil.example", CANARY),
    b"X-Forwarded-Port": (b"0", b"x", b"99999"),
    b"X-Forwarded-Prefix": (b"/evil", b"//evil.example", CANARY, b"\xe9", b"/../.."),
    b"Forwarded": (b"for=1.2.3.4;proto=https;host=evil", b"for=\"[::1]\"", b";;;", b"\xe9"),
    b"X-Real-IP": (b"1.2.3.4",),
    b"X-Original-URL": (b"/livez",),
    b"X-HTTP-Method-Override": (b"DELETE", b"GET"),
    b"Cookie": (b"a=b", b"=", b";" * 300, b"a=" + CANARY, b"\xe9"),
    b"Referer": (b"http://evil.example/", CANARY),
    b"User-Agent": (b"", CANARY, b"\xff" * 50, b"a" * 3000),
    b"X-Request-ID": (b"x", CANARY, b"00000000-0000-4000-8000-000000000000", b"\xe9", b"a" * 5000),
    b"traceparent": (b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"ff", b"\xe9",
    b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-ff"),
    b"tracestate": (b"a=b," * 100, b"\xe9"),
    b"baggage": (b"a=%ff", b"=" * 100),
    b"Content-Type": (b"", b"application/json", b"text/plain; charset=nonsense", b"\xe9", b"a" * 3000, b";", b"/",
                      b"multipart/form-data", b"application/x-www-form-urlencoded", b'text/html; charset="'),
    b"Content-Encoding": (b"gzip", b"br", b"x, y", b""),
    b"Content-Disposition": (b"attachment; filename*=utf-8''%ff",),
    b"TE": (b"trailers", b"gzip;q=x"),
    b"Trailer": (b"Content-Length", b"X"),
    b"Via": (b"1.1 x" * 100,),
    b"Max-Forwards": (b"0", b"-1", b"x"),
    b"Keep-Alive": (b"timeout=0", b"timeout=99999999999"),
    b"Connection": (b"keep-alive", b"Keep-Alive, X-Request-ID", b"x" * 100, b"Host"),
    b"Prefer": (b"respond-async",),
    b"DNT": (b"2",),
    b"Access-Control-Request-Method": (b"DELETE",),
    b"Early-Data": (b"1",),
    b"X-" + b"n" * 300: (b"v", b""),
    b"x_y.z~!#$%&'*+-^`|": (b"v",),
}  # fmt: skip


def change_headers(draft: Draft, rng: random.Random) -> None:
    """Add, double or replace headers; the request stays one that HTTP allows."""
    name = rng.choice(list(HEADER_VALUES))
    value = rng.choice(HEADER_VALUES[name])
    if name == b"Host" or rng.random() < 0.2:
        draft.headers = [pair for pair in draft.headers if pair[0] != name]
    style = rng.randrange(10)
    written = name.swapcase() if style == 0 else name
    padded = rng.choice((b"  %s\t", b"\t%s", b"%s   ")) % value if style == 1 else value
    draft.headers += [(written, padded)] * (2 if style == 2 and name != b"Host" else 1)
    if style == 3:
        draft.headers += [(b"X-%d" % k, b"v" * rng.randrange(40)) for k in range(rng.choice((5, 50, 200)))]
    if style == 4:
        rng.shuffle(draft.headers)


def authorise(draft: Draft, rng: random.Random, *, with_key: bool) -> None:
    """Add credentials of any kind; the right key only where it is wanted."""
    right = (b"Bearer " + KEY_MARK, b"bearer " + KEY_MARK, b"Basic " + BASIC_MARK, b"BASIC " + BASIC_MARK)
    wrong = rng.choice(WRONG_KEYS)
    if with_key:
        draft.headers.append((b"Authorization", rng.choice(right)))
        if rng.random() < 0.03:
            draft.headers.append((b"authorization", wrong))
    elif rng.random() < 0.4:
        draft.headers += [(b"Authorization", wrong)] * rng.choice((1, 1, 1, 2))


# --- forms ----------------------------------------------------------------------------------------------------

FORM_NAMES: Final = (*(view.value.encode() for view in View), b"instances", b"file", b"allow_partial")


@dataclass(slots=True)
class Form:
    """A multipart body in parts.

    Attributes
    ----------
    parts : list of pairs
        Header lines and content.
    closing, newline, padding, preamble, epilogue : bytes
        As they stand around and between the parts.
    """

    kind: bytes
    parameters: list[bytes]
    boundary: bytes
    parts: list[Pair]
    closing: bytes = b"--\r\n"
    newline: bytes = b"\r\n"
    padding: bytes = b""
    preamble: bytes = b""
    epilogue: bytes = b""

    def written(self) -> bytes:
        """Give the body."""
        delimiter = b"--" + self.boundary
        lines = [
            delimiter + self.padding + self.newline + head + self.newline + content + self.newline
            for head, content in self.parts
        ]
        return self.preamble + b"".join(lines) + delimiter + self.closing + self.epilogue

    @property
    def content_type(self) -> bytes:
        """Give the header's value."""
        return b"; ".join([self.kind, *self.parameters])


def file_part(name: bytes, content: bytes) -> Pair:
    """Write a part as browsers do."""
    head = b'Content-Disposition: form-data; name="%s"; filename="a.dcm"\r\nContent-Type: application/dicom\r\n' % name
    return head, content


def change_parts(form: Form, rng: random.Random) -> None:
    """Lose, double, reorder, nest, add parts."""
    at = rng.randrange(len(form.parts)) if form.parts else 0
    style = rng.randrange(8)
    if style == 0:
        form.parts = form.parts[:at] + form.parts[at + 1 :]
    elif style == 1:
        form.parts += form.parts[at : at + 1]
    elif style == 2:
        rng.shuffle(form.parts)
    elif style == 3:
        inner = Form(b"multipart/mixed", [b"boundary=in"], b"in", form.parts)
        head = b'Content-Disposition: form-data; name="instances"\r\nContent-Type: %s\r\n' % inner.content_type
        form.parts = [(head, inner.written())]
    elif style == 4:
        count = rng.choice((5, 50, 50, 300, 1100)) if form.kind == b"multipart/form-data" else 50  # STOW-RS stores each
        form.parts += [file_part(rng.choice(FORM_NAMES), b"x") for _ in range(count)]
    elif style == 5:
        form.parts.append(
            file_part(rng.choice((b"", b"unknown", CANARY, b"\xe9", b"HEPATIC_VEINS", b"a" * 3000)), b"y")
        )
    elif style == 6:
        form.parts.append((b'Content-Disposition: form-data; name="allow_partial"\r\n', rng.choice(NASTY)))
    else:
        form.parts = []


PART_HEADS: Final = (
    b"", b"Content-Disposition: form-data\r\n", b"Content-Disposition: form-data; name\r\n",
    b"Content-Disposition:\r\n",
    b'Content-Disposition: form-data; name=""; filename=""\r\n', b"Content-Disposition: attachment; name=file\r\n",
    b'Content-Disposition: form-data; name="file; filename="a"b"\r\n', b"no colon here\r\n", b": empty\r\n",
    b"\xff\xfe: x\r\n",
    b'content-disposition: FORM-DATA; NAME="file"; FILENAME="a.dcm"\r\nContent-Type: application/dicom\r\n',
    b'Content-Disposition: form-data;\r\n name="file";\r\n\tfilename="a.dcm"\r\n',
    b'Content-Disposition: form-data; name="file"; filename*=UTF-8\'\'%e2%82%ac%00%ff\r\n',
    b'Content-Disposition: form-data; name*=utf-8\'\'file; filename="\\"\\\\"\r\n',
    b'Content-Disposition: form-data; name="file"; filename="../../etc/passwd\0"\r\n',
    b'Content-Disposition: form-data; name="file"; filename="' + CANARY.replace(b'"', b"%22") + b'"\r\n',
    b'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n',
    b'Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Transfer-Encoding: base64\r\n',
    b'Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: multipart/mixed; boundary=b\r\n',
    b'Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: text/plain; charset=nonsense\r\n',
    b'Content-Disposition: form-data; name="_charset_"\r\n', b"X: y\r\n" * 100, b"X: " + b"y" * 9000 + b"\r\n",
    b"X" * 9000 + b": y\r\n", b"Content-Type: application/dicom\r\nContent-Length: -1\r\n",
    b"Content-Type: text/html\r\n",
    b"Content-Type: application/dicom; transfer-syntax=*\r\n", b"Content-Type: Application/DICOM\r\n", b"a:b\nc:d\r\n",
    b"Content-Type\r\n", b"Content-Type: \xe9\r\n", b"Content-Type: application/dicom;" + b"a=b;" * 1000 + b"\r\n",
)  # fmt: skip
BOUNDARIES: Final = (
    b"b", b"", b" ", b"-", b"--", b"a" * 70, b"a" * 71, b"a" * 256, b"a" * 1000, b"\xe9", b"a b", b"'()+_,-./:=?",
    b"b--", b"\0",
)  # fmt: skip


def change_form(form: Form, rng: random.Random) -> None:
    """Change one thing about a form's structure."""
    style = rng.randrange(10)
    if style < 3:
        change_parts(form, rng)
    elif style == 3:
        form.boundary = rng.choice(BOUNDARIES)
        form.parameters = [
            *form.parameters[:-1],
            rng.choice((b"boundary=%s", b'boundary="%s"', b"BOUNDARY=%s")) % form.boundary,
        ]
    elif style == 4:
        good = form.boundary
        form.parameters = [*form.parameters[:-1], *rng.choice((
            (), (b"boundary",), (b"boundary=",), (b"boundary=other",), (b"boundary=other", b"boundary=" + good),
            (b"boundary=" + good, b"boundary=other"), (b"boundary*=utf-8''" + good,), (b"boundary*0=" + good[:2],
            b"boundary*1=" + good[2:]),
            (b'boundary="' + good,), (b"boundary='" + good + b"'",), (b'boundary="\\' + good + b'"',),
            (b"charset=nonsense", b"boundary=" + good),
            (b"boundary =" + good,), (b"boundary= " + good,), (b";" * 500, b"boundary=" + good),
            (b"a=b; " * 500 + b"boundary=" + good,),
        ))]  # fmt: skip
    elif style == 5:
        form.kind = rng.choice((
            b"multipart/form-data", b"Multipart/Form-Data", b"multipart/related", b"multipart/mixed", b"multipart/",
            b"multipart/form-dataX",
            b"application/json", b"application/dicom", b"", b"application/x-www-form-urlencoded", b"MULTIPART/RELATED",
        ))  # fmt: skip
    elif style == 6 and form.parts:
        at = rng.randrange(len(form.parts))
        form.parts[at] = (rng.choice(PART_HEADS), form.parts[at][1])
    elif style == 7:
        form.preamble = rng.choice(
            (
                b"\r\n",
                b"text\r\n",
                b"--\r\n",
                b"\0" * 100 + b"\r\n",
                b"--" + form.boundary[:-1] + b"\r\n",
                b"x" * 70_000,
            )
        )
        form.epilogue = rng.choice(
            (b"", b"text", b"\r\n" * 100, b"--" + form.boundary + b"\r\n", b"--" + form.boundary + b"--", b"x" * 70_000)
        )
    elif style == 8:
        form.padding = rng.choice((b" ", b"\t ", b" " * 200, b"x", b"-", b"--", b"\r", b"\0"))
    else:
        form.closing = rng.choice(
            (b"", b"-", b"--", b"--\n", b"--\r\n\r\n", b"--x", b" --\r\n", b"\r\n", b"--\r\n--b--\r\n")
        )
        form.newline = rng.choice((b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"", b"\n\r"))


def content(rng: random.Random, material: Material) -> bytes:
    """Choose a file: mostly one that costs little to refuse."""
    kind = rng.random()
    if kind < 0.85:
        return rng.choice(
            (*NASTY, b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + rng.randbytes(60), rng.randbytes(200))
        )
    if kind < 0.98:
        return rng.choice(material.contents)
    whole = bytearray(rng.choice(list(rng.choice(material.studies).values())))
    for _ in range(rng.choice((0, 1, 5))):
        whole[rng.randrange(len(whole))] = rng.getrandbits(8)
    return bytes(whole if rng.random() < 0.7 else whole[: rng.randrange(len(whole))])


def form_call(rng: random.Random, material: Material) -> Draft:
    """Make a call with a multipart body, its structure changed."""
    is_study = rng.random() < 0.005
    path = rng.choice((b"/v1/analyses", b"/v1/previews", b"/dicom-web/studies", b"/dicom-web/studies/1.2.3"))
    study = rng.choice(material.studies)
    files = [(view.value.encode(), data) for view, data in study.items()] if is_study else [
        (rng.choice(FORM_NAMES), content(rng, material)) for _ in range(rng.choice((0, 1, 1, 2, 4, 6)))
    ]  # fmt: skip
    if path.startswith(b"/dicom-web"):
        dicom = b"Content-Type: application/dicom\r\n"
        form = Form(
            b"multipart/related",
            [b'type="application/dicom"', b"boundary=b0undary"],
            b"b0undary",
            [(dicom, each) for _, each in files],
        )
    else:
        names = (lambda name: b"file") if path == b"/v1/previews" else (lambda name: name)
        form = Form(
            b"multipart/form-data",
            [b"boundary=b0undary"],
            b"b0undary",
            [file_part(names(name), each) for name, each in files],
        )
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        change_form(form, rng)
    body = form.written()
    if rng.random() < 0.15:
        body = body[: rng.randrange(len(body) + 1)]
    if rng.random() < 0.1 and body:
        at = rng.randrange(len(body))
        body = (
            body[:at] + rng.choice((b"\0", b"\r", b"\n", b"\r\n", b"-", b"\xff", b"")) + body[at + rng.randrange(3) :]
        )
    draft = Draft(b"POST", path, body=body)
    draft.headers.append((b"Content-Type", form.content_type.replace(b"\r\n", b"").replace(b"\0", b"")))
    return draft


def other_body_call(rng: random.Random, material: Material) -> Draft:
    """Make a call with a body that is no form, or for a call that takes none."""
    draft = call(rng, material)
    draft.method = rng.choice((b"POST", b"POST", draft.method, rng.choice(METHODS)))
    draft.body = rng.choice(
        (b"", b"{}", b'{"a":' * 200, b"[" * 1000, b"a=b&c=%00", b"null", rng.choice(NASTY), rng.randbytes(300))
    )
    draft.headers.append((b"Content-Type", rng.choice(HEADER_VALUES[b"Content-Type"])))
    return draft


def whole_study(rng: random.Random, material: Material, number: int) -> Draft:
    """Send a study as it should be sent: as it is, or as a new question."""
    template = rng.randrange(len(material.studies))
    parts = [file_part(view.value.encode(), data) for view, data in material.studies[template].items()]
    body = Form(b"multipart/form-data", [], b"b0undary", parts).written()
    if rng.random() < 0.2:
        uid = material.study_uids[template]
        body = body.replace(uid, (b"1.3.%020d" % number).ljust(len(uid), b"1")[: len(uid)])
    draft = Draft(b"POST", b"/v1/analyses", body=body, template=template)
    draft.headers.append((b"Content-Type", b"multipart/form-data; boundary=b0undary"))
    return draft


# --- framing: what may leave the connection unusable ------------------------------------------------------------


def _chunks(body: bytes, rng: random.Random) -> bytes:
    at, out = 0, b""
    while at < len(body):
        size = min(rng.choice((1, 7, 100, 5000)), len(body) - at)
        out += b"%x\r\n%s\r\n" % (size, body[at : at + size])
        at += size
    return out


def chunk_well(draft: Draft, rng: random.Random) -> None:
    """Send the body in chunks, with extensions and trailers."""
    last = rng.choice((b"0\r\n", b"000\r\n", b"0;a=b\r\n", b'0;a="b;c"\r\n'))
    trailers = rng.choice(
        (b"", b"", b"X: y\r\n", b"Host: evil.example\r\n", b"Authorization: Bearer x\r\n", b"X: y\r\n" * 100)
    )
    draft.body = _chunks(draft.body[:20_000], rng) + last + trailers + b"\r\n"
    draft.framing = [(b"Transfer-Encoding", rng.choice((b"chunked", b"Chunked", b"chunked ")))]
    draft.template = None


def chunk_badly(draft: Draft, rng: random.Random) -> None:
    """Send chunks that are none."""
    draft.body = draft.body[:2000]
    body = b"5\r\nhello\r\n"
    draft.framing = [(b"Transfer-Encoding", b"chunked")]
    draft.owed = Owed.END
    draft.body = rng.choice((
        b"x\r\n", b"-1\r\n", b"\r\n", b" 5\r\nhello\r\n", b"0x5\r\nhello\r\n", b"5\r\nhelloX\r\n",
        b"5\r\nhello5\r\n", b"1" * 30 + b"\r\n",
        b"f" * 17 + b"\r\n", body + b"g\r\n", body + b"\0", b"5,5\r\nhello\r\n", b"+5\r\nhello\r\n",
        b"5\r\r\nhello\r\n", body + b"0\r\nbad header\r\n\r\n",
        body + b"0\r\nContent-Length: 5\r\n\r\n",
    ))  # fmt: skip


def conflict_lengths(draft: Draft, rng: random.Random) -> None:
    """Say two things about the length, or something that is no length."""
    n = len(draft.body)
    length, coding = b"Content-Length", b"Transfer-Encoding"
    draft.framing = list(rng.choice((
        ((length, b"-1"),), ((length, b"+%d" % n),), ((length, b"0x1"),), ((length, b"1 2"),), ((length, b"1,1"),),
        ((length, b"1.0"),),
        ((length, b"9" * 30),), ((length, b"%d" % (1 << 64)),), ((length, b"abc"),), ((length, b""),), ((length,
        b"1e3"),), ((length, "\u0663".encode()),),
        ((length, b"%d" % n), (length, b"%d" % (n + 1))), ((length, b"%d" % n), (coding, b"chunked")), ((coding,
        b"chunked"), (length, b"%d" % n)),
        ((coding, b"gzip"),), ((coding, b"chunked, gzip"),), ((coding, b"xchunked"),), ((coding, b"chunked"),
        (coding, b"gzip")),
        ((b"Transfer-Encoding ", b"chunked"),), ((b" Content-Length", b"%d" % n),), ((length, b"%d" % (1 << 40)),),
    )))  # fmt: skip
    impossible = draft.framing[0] == (length, b"%d" % (1 << 40))
    draft.owed = Owed.NOTHING if impossible else Owed.END
    if (coding, b"chunked") in draft.framing:
        draft.body = _chunks(draft.body[:2000], rng) + b"0\r\n\r\n"


def announce_more(draft: Draft, rng: random.Random) -> None:
    """Announce more than comes."""
    draft.framing = [(b"Content-Length", b"%d" % (len(draft.body) + rng.choice((1, 2, 100, 10_000_000))))]
    draft.owed = Owed.NOTHING


def expect(draft: Draft, rng: random.Random) -> None:
    """Ask for permission to send the body."""
    draft.headers.append((b"Expect", rng.choice((b"100-continue", b"100-Continue", b"x", b"200-ok"))))
    if rng.random() < 0.5:
        announce_more(draft, rng)
        draft.body = b""


def upgrade(draft: Draft, rng: random.Random) -> None:
    """Ask for another protocol."""
    draft.headers += [
        (b"Connection", b"Upgrade"),
        (b"Upgrade", rng.choice((b"websocket", b"h2c", b"TLS/1.0", b"x" * 300))),
    ]
    draft.headers += rng.choice(
        ([], [(b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="), (b"Sec-WebSocket-Version", b"13")])
    )
    if rng.random() < 0.5:
        draft.method, draft.body, draft.framing = b"GET", b"", None
    draft.owed = Owed.END


def old_version(draft: Draft, rng: random.Random) -> None:
    """Speak HTTP/1.0, or ask for the end of the connection."""
    if rng.random() < 0.5:
        draft.version = b"HTTP/1.0"
    else:
        draft.headers.append((b"Connection", rng.choice((b"close", b"Close", b"close, x"))))


def bad_line(draft: Draft, rng: random.Random) -> None:
    """Break the request line."""
    draft.owed = Owed.END
    style = rng.randrange(5)
    if style == 0:
        draft.version = rng.choice(
            (b"HTTP/9.9", b"HTTP/1.1x", b"http/1.1", b"HTTP/", b"HTTP/1", b"HTTP/1.1 x", b"ICY/1.1", b"HTTP/-1.1")
        )
    elif style == 1:
        draft.method = rng.choice((b"get", b"G\xc9T", b"G T", b"XYZZY", b"A" * 3000, b"G\0T", b"\r\n\r\nGEX", b"GET\t"))
    elif style == 2:
        draft.target = rng.choice(
            (
                b"livez",
                b"http:",
                b"http://",
                b"http:///livez",
                b"//",
                b"http://[::1",
                b"/a b",
                b"/\0",
                b"/\x7f\x01",
                b"\xff",
                b"http://a:b:c/",
            )
        )
    elif style == 3:
        draft.method, draft.target = b"CONNECT", rng.choice((b"127.0.0.1:80", b"/livez", b"evil.example:443", b"*"))
        draft.body, draft.framing = b"", None
    else:
        draft.target = "/\u00e9\u202e".encode() + draft.target
    if style in (2, 4):
        draft.owed = Owed.NOTHING if draft.body else Owed.END


def bad_header(draft: Draft, rng: random.Random) -> None:
    """Break a header line."""
    draft.headers.insert(rng.randrange(len(draft.headers) + 1), rng.choice((
        (b"X\0Y", b"v"), (b"X Y", b"v"), (b"X", b"a\0b"), (b"X", b"a\rb"), (b"X", b"a\r\n folded"), (b"X",
        b"a\r\n\tfolded\r\n more"), (b"", b"v"),
        (b"X\xe9", b"v"), (b"X", b"a\nb: c"), (b"X(", b"v"), (b"\tX", b"v"), (b"X", b"a\x01b"), (b"Host",
        b"a\r\nHost: b"), (b"X:", b": v"),
    )))  # fmt: skip
    draft.owed = Owed.NOTHING


def huge_head(draft: Draft, rng: random.Random) -> None:
    """Send more headers than are taken."""
    many = [(b"X-%d" % k, b"v" * 50) for k in range(1200)]
    draft.headers += rng.choice((many, [(b"X", b"v" * (HEAD_LIMIT + 1))], [(b"X" * (HEAD_LIMIT + 1), b"v")]))
    draft.owed = Owed.END


TAINTS: Final[tuple[tuple[Callable[[Draft, random.Random], None], int], ...]] = (
    (chunk_badly, 12), (conflict_lengths, 20), (announce_more, 6), (expect, 8), (upgrade, 8), (old_version, 14),
    (bad_line, 16),
    (bad_header, 16), (huge_head, 1),
)  # fmt: skip
STRANGE: Final = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(60),
    b"GET /\r\n", b"\r\n" * 50,
    b"\n", b"\0" * 100, b"HTTP/1.1 200 OK\r\n\r\n", b"GET /livez HTTP/1.1\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nX", b"*1\r\n$4\r\nPING\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nGET /livez HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", b"GET /livez\r\n\r\n",
    b"\xef\xbb\xbfGET /livez HTTP/1.1\r\n\r\n",
)  # fmt: skip


def tainted(draft: Draft, rng: random.Random) -> Sent:
    """Make the last request of a connection: its framing is changed, its bytes are, or it is cut."""
    draft.is_last, draft.template = True, None
    kind = rng.random()
    if kind < 0.05:
        return Sent(rng.choice(STRANGE), b"GET", Owed.NOTHING, is_last=True)
    if kind < 0.65:
        rng.choices([taint for taint, _ in TAINTS], [weight for _, weight in TAINTS])[0](draft, rng)
        return draft.sent()
    data = bytearray(draft.written())
    if kind < 0.85:
        del data[rng.randrange(len(data)) :]
    else:
        head = data.index(b"\r\n\r\n") + 4
        for _ in range(rng.choice((1, 1, 2, 5))):
            data[rng.randrange(head)] = rng.choice((0, 9, 10, 13, 32, 34, 44, 58, 127, 128, 255, rng.getrandbits(8)))
    return Sent(bytes(data), draft.method, Owed.NOTHING, is_last=True)


# --- batches --------------------------------------------------------------------------------------------------


def make_batch(seed: int, number: int, material: Material, *, with_keys: bool) -> list[Sent]:
    """Make the requests of one visit.

    Parameters
    ----------
    seed, number : int
        The same two give the same requests.
    material : Material
    with_keys : bool
        Whether the service asks for keys. Half of the batches then have none that is right.

    Returns
    -------
    list of Sent
        All but the last of which can be sent at once.
    """
    rng = random.Random(f"{seed}/{number}")
    may_have_key = with_keys and rng.random() < 0.5
    drafts = [_draft(rng, material, number) for _ in range(rng.choice((1, 4, 8, 16, 16, 24)))]
    for draft in drafts:
        has_key = may_have_key and (draft.template is not None or rng.random() < 0.8)
        authorise(draft, rng, with_key=has_key)
        if with_keys and not has_key:
            draft.template = None
    sent = [draft.sent() for draft in drafts]
    if rng.random() < 0.7:
        sent[-1] = tainted(drafts[-1], rng)
    return sent


def _draft(rng: random.Random, material: Material, number: int) -> Draft:
    kind = rng.random()
    if kind < 0.0005:
        return whole_study(rng, material, number)
    make = call if kind < 0.75 else form_call if kind < 0.93 else other_body_call
    draft = make(rng, material)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        rng.choice((change_target, change_headers, change_headers))(draft, rng)
    if rng.random() < 0.08:
        draft.method = rng.choice(METHODS)
    if draft.body and rng.random() < 0.15:
        chunk_well(draft, rng)
    return draft
