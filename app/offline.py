"""One study from files to an answer, without a server or a database: what the command line does."""

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from app.adapters.bundle.engine import Engine
from app.adapters.bundle.store import Bundle
from app.adapters.dicom import introduce
from app.adapters.reading.objects import Instructions, last_crop
from app.adapters.screens.text_reader import text_reader
from app.core.errors import AnalysisError
from app.core.pipeline import estimate_study
from app.core.values import Analysis, Crop, View
from app.core.views import Candidate, assign_views, refused


@dataclass(frozen=True, slots=True)
class StudyFile:
    """A file on its way to becoming a view.

    Attributes
    ----------
    path : Path
    declared_view : View or None
        The view that the user named; None: read it from the object's attributes.
    """

    path: Path
    declared_view: View | None = None

    @classmethod
    def parse(cls, text: str) -> "StudyFile":
        """Read ``PATH`` or ``VIEW=PATH``."""
        name, _, path = text.partition("=")
        return cls(Path(path), View(name)) if path and name in set(View) else cls(Path(text))


def analyse_files(
    bundle: Bundle, files: Sequence[StudyFile], instructions: Instructions, threads: int, *, allow_partial: bool
) -> tuple[Analysis, dict[View, Crop]]:
    """Answer one study as the service does, and keep nothing.

    Parameters
    ----------
    bundle : Bundle
    files : sequence of StudyFile
        Four views in any order.
    instructions : Instructions
    threads : int
    allow_partial : bool
        Whether one to three views are enough.

    Returns
    -------
    analysis : Analysis
    crops : dict of View to Crop

    Raises
    ------
    AnalysisError
        The first refusal, with the others in its ``also``; `part` is the file's path.
    OSError
        If a file cannot be read.
    """
    with ThreadPoolExecutor(threads) as pool, Engine(bundle.model.network, threads) as engine:
        candidates = list(pool.map(lambda file: _attempt_read(file, instructions), files))
        crops = assign_views(candidates, allow_partial=allow_partial, rules=instructions.rules)
        estimate = estimate_study(crops, replace(bundle.model, network=engine))
    return Analysis(str(uuid.uuid4()), datetime.now(UTC), bundle.identity, estimate), crops


def _attempt_read(file: StudyFile, instructions: Instructions) -> Candidate:
    content, declared = file.path.read_bytes(), file.declared_view is not None
    try:
        crop = last_crop(content, instructions, text_reader(), declared=declared)
    except AnalysisError as error:
        return Candidate(str(file.path), refused(error, introduce(content)), file.declared_view)
    return Candidate(str(file.path), crop, file.declared_view)
