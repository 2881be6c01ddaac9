"""Codes of the report. DICOM and SNOMED CT where they have one, our own scheme where they have none."""

from typing import Final

from highdicom.sr import CodedConcept

from app.core.values import Target, View, ViewSource

OWN_SCHEME: Final = "99LIVERPDFF"


def _own(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, OWN_SCHEME, meaning)


TITLE = CodedConcept("126000", "DCM", "Imaging Measurement Report")
IMAGING_PROCEDURE = CodedConcept("363679005", "SCT", "Imaging procedure")
DEVICE = CodedConcept("121007", "DCM", "Device")
FAT_FRACTION = CodedConcept("129100", "DCM", "Fat fraction")
PROBABILITY = CodedConcept("122157", "DCM", "Probability")
PERCENT = CodedConcept("%", "UCUM", "Percent")
ONE = CodedConcept("1", "UCUM", "no units")
MEAN = CodedConcept("373098007", "SCT", "Mean")
YES = CodedConcept("373066001", "SCT", "Yes")
NO = CodedConcept("373067005", "SCT", "No")
ARTIFICIAL_INTELLIGENCE = CodedConcept("123110", "DCM", "Artificial Intelligence")
QUALITATIVE_EVALUATIONS = CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
COMMENT = CodedConcept("121106", "DCM", "Comment")
LIVER = CodedConcept("10200004", "SCT", "Liver")

METHODS = {
    Target.PDFF: _own("CNN-PDFF", "PDFF from ultrasound by CNN features and Lasso"),
    Target.GE5: _own("CNN-GE5", "PDFF >= 5 % from ultrasound by CNN and logistic model"),
    Target.GE10: _own("CNN-GE10", "PDFF >= 10 % from ultrasound by CNN and logistic model"),
}
"""Measurement Method of each number: fat fraction's own code comes from MR, and two probabilities share one code."""
CALLS = {
    Target.GE5: _own("CALL-GE5", "PDFF >= 5 % at the operating point"),
    Target.GE10: _own("CALL-GE10", "PDFF >= 10 % at the operating point"),
}
VIEW_SOURCE = _own("VIEW-SOURCE", "What told the view of the image")
VIEW_SOURCES = {
    ViewSource.SENDER: _own("VIEW-SENDER", "Named by the sender"),
    ViewSource.ATTRIBUTE: _own("VIEW-ATTRIBUTE", "Named by a DICOM attribute"),
    ViewSource.SCREEN: _own("VIEW-SCREEN", "Named by the text on the screen"),
}
LANDMARKS = {
    View.HEPATIC_VEINS: CodedConcept("8993003", "SCT", "Hepatic vein"),
    View.RIGHT_PORTAL_VEIN: CodedConcept("73931004", "SCT", "Right main branch of portal vein"),
    View.RIGHT_POSTERIOR_PORTAL_VEIN: _own("RPPV", "Right posterior branch of portal vein"),
    View.LIVER_KIDNEY: CodedConcept("64033007", "SCT", "Kidney"),
}
"""What a view shows beside liver; SNOMED CT has no concept for the right posterior portal vein."""
