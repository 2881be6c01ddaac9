"""What schemathesis cannot write by itself: DICOM files in forms, and bodies of STOW-RS, whole and broken.

Loaded by ``st run`` through ``SCHEMATHESIS_HOOKS=tests.fuzz.openapi_hooks``; see `tests.api.test_openapi`.
"""

import zlib
from typing import Any

import schemathesis
from hypothesis import strategies as st

from app.core.values import View
from tests.factories import ct_instance, four_view_study, truncated
from tests.stow import BOUNDARY, CONTENT_TYPE, related

VIEWS = four_view_study(rows=240, columns=320)
STUDY = list(VIEWS.values())
FORM = {str(view): (f"{view}.dcm", content, "application/dicom") for view, content in VIEWS.items()}

contents = st.sampled_from([*STUDY, ct_instance(), truncated(STUDY[0])]) | st.binary(max_size=300)
part_headers = st.sampled_from([b"Content-Type: application/dicom\r\n", b"", b"Content-Type: text/plain\r\n"])
bodies = st.one_of(
    st.builds(related, st.lists(st.sampled_from(STUDY), max_size=5)),
    st.builds(related, st.lists(contents, max_size=5)),
    st.builds(related, st.lists(contents, max_size=5), headers=part_headers, end=st.sampled_from([b"--\r\n", b""])),
    st.builds(bytes.__add__, st.just(f"--{BOUNDARY}\r\n".encode()), st.binary(max_size=300)),
    st.binary(max_size=300),
)
schemathesis.openapi.media_type('multipart/related; type="application/dicom"', bodies)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Name the boundary of STOW-RS; let every other form carry the study, so that there is something to read."""
    if isinstance(case.body, bytes) and "dicom-web" in case.path:
        case.headers["Content-Type"] = CONTENT_TYPE
    elif case.method == "POST" and isinstance(case.body, dict) and zlib.crc32(repr(case.body).encode()) % 2:
        kwargs["files"] = {"file": FORM[View.LIVER_KIDNEY]} if case.path == "/v1/previews" else FORM
