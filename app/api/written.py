"""An answer written down without a server: as text, as JSON, as a folder of files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.adapters.bundle.manifest import Evaluation
from app.adapters.drawing.pictures import draw_overlay
from app.adapters.drawing.png import encode_png
from app.api.reports import make_report, render_html, render_pdf
from app.api.schemas import analysis_out
from app.core.notices import NOTICE, VIEW_NAMES, remarks
from app.core.values import Analysis, Crop, Estimate, Target, View, ViewEstimate

_ADDRESSES: dict[str, Any] = {
    "id": True,
    "dicom_urls": True,
    "fhir_url": True,
    "views": {"__all__": {"overlay_url", "tissue_url"}},
}
"""What only a stored analysis has."""


def document(analysis: Analysis) -> dict[str, Any]:
    """Write an answer as POST /v1/analyses does, without the addresses of what is not stored."""
    return analysis_out(analysis, link=str).model_dump(mode="json", exclude=_ADDRESSES)


def describe(analysis: Analysis) -> str:
    """Write an answer as a table and sentences."""
    estimate = analysis.estimate
    rows: list[tuple[str, ViewEstimate | Estimate]] = [(VIEW_NAMES[view.view], view) for view in estimate.views]
    rows.append(("Averaged", estimate))
    width = max(len(name) for name, _ in rows)
    lines = [f"{'':{width}}  PDFF, %  P(>= 5 %)  P(>= 10 %)", *(_row(name.ljust(width), each) for name, each in rows)]
    calls = [
        f"{'at or above' if is_above else 'below'} {cut} %"
        for cut, is_above in ((5, estimate.steatosis_ge5), (10, estimate.steatosis_ge10))
    ]
    return "\n".join([*lines, "", f"Called {' and '.join(calls)}.", NOTICE, *remarks(analysis)])


def _row(name: str, said: ViewEstimate | Estimate) -> str:
    return f"{name}  {said.pdff_percent:7.1f}  {said.probability_ge5:9.2f}  {said.probability_ge10:10.2f}"


def write_folder(folder: Path, analysis: Analysis, crops: Mapping[View, Crop], evaluation: Evaluation) -> None:
    """Write answer, report, crops and maps into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    tissues = {view: crop.tissue.pixels for view, crop in crops.items()}
    (folder / "analysis.json").write_text(json.dumps(document(analysis), indent=2) + "\n")
    report = make_report(analysis, tissues, evaluation)
    (folder / "report.html").write_text(render_html(report))
    (folder / "report.pdf").write_bytes(render_pdf(report))
    for view in analysis.estimate.views:
        (folder / f"{view.view}.tissue.png").write_bytes(encode_png(tissues[view.view]))
        for target in Target:
            picture = draw_overlay(tissues[view.view], view.cams[target], target)
            (folder / f"{view.view}.overlay.{target}.png").write_bytes(picture)
