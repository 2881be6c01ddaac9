"""The same network served by BentoML, with the work around it that its users would write.

``NETWORK=network.onnx bentoml serve bento_service:LiverPdff --port PORT``
"""

import os
from pathlib import Path

import bentoml
import numpy as np
import onnxruntime
from PIL import Image
from pydicom import dcmread

THREADS = int(os.environ.get("THREADS", "2"))


def picture(path: Path) -> np.ndarray:
    dataset = dcmread(path)
    pixels = dataset.pixel_array
    grey = pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
    region = dataset.SequenceOfUltrasoundRegions[0]
    rows = slice(region.RegionLocationMinY0, region.RegionLocationMaxY1 + 1)
    tissue = grey[rows, region.RegionLocationMinX0 : region.RegionLocationMaxX1 + 1]
    return np.asarray(Image.fromarray(tissue).resize((224, 224), Image.Resampling.BICUBIC))


@bentoml.service(workers=1, traffic={"timeout": 300})
class LiverPdff:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self.session = onnxruntime.InferenceSession(os.environ["NETWORK"], options)

    @bentoml.api
    def analyse(
        self,
        hepatic_veins: Path,
        right_portal_vein: Path,
        right_posterior_portal_vein: Path,
        liver_kidney: Path,
    ) -> dict:
        files = (hepatic_veins, right_portal_vein, right_posterior_portal_vein, liver_kidney)
        pictures = np.stack([picture(path) for path in files])
        inputs = {"picture": pictures, "view": np.arange(4)}
        values, cams = self.session.run(["value", "cam"], inputs)
        return {"values": values.tolist(), "cams": cams.tolist()}
