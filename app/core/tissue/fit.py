"""Fit a shape to the edges of what is drawn: guess, vote, refine.

For every guessed apex the edges are looked at in its polar coordinates, where each of a sector's four sides is a value
at which points pile up, with few beyond it. The apex whose sides have most points is refined by least squares. Points
off every side (shadows, dark far fields, marks that touch the tissue) have no say, however many they are.
"""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.tissue.apexes import guess_apexes
from app.core.tissue.edges import Edges
from app.core.tissue.shape import Shape, Window, excess, polar
from app.core.values import Floats, GreyImage

BIN: Final = 2.0
"""Pixels: width of the bins in which points are counted; a side takes three."""
BINS: Final = 1000
"""At most; points farther out are counted in the last bin."""
TOLERANCES: Final = (4.0, 4.0, 2.5, 1.8)
"""Pixels: which points belong to a side, step after step of the refinement."""
HALO: Final = (8.0, 4.0, 2.5)
"""The same, where a shape is moved to sharper edges: compression smears edges over a block of 8 pixels, or of 16."""
SQUARE_STEPS: Final = 1
"""Steps before the aspect of the pixels is let free."""
ASPECT_WEIGHT: Final = 1e4
"""Of the wish for square pixels, squared pixels: a few hundred points must speak against them."""
ASPECTS: Final = 0.85, 1.18
STEADY: Final = 1e-3
"""Keeps a parameter in place that no point speaks of."""
ON_A_SIDE: Final = 2.5
"""Pixels: a point so close to a side is explained by it."""
CUT_SHARE: Final = 0.06
"""Of the ends of rows, or of columns: so many in one line that no side explains make a cut..."""
CUT_SHARE_OF_REST: Final = 0.5
"""...if they are so many of those that no side explains: where a side has faded, they lie everywhere..."""
MIN_CUT: Final = 12
"""...and no fewer than this."""
INSIDE: Final = 8, 28
"""Pixels inside an edge, at which brightness is compared:"""
FADED: Final = 0.4
"""where the picture is so much darker at the edge, it fades there and nothing is cut off."""
DIM: Final = 12
"""Grey levels above the background: where a picture is darker, edges lie in a line by chance."""
ORIGIN: Final = 512
"""Pixels: the middle of the range in which cuts are looked for."""


Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, pixels."""


class Fit(NamedTuple):
    """A shape and how well it explains the edges.

    Attributes
    ----------
    shape : Shape
    explained : float
        Share of the points that lie on one of its sides.
    """

    shape: Shape
    explained: float


def fit_shape(edges: Edges, box: Box, level: GreyImage) -> Fit:
    """Fit a shape.

    Parameters
    ----------
    edges : Edges
        At least three points.
    box : tuple of float
        Bounds of what they are the edges of: x0, y0, x1, y1, pixels.
    level : ndarray of uint8, shape (rows, columns)
        Brightness above the background.

    Returns
    -------
    Fit
    """
    points = edges.all
    shape = _refined(_voted(edges, guess_apexes(edges, box), box), points)
    shape = replace(shape, window=_window(shape, edges, level))
    return Fit(shape, explained(shape, points))


def sharpened(shape: Shape, edges: Edges) -> Shape:
    """Move a shape's sides to edges that lie within a few pixels of them.

    Parameters
    ----------
    shape : Shape
        As it was fitted to all that is drawn, the halo that JPEG leaves around it included.
    edges : Edges
        Of what is drawn brightly.

    Returns
    -------
    Shape
    """
    return replace(_refined(shape, edges.all, HALO), window=shape.window)


def explained(shape: Shape, points: Floats) -> float:
    """Return the share of points that lie on a side of the shape, or on a cut."""
    x, y = points.T
    window = shape.window
    cuts = np.abs(np.stack([x - window.x0, y - window.y0, x - window.x1, y - window.y1]))
    on_a_side = np.abs(excess(shape, points)).min(axis=0) < ON_A_SIDE
    return float((on_a_side | (cuts.min(axis=0) < ON_A_SIDE)).mean())


def _voted(edges: Edges, apexes: Floats, box: Box) -> Shape:
    """Give the best sides of the apex whose sides have most points.

    A side that has no points is cut off by the picture's border: it lies as far out as the picture goes.
    """
    corners = np.array([(x, y) for x in box[::2] for y in box[1::2]])
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    reference = np.hypot(*(middle - apexes).T)[:, np.newaxis]
    sides, total = [], np.zeros(len(apexes))
    for ends, which, outwards in zip(edges, (0, 0, 1, 1), (-1, 1) * 2, strict=True):
        position, score = _pile(_unrolled(ends if len(ends) else corners, apexes, reference)[which], outwards)
        sides.append(position)
        total += score if len(ends) else 0
    best = int(np.argmax(total))
    left, right, near, far = (float(position[best]) for position in sides)
    r = float(reference[best, 0])
    x, y = apexes[best].tolist()
    return Shape(x, y, left / r, right / r, max(0.0, near + r), far + r)


def _unrolled(points: Floats, apexes: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Return how far points lie across and along the beam, each of shape (apexes, points), pixels."""
    angle, radius = polar(points, apexes)
    return angle * reference, radius - reference


