"""The service's one job, whoever asks for it: parts in, a stored analysis out.

HTTP, STOW-RS and the command line are clients of this module; it knows none of them.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from app.adapters.bundle.engine import Engine, Inquiry, gathered
from app.adapters.bundle.store import Bundle
from app.adapters.drawing.png import encode_png
from app.adapters.machine.turns import in_turn
from app.adapters.reading.allowance import Allowance
from app.adapters.storage.audit_trail import Action, AuditTrail, about
from app.adapters.storage.repository import AnalysisRepository
from app.adapters.telemetry.metrics import Metrics
from app.adapters.telemetry.traces import span
from app.core.access import Actor
from app.core.errors import AnalysisError, DicomError, EmptyUpload, ImageError, UploadTooLarge
from app.core.evidence import Evidence, Recognition, digest_look, gather, recognise
from app.core.naming import ViewRule
from app.core.objects import Introduction
from app.core.pipeline import corrected, fingerprint, is_about, read_outputs
from app.core.recent import Recent
from app.core.scanners import name_scanner
from app.core.tensors import to_picture
from app.core.values import Analysis, Content, Crop, Estimate, View, ViewTexts
from app.core.views import Candidate, Refused, assign_views, evidence_of, refused, told

logger = logging.getLogger(__name__)

REMEMBERED_STUDIES: Final = 10_000
"""Repeats come within hours; one whose study is forgotten, or known to another replica alone, costs some computing."""


MAX_READERS: Final = 4
"""A study has four images; each process has some 60 MB, and the network takes ten times as long as reading."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One file of an upload.

    Attributes
    ----------
    name : str
        The form's name for it, such as ``hepatic_veins`` or ``instances[2]``; never the sender's file name.
    content : bytes or memoryview
        At most one byte more than the limit: enough to see that it is too large.
    declared_view : View or None
        The view that the sender named.
    """

    name: str
    content: Content
    declared_view: View | None = None


class Reading(Protocol):
    """Reads and crops objects: `app.adapters.reading.readers.Readers`."""

    def read(self, content: Content, *, declared: bool = False, allowance: Allowance | None = None) -> Crop:
        """Read and crop one object, whose view the sender may have named; or raise `DicomError` or `ImageError`."""

    def introduce(self, content: Content, *, allowance: Allowance | None = None) -> Introduction:
        """Read what one object says of itself; or raise `DicomError`."""

    def close(self) -> None:
        """Stop."""


class AnalysisService:
    """Answers studies with one bundle and keeps the answers.

    Parameters
    ----------
    bundle : Bundle
    repository : AnalysisRepository
    audit : AuditTrail
    metrics : Metrics
    readers : Reading
        Theirs is whatever a hostile object may break; closed with the service.
    view_rules : sequence of ViewRule
    max_instance_bytes : int
        Largest file.
    screens_are_read : bool
        Whether text on the screen can name a view.
    threads : int
        So many images are read, cropped or encoded at once, and so many go through the network, whoever sent them.
    scanners : sequence of str
        Models that the metrics tell apart.
    """

    def __init__(
        self,
        bundle: Bundle,
        repository: AnalysisRepository,
        audit: AuditTrail,
        metrics: Metrics,
        *,
        readers: Reading,
        view_rules: Sequence[ViewRule],
        max_instance_bytes: int,
        screens_are_read: bool = False,
        threads: int = 1,
        scanners: Sequence[str] = (),
    ) -> None:
        self.bundle = bundle
        self.repository = repository
        self.max_instance_bytes = max_instance_bytes
        self.screens_are_read = screens_are_read
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="images")
        self._engine = Engine(bundle.model.network, threads)
        self._answered = Recent(REMEMBERED_STUDIES)
        self._audit = audit
        self._metrics = metrics
        self._readers = readers
        self.looked_by = digest_look(view_rules, screens_are_read=screens_are_read)
        self.at_once = min(threads, MAX_READERS)
        self._view_rules = view_rules
        self._scanners = scanners

    def analyse(self, parts: Sequence[Part], by: Actor, *, allow_partial: bool = False) -> tuple[Analysis, bool]:
        """Answer one study, and store the answer before it is given.

        Parameters
        ----------
        parts : sequence of Part
        by : Actor
        allow_partial : bool
            Whether one to three views are enough.

        Returns
        -------
        analysis : Analysis
        is_new : bool
            False when the same question had been answered before: then the stored answer is given.

        Raises
        ------
        AnalysisError
            Any refusal; nothing is stored then.
        """
        may_be_whole = allow_partial or len(parts) >= len(View)
        with self._inquiry() as inquiry:
            ahead = inquiry if may_be_whole else None
            return self._recorded(
                lambda: self._answer(self._crops(parts, ahead, allow_partial=allow_partial), by, inquiry)
            )

    def analyse_crops(self, crops: dict[View, Crop], by: Actor) -> tuple[Analysis, bool]:
        """Answer a study whose images were read and cropped before; like `analyse` in all else."""
        with self._inquiry() as inquiry:
            return self._recorded(lambda: self._answer(crops, by, inquiry))

    def _inquiry(self) -> Inquiry:
        return Inquiry(self._engine, lambda tissue: to_picture(tissue, self.bundle.model.preprocessing))

    def read_crop(self, content: Content, allowance: Allowance) -> Crop:
        """Read and crop one image, out of the allowance of its request.

        Raises
        ------
        DicomError, ImageError
        """
        with self._stage("read"), self._refused_images_counted():
            return self._read(content, allowance)

    def preview(self, content: Content) -> tuple[Recognition | None, Crop]:
        """Read and crop one image and tell which view it says it shows by itself; nothing is stored.

        Raises
        ------
        UploadError, DicomError, ImageError
        """
        self.check_size(content)
        crop = self._read(content, Allowance())
        recognition = self._by_itself(Candidate("file", crop))
        return recognition, told(crop, recognition) if recognition else crop

    def introduce(self, content: Content, allowance: Allowance) -> Introduction:
        """Read what an object says of itself, out of the allowance of its request.

        Raises
        ------
        DicomError
            If that takes too long.
        """
        return self._readers.introduce(content, allowance=allowance)

    def gather(self, texts: ViewTexts, study_instance_uid: str) -> Evidence:
        """Gather what the attributes of an image say of its view."""
        return gather(texts, study_instance_uid, self._view_rules)

    def _recorded(self, answer: Callable[[], tuple[Analysis, bool]]) -> tuple[Analysis, bool]:
        started = time.perf_counter()
        try:
            with self._metrics.in_flight():
                analysis, is_new = answer()
        except AnalysisError as error:
            self._record(error.code, started)
            raise
        self._record("created" if is_new else "repeated", started)
        return analysis, is_new

    def _crops(self, parts: Sequence[Part], ahead: Inquiry | None, *, allow_partial: bool) -> dict[View, Crop]:
        allowance = Allowance()
        with self._stage("read"), self._refused_images_counted():
            candidates = in_turn(
                self._pool, lambda part: self._attempt_read(part, ahead, allowance), parts, at_once=self.at_once
            )
            return assign_views(candidates, allow_partial=allow_partial, rules=self._view_rules)

    def _attempt_read(self, part: Part, ahead: Inquiry | None, allowance: Allowance) -> Candidate:
        try:
            self.check_size(part.content)
            crop = self._read(part.content, allowance, declared=bool(part.declared_view))
        except AnalysisError as error:
            return Candidate(part.name, self._refused(part, error, allowance), part.declared_view)
        candidate = Candidate(part.name, crop, part.declared_view)
        if ahead and self._engine.has_a_free_core:
            self._ask_ahead(ahead, candidate, crop)
        return candidate

    def _refused(self, part: Part, error: AnalysisError, allowance: Allowance) -> Refused:
        try:
            return refused(error, self.introduce(part.content, allowance))
        except DicomError:  # `error` says what is wrong with the file; only its view stays unknown
            return Refused(error)

    def _ask_ahead(self, inquiry: Inquiry, image: Candidate, crop: Crop) -> None:
        """Ask about an image before the others are read; a study that was answered before is most likely a repeat."""
        recognition = self._by_itself(image)
        if recognition and crop.study_instance_uid not in self._answered:
            inquiry.ask(recognition.view, crop.tissue)

    def _by_itself(self, image: Candidate) -> Recognition | None:
        """Tell the view of an image without the others of its study."""
        (recognition,) = recognise([evidence_of(image, self._view_rules)])
        return recognition

    def _read(self, content: Content, allowance: Allowance, *, declared: bool = False) -> Crop:
        """Read and crop one object, and call its scanner as the operator does."""
        try:
            crop = self._readers.read(content, declared=declared, allowance=allowance)
        except ImageError as error:
            error.scanner = name_scanner(error.scanner, self._scanners)
            raise
        scanner = name_scanner(crop.scanner_model, self._scanners)
        return replace(crop, origin=replace(crop.origin, scanner=scanner))

    @contextmanager
    def _refused_images_counted(self) -> Iterator[None]:
        try:
            yield
        except AnalysisError as error:  # the first may be of another kind
            for each in (error, *error.also):
                if isinstance(each, ImageError):
                    self._metrics.refused_image(each.code, each.scanner)
            raise

    def _answer(self, crops: dict[View, Crop], by: Actor, inquiry: Inquiry) -> tuple[Analysis, bool]:
        analysis, is_new = self._found_or_made(crops, by, inquiry)
        self._answered.add(analysis.estimate.study_instance_uid)
        return analysis, is_new

    def _found_or_made(self, crops: dict[View, Crop], by: Actor, inquiry: Inquiry) -> tuple[Analysis, bool]:
        question = fingerprint(crops, self.bundle.sha256)
        origins = {view: crop.origin for view, crop in crops.items()}
        known = self.repository.find(question)
        while not (known and is_about(known, origins)):
            with self._stage("estimate"):
                estimate, pngs = self._corrected(known, crops) if known else self._estimate(crops, inquiry)
            analysis = Analysis(str(uuid.uuid4()), _now_after(known), self.bundle.identity, estimate)
            with self._stage("store"):
                known, is_new = self.repository.add(analysis, question, pngs, by, after=known)
            if is_new:
                self._metrics.recognised(view.view_source for view in estimate.views)
                self._metrics.pdff(estimate.pdff_percent, next(iter(crops.values())).origin.scanner)
                return analysis, True
        return self._repeated(known, by)

    def _repeated(self, known: Analysis, by: Actor) -> tuple[Analysis, bool]:
        self._audit.record(by, [about(Action.REPEAT, known)])
        return known, False

    def _estimate(self, crops: dict[View, Crop], inquiry: Inquiry) -> tuple[Estimate, dict[View, bytes]]:
        """Ask the network, and encode the crops while it is busy, perhaps with another study."""
        answers = list(self._pool.map(inquiry.ask, crops, (crop.tissue for crop in crops.values())))
        pngs = self._encoded(crops)
        estimate = read_outputs(crops, gathered(answers), self.bundle.model.thresholds)
        return estimate, dict(zip(crops, pngs, strict=True))

    def _corrected(self, known: Analysis, crops: dict[View, Crop]) -> tuple[Estimate, dict[View, bytes]]:
        """Repeat the numbers of an earlier answer, without the network."""
        return corrected(known, crops), dict(zip(crops, self._encoded(crops), strict=True))

    def _encoded(self, crops: dict[View, Crop]) -> Iterator[bytes]:
        """Begin to encode the crops; each is waited for when it is asked for."""
        return self._pool.map(encode_png, (crop.tissue.pixels for crop in crops.values()))

    def close(self) -> None:
        """Answer what waits, then stop."""
        self._engine.close()
        self._pool.shutdown()
        self._readers.close()

    def check_size(self, content: Content) -> None:
        """Raise EmptyUpload or UploadTooLarge unless this is a file of a size that is accepted."""
        if not content:
            raise EmptyUpload("The file is empty. Export it again from the scanner or the PACS and send that.")
        if len(content) > self.max_instance_bytes:
            raise UploadTooLarge(
                f"The file is larger than {self.max_instance_bytes >> 20} MiB. Send a single or a compressed frame.",
                limit_bytes=self.max_instance_bytes,
            )

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        with self._metrics.stage(name), span(name):
            yield

    def _record(self, outcome: str, started: float) -> None:
        self._metrics.outcome(outcome)
        elapsed_ms = round(1000 * (time.perf_counter() - started))
        said = {"outcome": outcome, "elapsed_ms": elapsed_ms}
        logger.info("analysis outcome=%s elapsed_ms=%d", outcome, elapsed_ms, extra=said)


def _now_after(known: Analysis | None) -> datetime:
    """Give the time of an answer, later than that of the answer it supersedes even if the clock was set back."""
    now = datetime.now(UTC)
    return max(now, known.created_at + timedelta(microseconds=1)) if known else now
