"""Both ends of the bridge, small: an Orthanc of dictionaries, and a service that answers over real HTTP."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from liver_pdff_bridge.archive import OWN_MANUFACTURER
from liver_pdff_bridge.errors import Gone

ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
SCREEN = "1.2.840.10008.5.1.4.1.1.7"
REPORT = "1.2.840.10008.5.1.4.1.1.88.34"
STUDY, STUDY_UID = "study-1", "1.2.3"


@dataclass
class Entry:
    """An object in the archive; its content begins with its SOP Instance UID."""

    uid: str
    sop_class: str = ULTRASOUND
    modality: str = "US"
    manufacturer: str = "Maker"
    study: str = STUDY
    size: int = 1000

    @property
    def content(self) -> bytes:
        return "|".join([self.uid, self.sop_class, self.modality, self.manufacturer, self.study]).encode()


def report(name: str) -> Entry:
    return Entry(name, REPORT, "SR", OWN_MANUFACTURER)


def capture(name: str) -> Entry:
    return Entry(name, SCREEN, "US", OWN_MANUFACTURER)


class FakeArchive:
    """The part of Orthanc's REST API that the bridge uses; keeps changes as Orthanc does."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.metadata: dict[str, str] = {}
        self.changes: list[dict[str, Any]] = []
        self.stable = True

    def add(self, *entries: Entry) -> None:
        for entry in entries:
            self.entries[entry.uid] = entry
            self._change("NewInstance", "Instance", entry.uid)

    @property
    def uids(self) -> set[str]:
        return set(self.entries)

    def mark(self, study: str = STUDY) -> Any:
        return json.loads(self.metadata.get(study, "{}"))

    def get(self, path: str) -> bytes:
        kind, _, rest = path.strip("/").partition("/")
        address = urlsplit(rest)
        if kind.startswith("changes"):
            return json.dumps(self._changes(parse_qs(urlsplit(path).query, keep_blank_values=True))).encode()
        name, _, what = address.path.partition("/")
        return self._instance(name, what) if kind == "instances" else self._study(name, what)

    def post(self, path: str, content: bytes) -> bytes:
        assert path == "/instances"
        uid, sop_class, modality, manufacturer, study = content.decode().split("|")
        if uid in self.entries:
            return json.dumps({"ID": uid, "Status": "AlreadyStored"}).encode()
        self.add(Entry(uid, sop_class, modality, manufacturer, study))
        return json.dumps({"ID": uid, "Status": "Success"}).encode()

    def put(self, path: str, content: bytes) -> None:
        match = re.fullmatch(r"/studies/([^/]+)/metadata/1024", path)
        assert match
        self.metadata[match[1]] = content.decode()
        self._change("UpdatedMetadata", "Study", match[1])

    def delete(self, path: str) -> None:
        if self.entries.pop(path.removeprefix("/instances/"), None) is None:
            raise Gone(path)

    def _change(self, change: str, resource: str, name: str) -> None:
        seq = len(self.changes) + 1
        self.changes.append({"ChangeType": change, "ResourceType": resource, "ID": name, "Seq": seq})

    def _changes(self, query: dict[str, list[str]]) -> dict[str, Any]:
        if "last" in query:
            return {"Changes": self.changes[-1:], "Done": True, "Last": len(self.changes)}
        since = int(query["since"][0])
        page = self.changes[since : since + 3]  # small pages: there is always a next one
        last = page[-1]["Seq"] if page else since
        return {"Changes": page, "Done": last == len(self.changes), "Last": last}

    def _instance(self, name: str, what: str) -> bytes:
        entry = self.entries.get(name)
        if entry is None:
            raise Gone(name)
        answers = {
            "study": json.dumps({"ID": entry.study}),
            "metadata/SopClassUid": entry.sop_class,
            "file": entry.content.decode(),
        }
        return answers[what].encode()

    def _study(self, name: str, what: str) -> bytes:
        held = [entry for entry in self.entries.values() if entry.study == name]
        if not held:
            raise Gone(name)
        answers: dict[str, Any] = {
            "": {"IsStable": self.stable, "MainDicomTags": {"StudyInstanceUID": STUDY_UID}},
            "metadata": {"LastUpdate": "now"} | ({"1024": self.metadata[name]} if name in self.metadata else {}),
            "series": [{"ID": f"series-{entry.uid}", "MainDicomTags": _series_tags(entry)} for entry in held],
            "instances": [
                {
                    "ID": entry.uid,
                    "ParentSeries": f"series-{entry.uid}",
                    "FileUuid": f"file-{entry.uid}",
                    "FileSize": entry.size,
                    "MainDicomTags": {"SOPInstanceUID": entry.uid},
                }
                for entry in held
            ],
        }
        return json.dumps(answers[what]).encode()


def _series_tags(entry: Entry) -> dict[str, str]:
    return {"Modality": entry.modality, "Manufacturer": entry.manufacturer}


@dataclass
class FakeLiverPdff:
    """What the service would answer, and what it was asked."""

    url: str = ""
    results: list[Entry] = field(default_factory=list)
    refused: int = 0
    complete: bool = True
    analysed: bool = True
    known: bool = True
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    stored: list[list[bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    authorization: str | None = None

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append(f"{method} {path}")
        if self.status != 200 or self.body is not None:
            return self.status, self.body or b"{}"
        if method == "POST":
            return self._store(body)
        if path.startswith("/v1/studies/"):
            return self._study()
        entry = next(each for each in self.results if path == f"/v1/{each.uid}")
        return 200, entry.content

    def _store(self, body: bytes) -> tuple[int, bytes]:
        parts = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in body.split(b"--")[1:-2]]
        self.stored.append(parts)
        accepted: Any = {"Value": [{}] * (len(parts) - self.refused)}
        refused: Any = {"Value": [{}] * self.refused}
        return 202 if self.refused else 200, json.dumps({"00081199": accepted, "00081198": refused}).encode()

    def _study(self) -> tuple[int, bytes]:
        if not self.known:
            return 404, b'{"code": "unknown_resource"}'
        analysis = {"dicom_urls": [f"/v1/{each.uid}" for each in self.results]} if self.analysed else None
        missing = [] if self.complete else ["liver_kidney"]
        return 200, json.dumps({"analysis": analysis, "views_missing": missing, "waiting_for": None}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, service: FakeLiverPdff, *arguments: Any) -> None:
        self.service = service
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        assert self.headers["Transfer-Encoding"] == "chunked"
        self._answer(b"".join(self._chunks()))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, body: bytes) -> None:
        self.service.authorization = self.headers["Authorization"]
        status, content = self.service.answer(self.command, self.path, body)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **self.service.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextmanager
def fake_service() -> Iterator[FakeLiverPdff]:
    """Answer on a free port of the loopback."""
    service = FakeLiverPdff()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, service))
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