def _pile(values: Floats, outwards: int) -> tuple[Floats, Floats]:
    """Find in every row the value that most points share, less those beyond it.

    Parameters
    ----------
    values : ndarray, shape (m, n)
        Pixels.
    outwards : {-1, 1}
        Which way is beyond.

    Returns
    -------
    positions, scores : ndarray, shape (m,)
    """
    m = len(values)
    places = np.clip(outwards * values / BIN + BINS / 2, 1, BINS - 2).astype(np.intp)
    first = int(places.min()) - 1
    bins = int(places.max()) + 2 - first
    places += bins * np.arange(m)[:, np.newaxis] - first
    count = np.bincount(places.ravel(), minlength=m * bins).reshape(m, bins)
    upto = np.cumsum(count, axis=1)
    score = 2 * upto[:, 2:] - upto[:, -1:]  # those in three bins, less those in later ones
    score[:, 1:] -= upto[:, :-3]
    best = score.argmax(axis=1)
    return outwards * (first + best + 1.5 - BINS / 2) * BIN, score[np.arange(m), best].astype(np.float64)


def _refined(shape: Shape, points: Floats, tolerances: tuple[float, ...] = TOLERANCES) -> Shape:
    """Move all parameters at once so that the points on the sides are closest to them (Gauss-Newton)."""
    for step, tolerance in enumerate(tolerances):
        distance = excess(shape, points)
        side = np.abs(distance).argmin(axis=0)
        error = distance[side, np.arange(len(points))]
        close = np.abs(error) < tolerance
        slopes = _slopes(shape, points[close], side[close])
        if shape.is_rectangle:
            slopes[:, [0, 1, 6]] = 0
        elif step < SQUARE_STEPS:
            slopes[:, 6] = 0
        shape = _stepped(shape, slopes, error[close])
    return shape


def _stepped(shape: Shape, slopes: Floats, error: Floats) -> Shape:
    weight = np.full(7, STEADY)
    weight[6] = ASPECT_WEIGHT
    slopes[:, 2:4] /= shape.far  # all but the aspect in pixels
    gradient = slopes.T @ error
    gradient[6] += ASPECT_WEIGHT * (shape.aspect - 1)
    step = np.linalg.solve(slopes.T @ slopes + np.diag(weight), gradient)
    step[2:4] /= shape.far
    numbers = shape.parameters - step
    numbers[6] = np.clip(numbers[6], *ASPECTS)
    return Shape(*numbers.tolist())


def _slopes(shape: Shape, points: Floats, side: NDArray[np.intp]) -> Floats:
    """Return how each point's excess changes with the seven parameters, shape (n, 7)."""
    dx, dy = points[:, 0] - shape.apex_x, points[:, 1] - shape.apex_y
    radius = np.hypot(dx * shape.aspect, dy) + np.finfo(np.float64).tiny  # a point may lie on the apex
    sine, cosine = dx * shape.aspect / radius, dy / radius
    is_angle, outwards = side < 2, np.where(side % 2, 1.0, -1.0)
    by_x, by_y = outwards * np.where(is_angle, (cosine, -sine), (sine, cosine))
    slopes = np.zeros((len(points), 7))
    slopes[:, 0], slopes[:, 1], slopes[:, 6] = -by_x * shape.aspect, -by_y, by_x * dx
    slopes[np.arange(len(points)), 2 + side] = -outwards * np.where(is_angle, radius, 1.0)
    return slopes


def _window(shape: Shape, edges: Edges, level: GreyImage) -> Window:
    """Find straight cuts on the left, the right, at the top and at the bottom."""
    directions = zip(edges, (0, 0, 1, 1), (-1, 1, -1, 1), strict=True)
    left, right, top, bottom = (_cut(shape, ends, axis, outwards, level) for ends, axis, outwards in directions)
    return Window(left, top, right, bottom)


def _cut(shape: Shape, ends: Floats, axis: int, outwards: int, level: GreyImage) -> float:
    """Return where many ends that no side explains lie in one line, sharp and with few beyond; else infinity."""
    beyond = excess(shape, ends)
    inside = ends[(beyond < ON_A_SIDE).all(axis=0), axis]
    unexplained = ends[(beyond < -ON_A_SIDE).all(axis=0)]
    enough = max(MIN_CUT, CUT_SHARE * len(ends), CUT_SHARE_OF_REST * len(unexplained))
    if len(unexplained) < enough:
        return outwards * np.inf
    (position,), (score,) = _pile(inside[np.newaxis] - ORIGIN, outwards)
    in_line = unexplained[np.abs(unexplained[:, axis] - position - ORIGIN) < 2 * BIN]
    is_cut = score > 0 and len(in_line) >= enough and _is_sharp(in_line, axis, outwards, level)
    return float(np.median(in_line[:, axis])) if is_cut else outwards * np.inf


def _is_sharp(ends: Floats, axis: int, outwards: int, level: GreyImage) -> bool:
    """Tell whether the picture is bright just inside some of its edges, and about as bright as farther inside."""
    near, far = (_mean_inside(ends, axis, outwards * depth, level) for depth in INSIDE)
    return near >= max(DIM, FADED * far)


def _mean_inside(ends: Floats, axis: int, depth: int, level: GreyImage) -> float:
    within = ends.copy()
    within[:, axis] -= depth
    x, y = np.clip(within.astype(np.intp), 0, np.array(level.shape[::-1]) - 1).T
    return float(level[y, x].mean())
