"""Class activation maps: where in the picture a prediction comes from."""

import numpy as np
from numpy.typing import NDArray

from app.core.values import Floats, LinearHead


def class_activation_map(head: LinearHead, activation: NDArray[np.float32]) -> Floats:
    """Spread one head's prediction over the last feature map.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (n_features,) in output units per raw feature unit.
    activation : ndarray of float32, shape (n_features, h, w)
        Backbone output before global average pooling (GAP).

    Returns
    -------
    ndarray of float64, shape (h, w)
        Signed contribution in output units (percent PDFF, or log-odds). As GAP is the mean over the map and the
        head is linear, ``mean(map) + intercept`` is the head's output.

    Raises
    ------
    ValueError
        If the two feature counts differ.

    References
    ----------
    .. [1] Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, eq. 2.
    .. [2] Byra et al., J Ultrasound Med 2021, Appendix 1: signed; red positive, blue negative.
    """
    # Only the sparse head's support is read: a few dozen of 2048 maps.
    support = np.flatnonzero(head.weights)
    if activation.shape[0] != head.weights.shape[0]:
        raise ValueError(f"{activation.shape[0]} feature maps, but {head.weights.shape[0]} weights")
    return np.tensordot(head.weights[support], activation[support].astype(np.float64), axes=1)
