"""From echo levels and attenuation on the polar grid to grey levels: speckle, loss, gain, noise, compression."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from training.phantom.anatomy import Tissues
from training.phantom.grid import N_DEPTHS, N_LINES, Field, PolarGrid
from training.phantom.physics import Acquisition, Body

REFERENCE_CM = 5.0
"""Depth at which the sonographer judges the liver's brightness."""
NOISE_DB = -70.0
"""Electronic noise against the echo of a lean liver at the skin, before time gain compensation."""


def grey_levels(
    rng: np.random.Generator, grid: PolarGrid, tissues: Tissues, body: Body, settings: Acquisition
) -> Field:
    """Image the tissues.

    Parameters
    ----------
    rng : numpy.random.Generator
    grid : PolarGrid
    tissues : Tissues
        Echo level and attenuation.
    body : Body
    settings : Acquisition

    Returns
    -------
    ndarray of float32, shape (N_DEPTHS, N_LINES)
        Grey levels, 0 to 255.
    """
    power = speckle_power(rng, grid, tissues.echo_db, settings)
    received: Field = power * _ratio(-path_loss_db(grid, tissues, settings))
    received += np.float32(10 ** (NOISE_DB / 10)) * rng.standard_exponential(power.shape, np.float32)
    echo_db = 10 * np.log10(received + np.float32(1e-12)) + gain_db(grid, settings) - contact_loss_db(settings)
    return compress(_smooth(echo_db, settings.smoothing) - reference_db(body, settings), settings)


def _ratio(level_db: Field) -> Field:
    """Turn decibels into a power ratio."""
    ratio: Field = np.exp(level_db * np.float32(np.log(10) / 10))
    return ratio


def speckle_power(rng: np.random.Generator, grid: PolarGrid, echo_db: Field, settings: Acquisition) -> Field:
    """Echo power with fully developed speckle: complex Gaussian scatterers seen through a Gaussian pulse.

    The envelope of a homogeneous medium is Rayleigh distributed (Wagner et al., IEEE Trans Sonics Ultrason 1983;
    30:156-163), so its power is exponential with mean one times the echo level.
    """
    scatterers: Field = rng.standard_normal((2, N_DEPTHS, N_LINES), np.float32)
    scatterers *= _ratio(np.float32(0.5) * echo_db)
    axial = 0.032 * 3.0 / settings.frequency_mhz / grid.step_cm
    lateral = 1.05 * settings.beam_width * 3.0 / settings.frequency_mhz
    parts = gaussian_filter1d(scatterers, axial, axis=1, truncate=3, mode="nearest")
    parts = gaussian_filter1d(parts, lateral, axis=2, truncate=3, mode="nearest")
    # a Gaussian of standard deviation s lowers the variance of white noise to 1 / (2 sqrt(pi) s)
    unit_variance = np.float32(4 * np.pi * axial * lateral)
    power: Field = (parts[0] ** 2 + parts[1] ** 2) * (unit_variance / 2)
    return power


def path_loss_db(grid: PolarGrid, tissues: Tissues, settings: Acquisition) -> Field:
    """Two-way loss from the probe to each sample, dB."""
    per_sample = np.cumsum(tissues.attenuation_db_per_cm_mhz, axis=0, dtype=np.float32)
    loss: Field = per_sample * np.float32(2 * settings.frequency_mhz * grid.step_cm)
    return loss


def gain_db(grid: PolarGrid, settings: Acquisition) -> Field:
    """Time gain compensation with its sliders and the focus, dB, shape (N_DEPTHS, 1)."""
    z = grid.z_cm
    slope = 2 * settings.frequency_mhz * settings.tgc_db_per_cm_mhz * z
    stops = np.linspace(0, grid.depth_cm, len(settings.tgc_sliders_db))
    sliders = np.interp(z, stops, settings.tgc_sliders_db)
    focus = 2.0 * np.exp(-(((z - settings.focus_cm) / 3.0) ** 2))
    return np.asarray(slope + sliders + focus, np.float32)


def contact_loss_db(settings: Acquisition) -> Field:
    """Loss towards the probe's edges where it leaves the skin, dB, shape (1, N_LINES)."""
    lines = np.linspace(0, 1, N_LINES, dtype=np.float32)[None, :]
    left, right = settings.contact_loss_db
    loss = left * np.exp(-lines / 0.08) + right * np.exp((lines - 1) / 0.08)
    return np.asarray(loss, np.float32)


def reference_db(body: Body, settings: Acquisition) -> float:
    """Level that the sonographer turns to `settings.level`: most of the liver's own at `REFERENCE_CM`."""
    lost = body.attenuation_db_per_cm_mhz - settings.tgc_db_per_cm_mhz
    return 0.9 * (body.liver_db - 2 * settings.frequency_mhz * lost * REFERENCE_CM)


def compress(echo_db: Field, settings: Acquisition) -> Field:
    """Show the dynamic range as 0 to 255 through the grey map."""
    shown = np.clip(echo_db / np.float32(settings.dynamic_range_db) + np.float32(settings.level), 0, 1)
    grey: Field = 255 * shown ** np.float32(settings.gamma)
    return grey


def _smooth(echo_db: Field, sigma: float) -> Field:
    """Smooth as scanners do after compression."""
    smooth = gaussian_filter1d(echo_db, sigma, axis=0, truncate=3, mode="nearest")
    result: Field = gaussian_filter1d(smooth, sigma * 0.8, axis=1, truncate=3, mode="nearest")
    return result
