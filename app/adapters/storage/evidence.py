"""What names the view of an image, in and out of a JSON column: views and digests, never a word of a text."""

import hashlib
import json
from typing import Any

from app.core.evidence import Evidence, ExaminationText
from app.core.naming import Naming
from app.core.values import ScreenNaming, View

Document = dict[str, Any]


def write_evidence(evidence: Evidence | None) -> Document | None:
    """Write what a received image says. What the sender declares comes with a form, which is not kept."""
    if evidence is None:
        return None
    return {"image": evidence.image, "screen": evidence.screen, "examination": evidence.examination}


def evidence_key(evidence: Evidence | None) -> str | None:
    """Digest the evidence of an image that cannot be used; two with the same key say the same of the other images.

    Returns
    -------
    str or None
        16 hexadecimal digits; empty where no text of the examination names a view: then only their number matters.
        None of an object that is not an ultrasound image, which does not matter at all.
    """
    if evidence is None:
        return None
    if not any(text.naming for text in evidence.examination):
        return ""
    return hashlib.sha256(json.dumps(write_evidence(evidence)).encode()).hexdigest()[:16]


def read_evidence(document: Document | None, view: str | None) -> Evidence | None:
    """Read it back; a row from before this was noted knows the view of an image, but not what named it."""
    if document is None:
        return Evidence(image=Naming(View(view), alone=False)) if view else None
    screen = document["screen"]
    return Evidence(
        image=_naming(document["image"]),
        screen=ScreenNaming(View(screen[0]) if screen[0] else None, screen[1]) if screen else None,
        examination=tuple(_examination_text(*each) for each in document["examination"]),
    )


def _naming(said: list[Any] | None) -> Naming | None:
    return Naming(View(said[0]), said[1]) if said else None


def _examination_text(attribute: str, digest: str, said: list[Any] | None, counts: bool) -> ExaminationText:
    return ExaminationText(attribute, digest, _naming(said), counts)
