"""From a screen to its tissue: the grey B-mode sector or rectangle, and nothing else.

The walk of `extract_tissue` (`crop`): a declared region, or the whole picture (`regions`) -> without the bars along
its borders (`bars`) -> pixels that differ from the screen's background (`background`) -> solid blobs, without text
and ticks (`blobs`) -> where they end (`edges`) -> the shape that explains most of these ends (`apexes`, `fit`,
`shape`), of all parts of one sector (`silhouette`), alone (`panels`) -> no colour flow (`colour`) -> crop. Ends of
rows and columns that lie on no side of a shape have no say, so shadows, vessels, dark fields and what touches the
tissue do not move it.
"""

from app.core.tissue.crop import extract_tissue
from app.core.tissue.pictures import to_grey
from app.core.tissue.silhouette import find_silhouette

__all__ = ["extract_tissue", "find_silhouette", "to_grey"]
