"""One study: its images to the service, the results of its current analysis into Orthanc."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from liver_pdff_bridge.archive import (
    Archive,
    Instance,
    Mark,
    Study,
    digest,
    read_file,
    read_study,
    remove,
    store_file,
    write_mark,
)
from liver_pdff_bridge.errors import NotAnalysed
from liver_pdff_bridge.service import Service, Stored

BATCH = 100
"""Most instances in one request."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done for a study.

    Attributes
    ----------
    settled : bool
        False while images are still coming in.
    accepted, refused, too_large, results, removed : int
        Images that the service took, refused, was not sent; its results that are in Orthanc, and old ones removed.
    """

    settled: bool
    accepted: int = 0
    refused: int = 0
    too_large: int = 0
    results: int = 0
    removed: int = 0


def exchange(archive: Archive, service: Service, study_id: str, *, metadata: int, max_bytes: int) -> Outcome:
    """Bring a study to where nothing is left to do. It may be killed anywhere, and is then begun again.

    Raises
    ------
    BridgeError
        What is in the way; everything up to there is kept.
    """
    study = read_study(archive, study_id, metadata)
    if study and not study.stable:
        return Outcome(settled=False)
    if not study or not study.sources or study.mark == study.goal:
        return Outcome(settled=True)
    outcome = Outcome(settled=True)
    sent = Mark(study.goal.sources)
    if study.mark.sources != sent.sources:
        outcome = send(archive, service, study, max_bytes)
        write_mark(archive, study_id, metadata, sent)
    try:
        urls = service.results(study.study_instance_uid)
    except NotAnalysed:
        write_mark(archive, study_id, metadata, Mark())
        raise
    if urls is None:
        write_mark(archive, study_id, metadata, study.goal)
        return outcome
    kept, removed = bring_results(archive, service, study, urls)
    write_mark(archive, study_id, metadata, replace(sent, results=digest(kept)))
    return replace(outcome, results=len(kept), removed=removed)


def send(archive: Archive, service: Service, study: Study, max_bytes: int) -> Outcome:
    """Send a study's images.

    Raises
    ------
    BridgeError
    """
    fitting = [each for each in study.sources if each.size <= max_bytes]
    stored = [
        service.store((read_file(archive, each) for each in batch), len(batch)) for batch in _batches(fitting, BATCH)
    ]
    return _outcome(stored, too_large=len(study.sources) - len(fitting))


def bring_results(archive: Archive, service: Service, study: Study, urls: Sequence[str]) -> tuple[frozenset[str], int]:
    """Store the current analysis's objects, then remove what an earlier analysis left: a reader never finds none.

    Returns
    -------
    frozenset of str
        The objects that are in Orthanc now, by its names.
    int
        How many were removed.
    """
    kept = frozenset(store_file(archive, service.fetch(url)) for url in urls)
    superseded = [each for each in study.own if each.id not in kept]
    for each in superseded:
        remove(archive, each)
    return kept, len(superseded)


def _batches(instances: Sequence[Instance], size: int) -> Iterator[Sequence[Instance]]:
    return (instances[start : start + size] for start in range(0, len(instances), size))


def _outcome(stored: Sequence[Stored], too_large: int) -> Outcome:
    return Outcome(
        settled=True,
        accepted=sum(each.accepted for each in stored),
        refused=sum(each.refused for each in stored),
        too_large=too_large,
    )
