"""Studies as scanners send them, in two transfer syntaxes; every request asks what was never asked before."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imagecodecs
import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from training.phantom import write_study

Kind = Literal["jpeg", "uncompressed"]
KINDS: tuple[Kind, ...] = ("jpeg", "uncompressed")
BOUNDARY = "liver-pdff-benchmark"
JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Study:
    """Four colour screens of 1024 x 768 as the body of one form.

    Attributes
    ----------
    body : bytes
        multipart/form-data with `BOUNDARY`, a field a view.
    study_instance_uid : bytes
        As it stands in each of the four files.
    """

    body: bytes
    study_instance_uid: bytes

    def asked_as(self, number: int) -> bytes:
        """Give the body under another (0020,000D) Study Instance UID of the same length: another question."""
        uid = self.study_instance_uid
        other = b"1.2.%020d" % number
        return self.body.replace(uid, other.ljust(len(uid), b"1")[: len(uid)])


def make_studies(folder: Path, count: int, kind: Kind) -> list[Study]:
    """Simulate studies and write them as a scanner would, grey screens in colour."""
    studies = []
    for number in range(1, count + 1):
        paths = write_study(folder / str(number), number, seed=4242, pdff_percent=5.0 * number)
        datasets = {view: _coloured(dcmread(path), kind) for view, path in paths.items()}
        uid = next(iter(datasets.values())).StudyInstanceUID.encode()
        studies.append(Study(_form({view: _bytes(each, folder) for view, each in datasets.items()}), uid))
    return studies


def _coloured(dataset: Dataset, kind: Kind) -> Dataset:
    rgb = np.repeat(dataset.pixel_array[..., np.newaxis], 3, axis=2)
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation, dataset.PixelData = "RGB", rgb.tobytes()
    if kind == "jpeg":
        frame = imagecodecs.jpeg8_encode(rgb, level=JPEG_QUALITY, subsampling="422")
        dataset.PhotometricInterpretation, dataset.PixelData = "YBR_FULL_422", encapsulate([bytes(frame)])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID, dataset.LossyImageCompression = JPEGBaseline8Bit, "01"
    return dataset


def _bytes(dataset: Dataset, folder: Path) -> bytes:
    path = folder / "one.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path.read_bytes()


def _form(files: dict[str, bytes]) -> bytes:
    return b"".join(_part(name, content) for name, content in files.items()) + f"--{BOUNDARY}--\r\n".encode()


def _part(name: str, content: bytes) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{name}.dcm"'
    head = f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: application/dicom\r\n\r\n"
    return head.encode() + content + b"\r\n"
