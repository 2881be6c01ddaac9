"""liver-pdff: estimate liver fat (PDFF, %) from four ultrasound views. Not a medical device."""

import os

__version__ = "0.1.0"

# Official builds of onnxruntime report to their maker, unless this stands before they are loaded: nothing leaves here.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
