"""A stored analysis as HL7 FHIR R4 (4.0.1): one Bundle that holds DiagnosticReport, Observations and Device."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app import __version__
from app.core.notices import NOTICE, SCORE, VIEW_NAMES, remarks
from app.core.values import Analysis, Estimate, View, ViewEstimate

Resource = dict[str, Any]

_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_SNOMED: Final = "http://snomed.info/sct"
_UCUM: Final = "http://unitsofmeasure.org"
_AI_ASSERTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
_FAT_FRACTION: Final = {"coding": [{"system": _DICOM, "code": "129100", "display": "Fat fraction"}]}
_METHOD: Final = {"text": "Estimated from B-mode ultrasound by a convolutional neural network; not measured by MR"}
_IMAGING: Final = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "imaging",
            "display": "Imaging",
        }
    ]
}
_RADIOLOGY: Final = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RUS", "display": "Radiology Ultrasound"}
    ]
}
_LIVER: Final = {"system": _SNOMED, "code": "10200004", "display": "Liver structure"}


def fhir_bundle(analysis: Analysis) -> bytes:
    """Write an analysis as FHIR.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    bytes
        JSON of a Bundle of type `collection`: it is not a command to a server, whoever files it decides where. The
        same analysis gives the same bytes.

    Notes
    -----
    Everything is `preliminary` and labelled AIAST: no person has answered for it. The patient is named by identifier
    only, as the images name them; images that disagree, or that name nobody, give no subject.

    References
    ----------
    .. [1] HL7 FHIR R4, DiagnosticReport, Observation, Device; HL7 v3 ObservationValue (AIAST).
    """
    estimate = analysis.estimate
    views = [_observations(analysis, each, each.view) for each in estimate.views]
    ensemble = _observations(analysis, estimate, None)
    for k, observation in enumerate(ensemble):
        observation["derivedFrom"] = [_reference(of_view[k]) for of_view in views]
    observations = [*ensemble, *(each for of_view in views for each in of_view)]
    resources = [_report(analysis, ensemble), *observations, _device(analysis)]
    document = {
        "resourceType": "Bundle",
        "id": analysis.id,
        "meta": {"security": [_AI_ASSERTED]},
        "type": "collection",
        "timestamp": analysis.created_at.isoformat(timespec="seconds"),
        "entry": [{"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource} for resource in resources],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _id(analysis: Analysis, *words: str) -> str:
    return str(uuid.uuid5(uuid.UUID(analysis.id), " ".join(words)))


def _reference(resource: Resource) -> Resource:
    return {"reference": f"urn:uuid:{resource['id']}"}


def _resource(analysis: Analysis, kind: str, *words: str) -> Resource:
    return {"resourceType": kind, "id": _id(analysis, kind, *words), "meta": {"security": [_AI_ASSERTED]}}


def _report(analysis: Analysis, results: list[Resource]) -> Resource:
    estimate = analysis.estimate
    accession = analysis.estimate.said_by_all("AccessionNumber")
    return (
        _resource(analysis, "DiagnosticReport")
        | _about(analysis)
        | {
            "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{analysis.id}"}],
            **({"basedOn": [{"identifier": {"type": _ACCESSION, "value": accession}}]} if accession else {}),
            "status": "preliminary",
            "category": [_RADIOLOGY],
            "code": {"text": "Estimate of liver fat from ultrasound"},
            "issued": analysis.created_at.isoformat(timespec="seconds"),
            "result": [_reference(each) for each in results],
            "imagingStudy": [
                {"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{estimate.study_instance_uid}"}}
            ],
            "conclusion": " ".join([NOTICE, *remarks(analysis), _conclusion(estimate)]),
        }
    )


_ACCESSION: Final = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN", "display": "Accession ID"}]
}


def _conclusion(estimate: Estimate) -> str:
    count = len(estimate.views)
    made = f"mean of {count} of 4 views" if count > 1 else "one of 4 views"
    return f"Estimated PDFF {estimate.pdff_percent:.1f} %, {made}."


def _observations(analysis: Analysis, of: Estimate | ViewEstimate, view: View | None) -> list[Resource]:
    """PDFF and the two probabilities, of one view or of their mean."""
    site = {"coding": [_LIVER], "text": f"Liver: {VIEW_NAMES[view]}" if view else "Liver"}
    words = view or "ensemble"
    shared = {"status": "preliminary", "category": [_IMAGING], "bodySite": site, "method": _METHOD, **_by(analysis)}
    pdff, ge5, ge10 = (
        _resource(analysis, "Observation", words, target) | _about(analysis) | shared
        for target in ("pdff", "ge5", "ge10")
    )
    pdff |= {"code": _FAT_FRACTION, "valueQuantity": _quantity(of.pdff_percent, "%", "%")}
    ge5 |= {"code": _probability("5"), "valueQuantity": _quantity(of.probability_ge5, "1", "probability")}
    ge10 |= {"code": _probability("10"), "valueQuantity": _quantity(of.probability_ge10, "1", "probability")}
    if isinstance(of, Estimate):
        ge5 |= _call(of.steatosis_ge5, of.thresholds.ge5)
        ge10 |= _call(of.steatosis_ge10, of.thresholds.ge10)
    notes = [{"text": text} for text in (NOTICE, *remarks(analysis))]
    score = {"text": SCORE}
    return [pdff | {"note": notes}, ge5 | {"note": [*notes, score]}, ge10 | {"note": [*notes, score]}]


def _quantity(value: float, code: str, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": _UCUM, "code": code}


def _probability(cutoff: str) -> Resource:
    """Name a probability; the text says of what, for DICOM's code does not."""
    return {
        "coding": [{"system": _DICOM, "code": "122157", "display": "Probability"}],
        "text": f"Probability of PDFF >= {cutoff} %",
    }


