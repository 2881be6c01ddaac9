"""Whether the images of a study are of one patient."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

IDENTIFYING: Final = {
    "PatientID": "(0010,0020) Patient ID",
    "IssuerOfPatientID": "(0010,0021) Issuer of Patient ID",
    "PatientName": "(0010,0010) Patient's Name",
    "PatientBirthDate": "(0010,0030) Patient's Birth Date",
    "PatientSex": "(0010,0040) Patient's Sex",
}
"""What tells patients apart (PS3.3 C.2.2): keyword, and how messages quote it."""

Image = TypeVar("Image")


class Difference(NamedTuple):
    """What images disagree on.

    Attributes
    ----------
    attributes : list of str
        As messages quote them.
    groups : list of list
        The images, by what they say of the first of these attributes.
    """

    attributes: list[str]
    groups: list[list[object]]


def difference(images: Mapping[Image, Mapping[str, str]]) -> Difference | None:
    """Tell by which attributes images are of different patients; None if they are of one.

    An image that does not say is of nobody else, and a name that is only typed in another way is the same name.

    Parameters
    ----------
    images : mapping
        Image to what it says, by keyword; see `app.core.values.Origin.study`.
    """
    by_attribute = [(quoted, _groups(keyword, images)) for keyword, quoted in IDENTIFYING.items()]
    differing = [(quoted, groups) for quoted, groups in by_attribute if len(groups) > 1]
    return Difference([quoted for quoted, _ in differing], differing[0][1]) if differing else None


def _groups(keyword: str, images: Mapping[Image, Mapping[str, str]]) -> list[list[object]]:
    groups: dict[str, list[object]] = defaultdict(list)
    for image, study in images.items():
        if said := _comparable(keyword, study.get(keyword, "")):
            groups[said].append(image)
    return list(groups.values())


def _comparable(keyword: str, text: str) -> str:
    """Leave out of a name what typing differs in: case, empty components, doubled blanks, other scripts (PS3.5 6.2)."""
    if keyword != "PatientName":
        return text.strip(" ")
    groups = (group.replace("^", " ").casefold().split() for group in text.split("="))
    return " ".join(next(filter(None, groups), []))
