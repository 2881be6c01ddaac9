"""Drawn overlays, kept by what they are drawn from: the same crop and map are never drawn twice in a row."""

import hashlib
from threading import Lock
from typing import Final

from cachetools import LRUCache, cached

from app.adapters.drawing.pictures import draw_overlay
from app.adapters.drawing.png import decode_png
from app.core.values import Floats, Target

CACHE_BYTES: Final = 16 << 20
"""Some two dozen pictures of the usual size: a few people looking at studies, whatever else is asked for."""

_cache: LRUCache[bytes, bytes] = LRUCache(CACHE_BYTES, getsizeof=len)


def _inputs(tissue_png: bytes, cam: Floats, target: Target) -> bytes:
    digest = hashlib.sha256(tissue_png)
    digest.update(cam.tobytes() + target.encode())
    return digest.digest()


@cached(_cache, key=_inputs, lock=Lock())
def overlay_png(tissue_png: bytes, cam: Floats, target: Target) -> bytes:
    """Lay one class activation map over its stored crop, as PNG.

    Parameters
    ----------
    tissue_png : bytes
    cam : ndarray of float64, shape (7, 7)
    target : Target
    """
    return draw_overlay(decode_png(tissue_png), cam, target)
