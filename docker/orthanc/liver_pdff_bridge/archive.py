"""What the bridge reads from Orthanc's REST API, and the mark it leaves there."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from liver_pdff_bridge.errors import ArchiveFault, Gone

OWN_MANUFACTURER = "liver-pdff"
"""(0008,0070) of the service's results: never sent, and replaced when another analysis is current."""
ULTRASOUND_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.6.1",  # Ultrasound Image
        "1.2.840.10008.5.1.4.1.1.3.1",  # Ultrasound Multi-frame Image
        "1.2.840.10008.5.1.4.1.1.6",  # both, retired
        "1.2.840.10008.5.1.4.1.1.3",
    }
)
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_PAGE = 1000


class Archive(Protocol):
    """Orthanc's REST API; every call raises Gone or ArchiveFault."""

    def get(self, path: str) -> bytes:
        """Read a resource."""

    def post(self, path: str, content: bytes) -> bytes:
        """Store an object."""

    def put(self, path: str, content: bytes) -> None:
        """Write a resource."""

    def delete(self, path: str) -> None:
        """Remove a resource."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A DICOM object in Orthanc.

    Attributes
    ----------
    id, file : str
        Orthanc's name of the object, and of the file, which is another when the object was overwritten.
    size : int
        Bytes.
    """

    id: str
    file: str
    size: int
    sop_instance_uid: str
    sop_class_uid: str
    modality: str
    manufacturer: str

    @property
    def is_own(self) -> bool:
        """Say whether the service made it. The same rule as the service's own."""
        return self.manufacturer == OWN_MANUFACTURER and self.sop_class_uid not in ULTRASOUND_CLASSES

    @property
    def is_source(self) -> bool:
        """Say whether the service can read it: ultrasound, or an ultrasound screen as Secondary Capture."""
        screen = self.sop_class_uid == SECONDARY_CAPTURE and self.modality == "US"
        return not self.is_own and (screen or self.sop_class_uid in ULTRASOUND_CLASSES)


@dataclass(frozen=True, slots=True)
class Mark:
    """What was done for a study, kept as its metadata in Orthanc.

    Attributes
    ----------
    sources : str
        Digest of the images that were sent; empty: none.
    results : str or None
        Digest of the results that belong to them; None: not brought yet.
    """

    sources: str = ""
    results: str | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """A study as Orthanc holds it.

    Attributes
    ----------
    stable : bool
        Nothing came in for Orthanc's StableAge.
    """

    id: str
    study_instance_uid: str
    stable: bool
    mark: Mark
    sources: tuple[Instance, ...]
    own: tuple[Instance, ...]

    @property
    def goal(self) -> Mark:
        """The mark that means there is nothing to do for what is in the study now."""
        return Mark(digest(each.file for each in self.sources), digest(each.id for each in self.own))


def digest(names: Iterable[str]) -> str:
    """Name a set of names; their order does not count."""
    return hashlib.sha256("\n".join(sorted(set(names))).encode()).hexdigest()


def read_study(archive: Archive, study_id: str, metadata: int) -> Study | None:
    """Read a study, without its pixels; None if it was deleted.

    Raises
    ------
    Gone
        If something of it was deleted while it was read.
    ArchiveFault
    """
    try:
        study = _get(archive, f"/studies/{study_id}")
    except Gone:
        return None
    instances = tuple(_instances(archive, study_id)) if study["IsStable"] else ()
    return Study(
        id=study_id,
        study_instance_uid=study["MainDicomTags"]["StudyInstanceUID"],
        stable=study["IsStable"],
        mark=_read_mark(_get(archive, f"/studies/{study_id}/metadata?expand").get(str(metadata), "{}")),
        sources=tuple(each for each in instances if each.is_source),
        own=tuple(each for each in instances if each.is_own),
    )


def _instances(archive: Archive, study_id: str) -> Iterator[Instance]:
    """Read those that may concern us; other series are not asked for each object's class."""
    series = {each["ID"]: each["MainDicomTags"] for each in _get(archive, f"/studies/{study_id}/series")}
    for each in _get(archive, f"/studies/{study_id}/instances"):
        tags = series.get(each["ParentSeries"], {})
        modality, manufacturer = tags.get("Modality", ""), tags.get("Manufacturer", "")
        if modality == "US" or manufacturer == OWN_MANUFACTURER:
            yield Instance(
                id=each["ID"],
                file=each["FileUuid"],
                size=each["FileSize"],
                sop_instance_uid=each["MainDicomTags"]["SOPInstanceUID"],
                sop_class_uid=archive.get(f"/instances/{each['ID']}/metadata/SopClassUid").decode(),
                modality=modality,
                manufacturer=manufacturer,
            )


def _read_mark(text: str) -> Mark:
    try:
        return Mark(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ArchiveFault("the study's metadata holds something else than our mark: choose another number") from error


def write_mark(archive: Archive, study_id: str, metadata: int, mark: Mark) -> None:
    """Leave a mark at a study."""
    archive.put(f"/studies/{study_id}/metadata/{metadata}", json.dumps(asdict(mark)).encode())


def read_file(archive: Archive, instance: Instance) -> bytes:
    """Read a DICOM object."""
    return archive.get(f"/instances/{instance.id}/file")


def store_file(archive: Archive, content: bytes) -> str:
    """Store a DICOM object, unless it is there; return Orthanc's name for it.

    Raises
    ------
    ArchiveFault
        If Orthanc did not keep it.
    """
    answer = json.loads(archive.post("/instances", content))
    if answer.get("Status") not in ("Success", "AlreadyStored"):
        raise ArchiveFault(f"Orthanc did not keep a result: {answer.get('Status')}")
    return str(answer["ID"])


def remove(archive: Archive, instance: Instance) -> None:
    """Remove a DICOM object; that it is gone already is fine."""
    try:
        archive.delete(f"/instances/{instance.id}")
    except Gone:
        return


def last_change(archive: Archive) -> int:
    """Tell the number of the newest change."""
    return int(_get(archive, "/changes?last")["Last"])


def changed_studies(archive: Archive, since: int) -> tuple[dict[str, int], int]:
    """Find the studies that something came into after a change.

    Orthanc writes a change when it keeps an object, so a kill before the study is stable loses none of them. It also
    writes one when a study's metadata is written or removed: so a study is sent again when somebody removes its mark.

    Returns
    -------
    dict of str to int
        The first such change of each study, by Orthanc's name.
    int
        The newest change that was read.
    """
    found: dict[str, int] = {}
    done = False
    while not done:
        page = _get(archive, f"/changes?since={since}&limit={_PAGE}")
        for change in page["Changes"]:
            if study_id := _study_of(archive, change):
                found.setdefault(study_id, change["Seq"])
        since, done = page["Last"], page["Done"]
    return found, since


def _study_of(archive: Archive, change: dict[str, Any]) -> str | None:
    try:
        if change["ChangeType"] == "NewInstance":
            return str(_get(archive, f"/instances/{change['ID']}/study")["ID"])
    except Gone:
        return None
    return change["ID"] if (change["ChangeType"], change["ResourceType"]) == ("UpdatedMetadata", "Study") else None


def _get(archive: Archive, path: str) -> Any:
    return json.loads(archive.get(path))
