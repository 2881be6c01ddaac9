"""The answer as Comprehensive 3D SR: Measurement Report (PS3.16 TID 1500), a group per view and one for their mean."""

from typing import Any

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)

from app import __version__
from app.adapters.dicom.checks import OWN_MANUFACTURER
from app.adapters.dicom_results import codes
from app.adapters.dicom_results.objects import derived_uid, finished, header
from app.adapters.dicom_results.origins import UTF_8, evidence, frame_numbers
from app.core.notices import NOTICE, SCORE, VIEW_NAMES, remarks
from app.core.values import Analysis, Estimate, Target, ViewEstimate


def make_report(analysis: Analysis) -> bytes:
    """Make the report: complete, as a text; preliminary and unverified, for nobody has answered for it."""
    estimate = analysis.estimate
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_person_context=None, observer_device_context=_observer(analysis)
        ),
        procedure_reported=codes.IMAGING_PROCEDURE,
        imaging_measurements=[*(_view_group(analysis, view) for view in estimate.views), _ensemble_group(analysis)],
        title=codes.TITLE,
    )
    content[0].ContentSequence.append(_remarks(analysis))
    arguments: dict[str, Any] = header(analysis, "SR", 1)
    report = Comprehensive3DSR(
        evidence=[evidence(view, estimate.study_instance_uid) for view in estimate.views],
        content=content,
        is_complete=True,
        series_description="liver-pdff: estimate of liver fat (not for diagnosis)",
        specific_character_set=UTF_8,
        **arguments,
    )
    return finished(report, analysis)


def _observer(analysis: Analysis) -> ObserverContext:
    bundle = analysis.bundle
    return ObserverContext(
        codes.DEVICE,
        DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", __version__, bundle.sha256),
            name=OWN_MANUFACTURER,
            manufacturer_name=OWN_MANUFACTURER,
            model_name=f"{bundle.name} {bundle.version}",
            serial_number=bundle.sha256,
        ),
    )


def _algorithm(analysis: Analysis, *more: str) -> AlgorithmIdentification:
    """Say which algorithm measured (TID 4019)."""
    bundle = analysis.bundle
    return AlgorithmIdentification(
        name=f"{OWN_MANUFACTURER} {bundle.name}",
        version=f"{__version__}, bundle {bundle.version}",
        parameters=[f"bundle_sha256={bundle.sha256}", *more],
        family=codes.ARTIFICIAL_INTELLIGENCE,
    )


def _view_group(analysis: Analysis, view: ViewEstimate) -> MeasurementsAndQualitativeEvaluations:
    words = ("tracking", analysis.estimate.study_instance_uid, view.view)
    box = f"tissue_box={','.join(map(str, view.tissue_box))}"
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=derived_uid(*words), identifier=VIEW_NAMES[view.view]),
        algorithm_id=_algorithm(analysis, f"view={view.view}", box, f"decoder={view.decoder}"),
        finding_sites=[FindingSite(site) for site in (codes.LIVER, codes.LANDMARKS[view.view])],
        measurements=_measurements(view),
        qualitative_evaluations=_view_source(view),
        source_images=[_source(view)],
    )


def _view_source(view: ViewEstimate) -> list[QualitativeEvaluation] | None:
    """Say what told the view; an analysis from before this was noted makes the object that it made then."""
    if view.view_source is None:
        return None
    return [QualitativeEvaluation(codes.VIEW_SOURCE, codes.VIEW_SOURCES[view.view_source])]


def _ensemble_group(analysis: Analysis) -> MeasurementsAndQualitativeEvaluations:
    estimate = analysis.estimate
    words = ("tracking", estimate.study_instance_uid, "ensemble")
    thresholds = (f"threshold_ge5={estimate.thresholds.ge5:.6g}", f"threshold_ge10={estimate.thresholds.ge10:.6g}")
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=derived_uid(*words), identifier=_ensemble_name(estimate)),
        algorithm_id=_algorithm(analysis, *thresholds),
        finding_sites=[FindingSite(codes.LIVER)],
        measurements=_measurements(estimate, codes.MEAN),
        qualitative_evaluations=[
            QualitativeEvaluation(codes.CALLS[Target.GE5], _answer(estimate.steatosis_ge5)),
            QualitativeEvaluation(codes.CALLS[Target.GE10], _answer(estimate.steatosis_ge10)),
        ],
        source_images=[_source(view) for view in estimate.views],
    )


def _ensemble_name(estimate: Estimate) -> str:
    return f"Averaged multiview model, {len(estimate.views)} of 4 views"


def _answer(called: bool) -> CodedConcept:
    return codes.YES if called else codes.NO


def _measurements(of: ViewEstimate | Estimate, derivation: CodedConcept | None = None) -> list[Measurement]:
    numbers = (
        (codes.FAT_FRACTION, of.pdff_percent, codes.PERCENT, Target.PDFF),
        (codes.PROBABILITY, of.probability_ge5, codes.ONE, Target.GE5),
        (codes.PROBABILITY, of.probability_ge10, codes.ONE, Target.GE10),
    )
    return [
        Measurement(name=name, value=value, unit=unit, derivation=derivation, method=codes.METHODS[target])
        for name, value, unit, target in numbers
    ]


def _source(view: ViewEstimate) -> SourceImageForMeasurementGroup:
    return SourceImageForMeasurementGroup(view.origin.sop_class_uid, view.sop_instance_uid, frame_numbers(view))


def _remarks(analysis: Analysis) -> ContainerContentItem:
    """Say in words what the numbers cannot: TID 1500's Qualitative Evaluations."""
    container = ContainerContentItem(
        name=codes.QUALITATIVE_EVALUATIONS, relationship_type=RelationshipTypeValues.CONTAINS
    )
    container.ContentSequence = ContentSequence(
        [
            TextContentItem(codes.COMMENT, text, RelationshipTypeValues.CONTAINS)
            for text in (NOTICE, SCORE, *remarks(analysis))
        ]
    )
    return container
