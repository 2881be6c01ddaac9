"""What fat does to sound in the liver, and what differs between people and between acquisitions.

The laws are smooth curves through published anchor points. Each person scatters about them, so that no single cue
gives PDFF away, and the sonographer's gain hides the absolute level.
"""

from dataclasses import dataclass

import numpy as np

from app.core.values import View

DEPTHS_CM = (14.0, 16.0, 18.0)
"""Depth settings that the simulated sonographer chooses between."""
LEAN_BACKSCATTER_DB = -28.0
"""Backscatter coefficient of a liver without fat, 10 log10 of 1/(cm sr)."""


def attenuation_db_per_cm_mhz(pdff_percent: float) -> float:
    """Attenuation coefficient of liver.

    Parameters
    ----------
    pdff_percent : float
        Proton density fat fraction, %.

    Returns
    -------
    float
        dB/cm/MHz, one way: 0.54 without fat, 0.62 at 5 %, 0.68 at 10 %, 0.91 at 40 %.

    Notes
    -----
    The curve is ours, within the range that attenuation imaging finds against MRI-PDFF [1]_; [2]_ shows the rise
    in a cohort like the paper's.

    References
    ----------
    .. [1] Ferraioli et al., "Detection of liver steatosis with a novel ultrasound-based technique: a pilot study
       using MRI-derived proton density fat fraction as the gold standard", Clin Transl Gastroenterol 2019; 10:e00081.
    .. [2] Han et al., "Assessment of hepatic steatosis in nonalcoholic fatty liver disease by using quantitative
       US", Radiology 2020; 295:106-113.
    """
    return float(0.54 + 0.5 * (1 - np.exp(-pdff_percent / 30)))


def backscatter_db(pdff_percent: float) -> float:
    """Backscatter coefficient of liver at about 3 MHz.

    Parameters
    ----------
    pdff_percent : float
        Proton density fat fraction, %.

    Returns
    -------
    float
        10 log10 of the coefficient in 1/(cm sr): -28 without fat, -24 at 5 %, -15 at 40 %.

    Notes
    -----
    The curve's shape is ours; it meets the cut-off 0.0038 1/(cm sr), -24.2 dB, for PDFF >= 5 % of [1]_.

    References
    ----------
    .. [1] Lin et al., "Noninvasive diagnosis of nonalcoholic fatty liver disease and quantification of liver fat
       using a new quantitative ultrasound technique", Clin Gastroenterol Hepatol 2015; 13:1337-1345.
    """
    return float(LEAN_BACKSCATTER_DB + 14 * (1 - np.exp(-pdff_percent / 15)))


def vessel_contrast_db(pdff_percent: float) -> float:
    """Depth of a vessel's lumen below the liver around it, dB: 26 without fat, 8 at 40 %.

    Vein blurring is the reader's foremost sign of fat (Hong et al., Abdom Radiol 2019; 44:54-64). The numbers are
    ours: scattered sound fills the lumen.
    """
    return float(5 + 21 * np.exp(-pdff_percent / 20))


def vessel_edge_cm(pdff_percent: float) -> float:
    """Width over which a vessel's edge fades, cm: 0.02 without fat, 0.13 at 40 %. The numbers are ours."""
    return float(0.02 + 0.14 * (1 - np.exp(-pdff_percent / 25)))


def texture_contrast_db(pdff_percent: float) -> float:
    """Level variation of the liver's own structure, dB: 2.6 without fat, 0.9 at 40 %.

    Portal triads and small vessels stand out in a lean liver; as fat adds scatterers the envelope's statistics move
    towards Rayleigh (Wan et al., Proc Inst Mech Eng H 2015; 229:419-428). The numbers are ours.
    """
    return float(0.7 + 1.9 * np.exp(-pdff_percent / 18))


def regional_pdff_percent(rng: np.random.Generator, pdff_percent: float) -> float:
    """Draw the fat fraction of the part of the liver that one view shows: about the whole liver's, %.

    Fat is not spread evenly over the segments; a tenth of the mean is our figure for it.
    """
    return float(pdff_percent * np.exp(0.1 * np.clip(rng.standard_normal(), -2.5, 2.5)))


