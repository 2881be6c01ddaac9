"""From a screen to its tissue: the grey B-mode sector or rectangle, and nothing else.

The walk of `extract_tissue` (`crop`): a declared region, or the whole picture (`regions`) -> pixels that differ from
the screen's background (`background`) -> the largest compact blob, without text, ticks and bars (`blobs`), alone
(`panels`) -> its convex outline (`hull`), less the arc of a curved probe, with the sides that faded (`sector`) ->
no colour flow (`colour`) -> crop. `silhouette` holds the steps from background to sector.
Working on the outline and not on the pixels keeps vessels, shadows and the dark far field in the tissue.
"""

from app.core.tissue.crop import extract_tissue
from app.core.tissue.pictures import to_grey
from app.core.tissue.silhouette import find_silhouette

__all__ = ["extract_tissue", "find_silhouette", "to_grey"]
