"""An archive that speaks DICOMweb: which studies it has (QIDO-RS), and their ultrasound objects (WADO-RS).

PS3.18, 10.6 and 10.4.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx2

from app.adapters.dicom.attributes import is_uid
from app.adapters.multipart import DICOM_MEDIA_TYPE, MultipartReader, Piece, read_boundary, whole_contents
from app.core.errors import UploadError

_JSON: Final = "application/dicom+json"
_RELATED: Final = f'multipart/related; type="{DICOM_MEDIA_TYPE}"; transfer-syntax=*'
_PAGE: Final = 200
_TIMEOUT_S: Final = 60
_STUDY, _SERIES = "0020000D", "0020000E"
_ANY_NUMBER: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Archive:
    """Where an archive is, and what it is told of who asks.

    Attributes
    ----------
    studies_url : str
        Its resource of studies, without a query.
    authorization : str
        Authorization header; empty: none.
    max_instance_bytes : int
        Of a larger object only the beginning is read.
    """

    studies_url: str
    authorization: str = field(repr=False)
    max_instance_bytes: int

    def client(self) -> httpx2.Client:
        """Open a client."""
        headers = {"Authorization": self.authorization} if self.authorization else {}
        return httpx2.Client(headers=headers, timeout=_TIMEOUT_S, follow_redirects=False)


@dataclass(frozen=True, slots=True)
class ArchivedStudy:
    """One study of an archive.

    Attributes
    ----------
    archive : Archive
    study_instance_uid : str
        (0020,000D).
    """

    archive: Archive
    study_instance_uid: str

    def contents(self) -> Iterator[bytes]:
        """Fetch the objects of its ultrasound series.

        Raises
        ------
        ConnectionError
        """
        url = f"{self.archive.studies_url}/{self.study_instance_uid}/series"
        with self.archive.client() as client:
            for series_uid in _uids(client, url, {"Modality": "US"}, _SERIES):
                yield from _objects(client, f"{url}/{series_uid}", self.archive.max_instance_bytes)


def find_studies(query_url: str, authorization: str, max_instance_bytes: int) -> list[ArchivedStudy]:
    """Ask an archive which studies it has.

    Parameters
    ----------
    query_url : str
        A QIDO-RS query: ``https://pacs/dicom-web/studies?ModalitiesInStudy=US&StudyDate=20260101-20260131``.
    authorization : str
    max_instance_bytes : int

    Raises
    ------
    ConnectionError
    """
    parts = urlsplit(query_url)
    archive = Archive(urlunsplit(parts._replace(query="")).rstrip("/"), authorization, max_instance_bytes)
    with archive.client() as client:
        uids = _uids(client, archive.studies_url, dict(parse_qsl(parts.query)), _STUDY)
        return [ArchivedStudy(archive, uid) for uid in uids]


def _uids(client: httpx2.Client, url: str, query: Mapping[str, str], tag: str) -> Iterator[str]:
    """Follow a query page by page, until one brings nothing new; each UID is given once.

    Some archives do not page, and some send fewer than they were asked for, whether they say so in a Warning or not
    (PS3.18 8.3.4): what arrived says where the next page begins.
    """
    is_one_page = "limit" in query
    known: set[str] = set()
    offset = 0
    while True:
        asked = query if is_one_page else {**query, "limit": str(_PAGE), "offset": str(offset)}
        page = [_uid(each, tag) for each in _page(client, url, asked)]
        new = [uid for uid in dict.fromkeys(page) if uid not in known]
        yield from new
        if is_one_page or not new:
            return
        known.update(new)
        offset += len(page)


def _page(client: httpx2.Client, url: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
    try:
        answer = client.get(url, params=query, headers={"Accept": _JSON}).raise_for_status()
        return list(answer.json()) if answer.status_code != httpx2.codes.NO_CONTENT else []
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        raise ConnectionError(_sentence(error)) from error


def _objects(client: httpx2.Client, url: str, max_instance_bytes: int) -> Iterator[bytes]:
    """Fetch objects as they are stored; one at a time is in memory."""
    try:
        with client.stream("GET", url, headers={"Accept": _RELATED}) as answer:
            answer.raise_for_status()
            yield from whole_contents(_pieces(answer), max_instance_bytes)
    except (httpx2.HTTPError, UploadError) as error:
        raise ConnectionError(_sentence(error)) from error


def _pieces(answer: httpx2.Response) -> Iterator[Piece]:
    reader = MultipartReader(read_boundary(answer.headers.get("Content-Type", "")), max_parts=_ANY_NUMBER)
    for data in answer.iter_bytes():
        yield from reader.feed(data)
    reader.close()


def _uid(attributes: Mapping[str, Any], tag: str) -> str:
    try:
        uid = str(attributes[tag]["Value"][0])
    except (KeyError, IndexError, TypeError) as error:
        raise ConnectionError(f"The archive lists something without ({tag[:4]},{tag[4:]}).") from error
    if not is_uid(uid):  # it becomes part of an address
        raise ConnectionError(f"The archive lists something whose ({tag[:4]},{tag[4:]}) is not a UID.")
    return uid


def _sentence(error: Exception) -> str:
    """Say what is wrong without the address, which may name a study."""
    if isinstance(error, httpx2.HTTPStatusError):
        return f"The archive answers {error.response.status_code}."
    return f"The archive does not answer as DICOMweb does: {type(error).__name__}."
