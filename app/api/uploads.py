"""Forms: multipart/form-data in, the files of each field out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import Request

from app.adapters.multipart import MultipartReader, read_value
from app.api.bodies import ReceivedPart, draining, receive_parts
from app.core.errors import InvalidRequest, UnsupportedMediaType
from app.core.values import Content

FORM_MEDIA_TYPE: Final = "multipart/form-data"
MEMORY_BYTES: Final = 16 << 20
"""Of one form; the rest lies on the disk. As many forms as the service takes on at once must fit beside its network."""

MAX_TEXT_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class FormFields:
    """What a call takes.

    Attributes
    ----------
    files, texts : sequence of str
        Names of the fields.
    max_parts : int
    """

    files: Sequence[str]
    texts: Sequence[str] = ()
    max_parts: int = 1


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent.

    Attributes
    ----------
    files : mapping of str to list of Content
        By field, in the order in which they came.
    texts : mapping of str to str
        By field; of several the last.
    """

    files: Mapping[str, list[Content]]
    texts: dict[str, str] = field(default_factory=dict)


async def receive_form(request: Request, fields: FormFields, max_file_bytes: int) -> Form:
    """Receive a form.

    Parameters
    ----------
    request : Request
        Without a Content-Type it is an empty form.
    fields : FormFields
    max_file_bytes : int
        Of a larger file one byte more is kept.

    Raises
    ------
    UnsupportedMediaType
        If the body is something else than a form.
    InvalidRequest
        If a field is unknown, since a misspelt view must not be overlooked, or holds a text instead of a file.
    MalformedMultipart, UploadTooLarge, StorageUnavailable
        As `receive_parts`.
    """
    form = Form({name: [] for name in fields.files})
    media_type, parameters = read_value(request.headers.get("content-type", ""))
    if not media_type:
        return form
    if media_type != FORM_MEDIA_TYPE:
        raise UnsupportedMediaType(f"Send the files as {FORM_MEDIA_TYPE}.")
    reader = MultipartReader(parameters.get("boundary", ""), max_parts=fields.max_parts)
    body = request.stream()
    async with draining(body):
        async for part in receive_parts(body, reader, max_file_bytes, MEMORY_BYTES):
            _sort(part, form, fields)
    return form


def _sort(part: ReceivedPart, form: Form, fields: FormFields) -> None:
    """Put a part where it belongs.

    A browser sends a picker left empty as a part without a file name and without bytes, Swagger UI as an empty text.
    """
    name = part.head.name
    if name in fields.texts:
        if len(part.content) > MAX_TEXT_BYTES:
            raise InvalidRequest(f"{name}: is too long. The interface is described under /docs.")
        form.texts[name] = bytes(part.content).decode("utf-8", "replace")
    elif name not in fields.files:
        raise InvalidRequest(
            "The form has a field that this call does not know. Its fields are "
            f"{', '.join((*fields.files, *fields.texts))}."
        )
    elif part.head.has_filename or part.content:
        form.files[name].append(part.content)


def form_document(properties: Mapping[str, Any], *, required: Sequence[str] = ()) -> dict[str, Any]:
    """Describe a form for OpenAPI.

    Parameters
    ----------
    properties : mapping
        JSON schema of each field.
    required : sequence of str
        Fields that must be there.
    """
    schema: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return {"requestBody": {"required": bool(required), "content": {FORM_MEDIA_TYPE: {"schema": schema}}}}


def file_field(description: str) -> dict[str, Any]:
    """Describe a field for one file; Swagger UI shows a picker for it."""
    return {"type": "string", "format": "binary", "description": description}
