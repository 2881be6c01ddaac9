"""One form -> parts, each read up to the limit and one byte more."""

from collections.abc import Iterator
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from starlette import formparsers, requests
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartParser

from app.api.spool import UploadSpool
from app.core.errors import InvalidRequest, MalformedMultipart, UnsupportedMediaType
from app.core.values import Content, View
from app.service import Part

FILE_FIELDS = (*View, "instances")
FIELDS = (*FILE_FIELDS, "allow_partial")
FORM_MEDIA_TYPE = "multipart/form-data"
IN_MEMORY_BYTES = 4 << 20
"""A file up to this size, an uncompressed colour screen of 1280 x 960, does not go through a temporary file."""


class WholeFormParser(MultiPartParser):
    """Starlette's parser, but it refuses a form that is cut off: Starlette accepts it, with a truncated last file."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._has_ended = False

    def on_end(self) -> None:
        """Note the closing boundary."""
        self._has_ended = True

    async def parse(self) -> FormData:
        """Parse a form.

        Raises
        ------
        MalformedMultipart
            If it ends before its closing boundary.
        """
        form = await super().parse()
        if not self._has_ended:
            await form.close()
            raise MalformedMultipart("The form ends before its closing boundary: send it again.")
        return form


# Starlette has no other way to say so
requests.MultiPartParser = WholeFormParser  # type: ignore[attr-defined] # not exported
MultiPartParser.spool_max_size = IN_MEMORY_BYTES
formparsers.SpooledTemporaryFile = UploadSpool  # type: ignore[attr-defined, assignment] # does what is asked of one


async def get_form(request: Request) -> FormData:
    """Give the whole form, which FastAPI has parsed: of a repeated field its parameters show the last file only.

    Raises
    ------
    UnsupportedMediaType
        If the body is something else than a form.
    InvalidRequest
        If the form has a field that the call does not know: a misspelt view must not be overlooked.
    """
    sent = request.headers.get("content-type", FORM_MEDIA_TYPE)
    if not sent.lower().startswith(FORM_MEDIA_TYPE):
        raise UnsupportedMediaType(f"Send the files as {FORM_MEDIA_TYPE}, one field a view.")
    form = await request.form()
    if set(form) - set(FIELDS):
        raise InvalidRequest(f"The form has a field that this call does not know. Its fields are {', '.join(FIELDS)}.")
    return form


FormDep = Annotated[FormData, Depends(get_form)]


def read_parts(form: FormData, max_instance_bytes: int) -> tuple[Part, ...]:
    """Read the files of one form.

    Parameters
    ----------
    form : FormData
    max_instance_bytes : int
        One byte more is read at most, so that the service sees that a file is too large without holding it.

    Returns
    -------
    tuple of Part
        In the order of the fields. A field's second file is called ``hepatic_veins[2]``: none is overlooked.
    """
    return tuple(Part(name, contents(upload, max_instance_bytes + 1), view) for name, upload, view in _files(form))


def contents(upload: UploadFile, limit: int) -> Content:
    """Give the beginning of an uploaded file."""
    return cast(UploadSpool, upload.file).contents(limit)


def _files(form: FormData) -> Iterator[tuple[str, UploadFile, View | None]]:
    for field in FILE_FIELDS:
        chosen = [value for value in form.getlist(field) if isinstance(value, UploadFile) and _is_chosen(value)]
        view = None if field == "instances" else View(field)
        for number, upload in enumerate(chosen, start=1):
            yield field if view and number == 1 else f"{field}[{number}]", upload, view


def _is_chosen(upload: UploadFile) -> bool:
    """Tell a file from what a browser sends for a picker left empty: no name and no bytes."""
    return bool(upload.filename or upload.size)