@dataclass(frozen=True, slots=True)
class Body:
    """One participant; the four views differ by the fat of the part that they show.

    Attributes
    ----------
    attenuation_db_per_cm_mhz : float
        Of the liver.
    liver_db : float
        Echo level of the liver; 0 is an average liver without fat.
    vessel_contrast_db, vessel_edge_cm, texture_contrast_db : float
        How vessels and structure show.
    kidney_db : float
        Echo level of the renal cortex, which holds no fat.
    wall_cm : float
        Thickness of the body wall in front of the liver.
    size : float
        Scale of the anatomy about its usual one.
    """

    attenuation_db_per_cm_mhz: float
    liver_db: float
    vessel_contrast_db: float
    vessel_edge_cm: float
    texture_contrast_db: float
    kidney_db: float
    wall_cm: float
    size: float

    @property
    def clutter_db(self) -> float:
        """Level of the scattered sound that fills what should be dark: vessels, and the kidney behind a fatty liver."""
        return self.liver_db - self.vessel_contrast_db


def draw_body(rng: np.random.Generator, pdff_percent: float) -> Body:
    """Draw a person; for one state of `rng` only the fat signs depend on PDFF.

    Parameters
    ----------
    rng : numpy.random.Generator
    pdff_percent : float
        Fat fraction of the part of the liver in view, %.
    """
    noise = np.clip(rng.standard_normal(8), -2.5, 2.5)
    return Body(
        attenuation_db_per_cm_mhz=attenuation_db_per_cm_mhz(pdff_percent) + 0.04 * noise[0],
        liver_db=backscatter_db(pdff_percent) - LEAN_BACKSCATTER_DB + 1.5 * noise[1],
        vessel_contrast_db=vessel_contrast_db(pdff_percent) * np.exp(0.20 * noise[2]),
        vessel_edge_cm=vessel_edge_cm(pdff_percent) * np.exp(0.25 * noise[3]),
        texture_contrast_db=texture_contrast_db(pdff_percent) * np.exp(0.20 * noise[4]),
        kidney_db=-2.0 + 1.5 * noise[5],
        wall_cm=1.9 + 0.35 * noise[6] + 0.012 * pdff_percent,
        size=1.0 + 0.05 * noise[7],
    )


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What the sonographer and the scanner did for one view.

    Attributes
    ----------
    depth_cm : float
        Depth setting, one of `DEPTHS_CM`.
    frequency_mhz : float
        Centre frequency of the probe.
    tgc_db_per_cm_mhz : float
        Attenuation that the scanner's time gain compensation assumes, one way.
    tgc_sliders_db : ndarray, shape (7,)
        Sliders from the skin to the deepest line.
    level : float
        Grey level, 0 to 1, that the sonographer gives the liver at 5 cm.
    dynamic_range_db : float
        Echo range shown from black to white.
    gamma : float
        Exponent of the grey map.
    smoothing : float
        Image smoothing of the scanner, polar samples.
    focus_cm : float
        Depth of the focus mark.
    beam_width : float
        Factor on the lateral speckle size: aberration in the body wall and aperture.
    contact_loss_db : tuple of float
        Loss at the left and the right edge of the probe.
    """

    depth_cm: float
    frequency_mhz: float
    tgc_db_per_cm_mhz: float
    tgc_sliders_db: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    level: float
    dynamic_range_db: float
    gamma: float
    smoothing: float
    focus_cm: float
    beam_width: float
    contact_loss_db: tuple[float, float]


def draw_acquisition(rng: np.random.Generator, body: Body, view: View) -> Acquisition:
    """Draw a sonographer's settings: gain and TGC follow the picture, with a hand that varies."""
    assumed = 0.63 + 0.08 * (body.attenuation_db_per_cm_mhz - 0.63)
    wanted_cm = 16.0 * body.size + rng.normal(0, 0.9) + (0.4 if view is View.HEPATIC_VEINS else 0.0)
    return Acquisition(
        depth_cm=min(DEPTHS_CM, key=lambda depth: abs(depth - wanted_cm)),
        frequency_mhz=float(rng.choice([2.5, 3.0, 3.5])),
        tgc_db_per_cm_mhz=assumed + rng.normal(0, 0.035),
        tgc_sliders_db=rng.normal(0, 1.3, 7),
        level=float(np.clip(rng.normal(0.47, 0.06), 0.3, 0.62)),
        dynamic_range_db=float(rng.uniform(56, 72)),
        gamma=float(rng.uniform(0.95, 1.3)),
        smoothing=float(rng.uniform(0.65, 1.05)),
        focus_cm=float(rng.choice([5.0, 7.0, 9.0])),
        beam_width=float(rng.uniform(0.9, 1.2) + 0.15 * (body.wall_cm - 1.9)),
        contact_loss_db=(float(rng.exponential(5)), float(rng.exponential(5))),
    )
