"""Thousands of studies, without a server: each read, chosen from as an archive needs it, and put into one row.

A study of an archive has more than four images. What shows a view is told as in STOW-RS, by `app.core.studies`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Protocol, Self, TypeVar

from app.adapters.bundle.engine import Engine
from app.adapters.bundle.onnx_networks import Provider
from app.adapters.bundle.store import load_bundle
from app.adapters.machine.turns import in_window
from app.adapters.reading.objects import Instructions
from app.adapters.reading.readers import Readers
from app.core.choice import ReceivedImage, choose_images, received_image, shown_views, stand
from app.core.errors import (
    DicomError,
    ImageError,
    InferenceError,
    InternalError,
    MixedStudies,
    StudyError,
    UnrecognisedView,
    UploadError,
)
from app.core.evidence import Evidence, gather
from app.core.naming import ViewRule
from app.core.pipeline import estimate_study
from app.core.scores import Row, not_scored, of_the_run, scored
from app.core.screens.values import ScreenPolicy
from app.core.studies import obstacle
from app.core.values import Crop

T = TypeVar("T")


class Source(Protocol):
    """Where one study's objects come from; it travels to other processes."""

    @property
    def study_instance_uid(self) -> str:
        """(0020,000D)."""

    def contents(self) -> Iterator[bytes]:
        """Fetch its objects, one at a time.

        Raises
        ------
        OSError
            If they cannot be had at the moment.
        """


@dataclass(frozen=True, slots=True)
class Plan:
    """How studies are scored; it travels to other processes.

    Attributes
    ----------
    bundle : Path
        Folder; other machines must find it there, too.
    bundle_key : Path or None
    provider : Provider
    threads : int
        Pictures that go through the network at once.
    view_rules : tuple of ViewRule
    screens : ScreenPolicy
        Which screens are read.
    allow_partial : bool
        Whether one to three views are enough.
    """

    bundle: Path
    bundle_key: Path | None
    provider: Provider
    threads: int
    view_rules: tuple[ViewRule, ...]
    screens: ScreenPolicy
    allow_partial: bool


class Seen(NamedTuple):
    """An ultrasound image of a study.

    Attributes
    ----------
    evidence : Evidence
        What names its view.
    was_read : bool
        Whether its pixels can be used.
    crop : Crop or None
        Of an image that may show a view: only these are kept.
    """

    evidence: Evidence
    was_read: bool = False
    crop: Crop | None = None

    @property
    def image(self) -> ReceivedImage | None:
        """What a choice is made by."""
        return received_image(self.crop) if self.crop else None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A study that could not be had, or not be computed, this time: it gets no row, and the next run asks again.

    Attributes
    ----------
    reason : str
    """

    reason: str


class Scorer:
    """Scores studies, several threads at once; as a context it stops at the end.

    Parameters
    ----------
    plan : Plan

    Raises
    ------
    BundleError
    """

    def __init__(self, plan: Plan) -> None:
        bundle = load_bundle(plan.bundle, plan.threads, plan.provider, plan.bundle_key)
        self.bundle = bundle.identity
        self._plan = plan
        self._open = ExitStack()
        engine = self._open.enter_context(Engine(bundle.model.network, plan.threads))
        self._readers = self._open.enter_context(
            Readers(plan.threads, instructions=Instructions(plan.view_rules, plan.screens))
        )
        self._model = replace(bundle.model, network=engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def score(self, source: Source) -> Row | Unavailable:
        """Estimate one study."""
        uid = source.study_instance_uid
        seen: dict[str, Seen] = {}
        set_aside: Counter[str] = Counter()
        try:
            for content in source.contents():
                try:
                    self._look(content, uid, seen)
                except (UploadError, DicomError, StudyError, ImageError) as refusal:
                    set_aside[refusal.code] += 1
            return self._estimate(uid, seen, set_aside)
        except (OSError, InferenceError, InternalError) as error:
            return Unavailable(str(error))

    def _look(self, content: bytes, study_instance_uid: str, seen: dict[str, Seen]) -> None:
        """Add an image to what was seen; one whose pixels are refused counts by its texts."""
        introduction = self._readers.introduce(content)
        identity = introduction.require_identity()
        if identity.study_instance_uid != study_instance_uid:
            raise MixedStudies("The object belongs to another study.")
        texts, rules = introduction.require_texts(), self._plan.view_rules
        seen.setdefault(identity.sop_instance_uid, Seen(gather(texts, study_instance_uid, rules)))
        crop = self._readers.read(content)
        evidence = gather(texts, study_instance_uid, rules, screen=crop.screen)
        seen[identity.sop_instance_uid] = Seen(evidence, was_read=True, crop=crop if evidence.possible_view else None)

    def _estimate(self, uid: str, seen: Mapping[str, Seen], set_aside: Counter[str]) -> Row:
        shown = shown_views((each.evidence, each.image) for each in seen.values())
        if unnamed := sum(each.was_read for each in seen.values()) - len(shown):
            set_aside[UnrecognisedView.code] += unnamed
        about = of_the_run(set_aside, len(shown), self.bundle)
        choices = choose_images(shown)
        if hindrance := obstacle(choices, allow_partial=self._plan.allow_partial):
            return not_scored(uid, hindrance.code, hindrance.detail) | about
        kept = {image.sop_instance_uid: image for _, _, image in seen.values() if image}
        crops = {view: stand(kept[choice.image.key.sop_instance_uid], choice) for view, choice in choices.items()}
        return scored(estimate_study(crops, self._model)) | about


def score_here(plan: Plan, sources: Iterable[Source]) -> Iterator[Row | Unavailable]:
    """Score studies in this process, in the order in which they are done.

    One study more than the network can take is read at the same time, so that the network never waits.
    """
    at_once = plan.threads + 1
    with Scorer(plan) as scorer, ThreadPoolExecutor(at_once, thread_name_prefix="studies") as pool:
        yield from in_window(lambda source: pool.submit(scorer.score, source), sources, 2 * at_once)


def score_elsewhere(plan: Plan, sources: Iterable[Source], pool: Executor, at_once: int) -> Iterator[Row | Unavailable]:
    """Score studies in the processes of a pool, which load the bundle once each.

    Parameters
    ----------
    plan : Plan
    sources : iterable of Source
    pool : Executor
    at_once : int
        Studies that its processes work on at the same time.
    """
    yield from in_window(lambda source: pool.submit(_score_in_worker, plan, source), sources, 2 * at_once)


_loading = Lock()
"""A worker's threads come at the same time, and one bundle is enough."""


@lru_cache(1)
def _scorer(plan: Plan) -> Scorer:
    """Keep the loaded bundle in a worker process, for all the studies that come its way."""
    return Scorer(plan)


def _score_in_worker(plan: Plan, source: Source) -> Row | Unavailable:
    """Score one study in a process that scores many."""
    with _loading:
        scorer = _scorer(plan)
    return scorer.score(source)