def _call(called: bool, threshold: float) -> Resource:
    """Say on which side of its operating point a probability lies."""
    code, display = ("POS", "Positive") if called else ("NEG", "Negative")
    system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    return {
        "interpretation": [{"coding": [{"system": system, "code": code, "display": display}]}],
        "referenceRange": [
            {
                "low": _quantity(threshold, "1", "probability"),
                "text": "Operating point of the bundle: positive from here",
            }
        ],
    }


def _by(analysis: Analysis) -> Resource:
    return {"device": {"reference": f"urn:uuid:{_id(analysis, 'Device')}"}}


def _about(analysis: Analysis) -> Resource:
    """Whom it is about and when they were examined: only what every image says."""
    patient, issuer = analysis.estimate.said_by_all("PatientID"), analysis.estimate.said_by_all("IssuerOfPatientID")
    about: Resource = {}
    if patient:
        identifier = {"value": patient} | ({"assigner": {"display": issuer}} if issuer else {})
        about["subject"] = {"type": "Patient", "identifier": identifier}
    if date := _date(analysis.estimate.said_by_all("StudyDate")):
        about["effectiveDateTime"] = date
    return about


def _date(digits: str) -> str:
    """Write DICOM's date as FHIR's; what is none is left out."""
    try:
        return datetime.strptime(digits, "%Y%m%d").date().isoformat()
    except ValueError:
        return ""


def _device(analysis: Analysis) -> Resource:
    bundle = analysis.bundle
    properties: Mapping[str, str] = {
        "bundle": f"{bundle.name} {bundle.version}",
        "bundle SHA-256": bundle.sha256,
        "synthetic": str(bundle.synthetic).lower(),
        "precision": bundle.precision,
    }
    return _resource(analysis, "Device") | {
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{_id(analysis, 'Device')}"}],
        "manufacturer": "liver-pdff",
        "deviceName": [{"name": "liver-pdff", "type": "manufacturer-name"}],
        "version": [{"value": __version__}],
        "property": [{"type": {"text": name}, "valueCode": [{"text": value}]} for name, value in properties.items()],
        "note": [{"text": NOTICE}],
    }
