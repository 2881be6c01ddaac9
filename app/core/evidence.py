"""What names the view of an image, and which view it shows among the images of its study.

Four things can name it. In the order of their weight: the sender, a text of the image itself, an annotation on its
screen, a text that describes the whole examination. The last stands on many images at once, so by itself it decides
nothing: it counts where it tells the images of one study apart.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from app.core.naming import Naming, ViewRule, name_view
from app.core.values import AnalysisWarning, ScreenNaming, View, ViewSource, ViewTexts

MOST_IMAGES_OF_A_NAME: Final = 4
"""A text of the examination on more images than this names a series: nobody keeps so many images of one view."""

LOOK: Final = 1
"""Version of cropping, reading screens and naming; raise it whenever one of them can give another result."""


class Weight(IntEnum):
    """What named a view, lightest first."""

    EXAMINATION = 0
    SCREEN = 1
    IMAGE = 2
    SENDER = 3


_SOURCES: Final = {
    Weight.SENDER: ViewSource.SENDER,
    Weight.IMAGE: ViewSource.ATTRIBUTE,
    Weight.SCREEN: ViewSource.SCREEN,
    Weight.EXAMINATION: ViewSource.ATTRIBUTE,
}
_CLAUSES: Final = {
    ViewSource.SENDER: "it was sent as",
    ViewSource.ATTRIBUTE: "its DICOM text names",
    ViewSource.SCREEN: "the text on its screen names",
}


class ExaminationText(NamedTuple):
    """A text that describes the whole examination, without its words.

    Attributes
    ----------
    attribute : str
        Keyword.
    digest : str
        Equal where two images of a study have the same text; says nothing of the words, nor across studies.
    naming : Naming or None
        What the text names.
    counts : bool
        Whether a rule of the site says that it counts by itself.
    """

    attribute: str
    digest: str
    naming: Naming | None
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that may name the view of one image.

    Attributes
    ----------
    declared : View or None
        By the sender, for this image.
    image : Naming or None
        By a text of the image itself.
    screen : ScreenNaming or None
        By the annotations on its screen; None if the screen was not read.
    examination : tuple of ExaminationText
    """

    declared: View | None = None
    image: Naming | None = None
    screen: ScreenNaming | None = None
    examination: tuple[ExaminationText, ...] = ()

    @property
    def possible_view(self) -> View | None:
        """The view that the image shows, or may show once the other images of its study are known."""
        return next((naming.view for _, naming in _namings(self, self.examination)), None)


class Recognition(NamedTuple):
    """The view that an image shows.

    Attributes
    ----------
    view : View
    alone : bool
        Whether what named it names the view and nothing else.
    weight : Weight
        Of what named it.
    warnings : tuple of AnalysisWarning
        Whatever else names another view.
    """

    view: View
    alone: bool
    weight: Weight
    warnings: tuple[AnalysisWarning, ...] = ()

    @property
    def source(self) -> ViewSource:
        """What named the view."""
        return _SOURCES[self.weight]

    @property
    def clarity(self) -> tuple[bool, Weight]:
        """Of two images of a view the one with the greater clarity is the better named."""
        return self.alone, self.weight


def gather(
    texts: ViewTexts,
    study_instance_uid: str,
    rules: Sequence[ViewRule],
    *,
    screen: ScreenNaming | None = None,
    declared: View | None = None,
) -> Evidence:
    """Turn the texts of one image into what they name."""
    about = [_examination_text(keyword, text, study_instance_uid, rules) for keyword, text in texts.examination.items()]
    return Evidence(declared, name_by_texts(texts.image, rules), screen, tuple(about))


def digest_look(rules: Sequence[ViewRule], *, screens_are_read: bool) -> str:
    """Digest how images are looked at, 16 hexadecimal digits. A repeat is looked at again if this has changed."""
    return hashlib.sha256(repr((LOOK, screens_are_read, tuple(rules))).encode()).hexdigest()[:16]


def name_by_texts(texts: Iterable[str], rules: Sequence[ViewRule]) -> Naming | None:
    """Take the first text that names exactly one view; one that names two decides nothing, and the next is tried.

    Parameters
    ----------
    texts : iterable of str
        `ViewTexts.image`.
    rules : sequence of ViewRule

    Returns
    -------
    Naming or None
        None when no text names exactly one view.
    """
    return next(filter(None, (_name(text, rules) for text in texts)), None)


