"""Prometheus's only door: every metric, named once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from app.core.errors import ImageError
from app.core.scanners import OTHER
from app.core.values import BundleIdentity, ViewSource

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

_STAGE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_PDFF_PERCENT = (0, 2.5, 5, 7.5, 10, 15, 20, 25, 30, 35, 40, 50)

TASKS = ("pulse", "housekeeping", "refusals", "memory")
"""Background tasks of the service."""


class Metrics:
    """The service's metrics, in a registry of their own so that two services can live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._outcomes = Counter(
            "liver_pdff_analyses",
            "Analyses that the service took on, by outcome: created, repeated, or the code of the refusal.",
            ["outcome"],
            registry=self._registry,
        )
        self._refusals = Counter(
            "liver_pdff_refusals", "Requests refused, by code, whoever refused them.", ["code"], registry=self._registry
        )
        self._received = Counter(
            "liver_pdff_received_instances",
            "Instances received one by one: stored, repeated, set_aside or refused, the latter two with the code.",
            ["outcome", "code"],
            registry=self._registry,
        )
        self._stage = Histogram(
            "liver_pdff_stage_seconds",
            "Time of one stage of an analysis.",
            ["stage"],
            buckets=_STAGE_SECONDS,
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "liver_pdff_in_flight_analyses",
            "Analyses being computed or waiting for their turn.",
            registry=self._registry,
        )
        self._pdff = Histogram(
            "liver_pdff_estimated_pdff_percent",
            "Estimated PDFF of new analyses, percent, by scanner.",
            ["scanner"],
            buckets=_PDFF_PERCENT,
            registry=self._registry,
        )
        self._refused_images = Counter(
            "liver_pdff_refused_images",
            "Images that do not show what the method needs, by code and scanner.",
            ["code", "scanner"],
            registry=self._registry,
        )
        self._recognised = Counter(
            "liver_pdff_recognised_views",
            "Views of new analyses, by what told which view an image shows.",
            ["source"],
            registry=self._registry,
        )
        self._lost_readers = Counter(
            "liver_pdff_lost_reading_processes",
            "Processes that ended while they read an object, and were replaced.",
            registry=self._registry,
        )
        self._background = Counter(
            "liver_pdff_background_failures",
            "Failures of background tasks (pulse, housekeeping, refusals, memory), which are then started again.",
            ["task"],
            registry=self._registry,
        )
        for task in TASKS:  # Prometheus computes an increase only from a sample of 0
            self._background.labels(task)
        self._closed = Counter(
            "liver_pdff_closed_connections",
            "Connections that the service closed: malformed_http, head_too_large, head_too_slow, silent, leftover, "
            "unread.",
            ["reason"],
            registry=self._registry,
        )
        self._bundle = Info("liver_pdff_bundle", "The bundle that answers.", registry=self._registry)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        with self._stage.labels(name).time():
            yield

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count an analysis while it runs."""
        with self._in_flight.track_inprogress():
            yield

    def outcome(self, code: str) -> None:
        """Count how an analysis ended."""
        self._outcomes.labels(code).inc()

    def refusal(self, code: str) -> None:
        """Count a refused request."""
        self._refusals.labels(code).inc()

    def received(self, outcome: str, code: str = "") -> None:
        """Count a received instance."""
        self._received.labels(outcome, code).inc()

    def announce(self, codes: Iterable[str], scanners: Iterable[str] = (OTHER,)) -> None:
        """Show every label at zero from the start: a rate sees a first occurrence only from there."""
        for scanner in scanners:
            self._pdff.labels(scanner)
            for image_error in ImageError.__subclasses__():
                self._refused_images.labels(image_error.code, scanner)
        for code in codes:
            self._refusals.labels(code)
        for source in ViewSource:
            self._recognised.labels(source)
        for outcome in ("created", "repeated"):
            self._outcomes.labels(outcome)
        for outcome in ("stored", "repeated"):
            self._received.labels(outcome, "")

    def pdff(self, pdff_percent: float, scanner: str = OTHER) -> None:
        """Record the estimate of a new analysis."""
        self._pdff.labels(scanner).observe(pdff_percent)

    def refused_image(self, code: str, scanner: str) -> None:
        """Count an image that does not show what the method needs."""
        self._refused_images.labels(code, scanner).inc()

    def recognised(self, sources: Iterable[ViewSource | None]) -> None:
        """Count what told the views of a new analysis."""
        for source in filter(None, sources):
            self._recognised.labels(source).inc()

    def closed_connection(self, reason: str) -> None:
        """Count a connection that the service closed."""
        self._closed.labels(reason).inc()

    def background_failure(self, task: str) -> None:
        """Count a failure of a background task."""
        self._background.labels(task).inc()

    def lost_reader(self) -> None:
        """Count a reading process that was lost."""
        self._lost_readers.inc()

    def bundle(self, bundle: BundleIdentity) -> None:
        """Say which bundle answers."""
        self._bundle.info(
            {
                "name": bundle.name,
                "version": bundle.version,
                "sha256": bundle.sha256,
                "synthetic": str(bundle.synthetic).lower(),
                "precision": bundle.precision,
            }
        )

    def render(self) -> bytes:
        """Write all metrics in Prometheus's text format."""
        return generate_latest(self._registry)
