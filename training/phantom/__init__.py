"""Simulated four-view liver ultrasound studies of known proton density fat fraction (PDFF).

The walk: a participant's PDFF -> `physics` draws a `Body` (what fat does to sound) and an `Acquisition` (what the
sonographer did) -> `anatomy` paints one view as echo level and attenuation on the beam's own polar grid ->
`beam` turns that into grey levels with speckle, attenuation, gain and noise -> `screen` scan converts it into a
vendor's screen -> `files` writes ultrasound DICOM -> `cohort` does so for many. Same seed and participant: the same
pixels. Nothing here is a patient; every screen says so.
"""

from training.phantom.cohort import draw_pdff_percent, write_cohort, write_study
from training.phantom.physics import attenuation_db_per_cm_mhz, backscatter_db
from training.phantom.screen import LAYOUTS, Layout, Screen
from training.phantom.sheet import write_contact_sheet
from training.phantom.simulation import participant_layout, simulate_participant, simulate_view

__all__ = [
    "LAYOUTS",
    "Layout",
    "Screen",
    "attenuation_db_per_cm_mhz",
    "backscatter_db",
    "draw_pdff_percent",
    "participant_layout",
    "simulate_participant",
    "simulate_view",
    "write_cohort",
    "write_contact_sheet",
    "write_study",
]