def _name(text: str, rules: Sequence[ViewRule]) -> Naming | None:
    return Naming(text, alone=True) if isinstance(text, View) else name_view(text, rules)


def _examination_text(attribute: str, text: str, study_instance_uid: str, rules: Sequence[ViewRule]) -> ExaminationText:
    naming = name_view(text, rules)
    counts = naming is not None and name_view(text, [rule for rule in rules if rule.examination]) is not None
    return ExaminationText(attribute, _digest(study_instance_uid, attribute, text), naming, counts)


def _digest(study_instance_uid: str, attribute: str, text: str) -> str:
    """Digest the letters of a text: case, punctuation and a running number do not make it another text.

    It is salted with the study and so short that many texts share it: it cannot be turned back into words.
    """
    letters = "".join(filter(str.isalpha, text.casefold()))
    return hashlib.sha256(f"{study_instance_uid}\0{attribute}\0{letters}".encode()).hexdigest()[:8]


def recognise(images: Sequence[Evidence]) -> list[Recognition | None]:
    """Tell the view of each image of one study; their order does not matter.

    Parameters
    ----------
    images : sequence of Evidence
        Of every image of the study that is there, whether it can be used or not.

    Returns
    -------
    list of Recognition or None
        In the order of the images; None of one that nothing names.
    """
    telling = _telling_texts(images)
    return [_recognition(image, [text for text in image.examination if text in telling]) for image in images]


def _recognition(image: Evidence, telling: Iterable[ExaminationText]) -> Recognition | None:
    namings = list(_namings(image, telling))
    if not namings:
        return None
    weight, best = namings[0]
    found = {_SOURCES[other]: naming.view for other, naming in reversed(namings)}
    warnings = [
        _contradiction(best.view, _SOURCES[weight], view, source) for source, view in found.items() if view != best.view
    ]
    return Recognition(best.view, best.alone, weight, tuple(warnings))


def _namings(image: Evidence, telling: Iterable[ExaminationText]) -> Iterator[tuple[Weight, Naming]]:
    """Give whatever names a view, heaviest first."""
    if image.declared:
        yield Weight.SENDER, Naming(image.declared, alone=True)
    if image.image:
        yield Weight.IMAGE, image.image
    if image.screen and image.screen.view:
        yield Weight.SCREEN, Naming(image.screen.view, image.screen.alone)
    yield from ((Weight.EXAMINATION, text.naming) for text in telling if text.naming)


def _contradiction(view: View, source: ViewSource, other_view: View, other: ViewSource) -> AnalysisWarning:
    """Warn where two things name different views: files are easily swapped between two pickers."""
    code = "view_contradicts_screen" if other is ViewSource.SCREEN else "view_contradicts_dicom"
    said = f"{_CLAUSES[source]} {view}, but {_CLAUSES[other]} {other_view}: check that images were not swapped."
    return AnalysisWarning(code, said[0].upper() + said[1:])


def _telling_texts(images: Sequence[Evidence]) -> set[ExaminationText]:
    """Find the texts of the examination that tell the images of a study apart."""
    carriers: dict[ExaminationText, list[Evidence]] = defaultdict(list)
    for image in images:
        for text in image.examination:
            carriers[text].append(image)
    views = _views_of_attributes(carriers)
    return {text for text in carriers if text.counts or _tells(text, carriers[text], len(images), views)}


def _views_of_attributes(texts: Iterable[ExaminationText]) -> Mapping[str, set[View]]:
    views: dict[str, set[View]] = defaultdict(set)
    for text in texts:
        if text.naming:
            views[text.attribute].add(text.naming.view)
    return views


def _tells(text: ExaminationText, carriers: Sequence[Evidence], n_images: int, views: Mapping[str, set[View]]) -> bool:
    """Tell a view's name from an examination's, such as ``US LIVER AND RENAL`` beside ``MEASUREMENTS``.

    A view's name stands on a few images and not on all, on none that is another view by itself, and either it says
    nothing else or the same attribute names another view on another image.
    """
    return (
        text.naming is not None
        and len(carriers) <= min(MOST_IMAGES_OF_A_NAME, n_images - 1)
        and (text.naming.alone or len(views[text.attribute]) > 1)
        and not any(_shows_another(image, text.naming.view) for image in carriers)
    )


def _shows_another(image: Evidence, view: View) -> bool:
    by_itself = (image.image and image.image.view, image.screen and image.screen.view)
    return any(named not in (None, view) for named in by_itself)
