"""Whether the images of a study are of one patient."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

IDENTIFYING: Final = {
    "PatientID": "(0010,0020) Patient ID",
    "IssuerOfPatientID": "(0010,0021) Issuer of Patient ID",
    "PatientName": "(0010,0010) Patient's Name",
    "PatientBirthDate": "(0010,0030) Patient's Birth Date",
    "PatientSex": "(0010,0040) Patient's Sex",
}
"""What tells patients apart (PS3.3 C.2.2): keyword, and how messages quote it."""


def different_patients(images: Mapping[str, Mapping[str, str]]) -> str:
    """Say by which attributes images are of different patients; empty if they are of one.

    An image without a value matches every patient, and a name that is only typed in another way is the same name.

    Parameters
    ----------
    images : mapping of str to mapping
        What messages call an image, to its attributes by keyword; see `app.core.values.Origin.study`.

    Returns
    -------
    str
        Such as ``different patients by (0010,0020) Patient ID (hepatic_veins | liver_kidney)``: the images in groups,
        by their values of the first of these attributes. No value is part of it.
    """
    groups = {quoted: _groups(keyword, images) for keyword, quoted in IDENTIFYING.items()}
    differing = {quoted: each for quoted, each in groups.items() if len(each) > 1}
    if not differing:
        return ""
    first = next(iter(differing.values()))
    return f"different patients by {', '.join(differing)} ({' | '.join(map(', '.join, first))})"


def _groups(keyword: str, images: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for image, study in images.items():
        if value := _comparable(keyword, study.get(keyword, "")):
            groups[value].append(image)
    return list(groups.values())


def _comparable(keyword: str, text: str) -> str:
    """Drop what does not make another name: case, empty components, repeated blanks, other scripts (PS3.5 6.2)."""
    if keyword != "PatientName":
        return text.strip(" ")
    groups = (group.replace("^", " ").casefold().split() for group in text.split("="))
    return " ".join(next(filter(None, groups), []))
