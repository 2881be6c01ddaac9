"""liver-pdff: estimate liver fat (PDFF, %) from four ultrasound views. Not a medical device."""

__version__ = "0.1.0"
