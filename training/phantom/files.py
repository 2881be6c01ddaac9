"""One screen as a DICOM Ultrasound Image Storage object (PS3.3 A.6)."""

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from app.core.values import View
from training.phantom.screen import VIEW_TITLES, Screen

VERSION = "2"
"""Part of every UID: count up when a change of the simulation moves pixels."""
_VIEW_NAMES = {
    View.HEPATIC_VEINS: "Hepatic veins",
    View.RIGHT_PORTAL_VEIN: "Rt portal vein",
    View.RIGHT_POSTERIOR_PORTAL_VEIN: "Rt post PV",
    View.LIVER_KIDNEY: "Liver/kidney",
}
"""View Name (0008,2127) is a Short String: 16 characters."""
_CM = 3
"""Physical Units (0018,6024): centimetres."""


def uid(*names: object) -> str:
    """Derive a UID from what identifies an object: the same names give the same UID."""
    return str(generate_uid(entropy_srcs=["liver-pdff phantom", VERSION, *map(str, names)]))


def sop_instance_uid(participant: int, seed: int, pdff_percent: float, view: View) -> str:
    """Name the image of one view."""
    return uid(seed, participant, repr(float(pdff_percent)), view)


def make_dataset(screen: Screen, participant: int, seed: int, pdff_percent: float, view: View) -> Dataset:
    """Build the object of one view.

    Parameters
    ----------
    screen : Screen
    participant, seed : int
    pdff_percent : float
        Goes into the UIDs alone: the object does not tell its own answer.
    view : View

    Returns
    -------
    Dataset
        With File Meta Information, Explicit VR Little Endian.
    """
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    _patient_and_study(dataset, participant, uid(seed, participant, repr(float(pdff_percent))))
    _series(dataset, view)
    dataset.SOPClassUID = UltrasoundImageStorage
    dataset.SOPInstanceUID = sop_instance_uid(participant, seed, pdff_percent, view)
    dataset.ManufacturerModelName = screen.vendor
    _image(dataset, screen, view)
    dataset.SequenceOfUltrasoundRegions = [_region(screen)]
    return dataset


def _patient_and_study(dataset: Dataset, participant: int, study_uid: str) -> None:
    dataset.PatientName = f"PHANTOM^{participant:04d}"
    dataset.PatientID = f"PHANTOM-{participant:04d}"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = ""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Simulated: there is no patient"
    dataset.StudyInstanceUID = study_uid
    dataset.StudyDate = "20210101"
    dataset.StudyTime = "120000"
    dataset.StudyID = f"{participant:04d}"
    dataset.StudyDescription = "SYNTHETIC liver fat phantom"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""


def _series(dataset: Dataset, view: View) -> None:
    dataset.Modality = "US"
    dataset.SeriesInstanceUID = uid(dataset.StudyInstanceUID, view)
    dataset.SeriesNumber = list(View).index(view) + 1
    dataset.SeriesDescription = VIEW_TITLES[view]
    dataset.ProtocolName = VIEW_TITLES[view]
    _stage(dataset, view)
    dataset.BodyPartExamined = "LIVER"
    dataset.Manufacturer = "liver-pdff phantom"
    dataset.SoftwareVersions = VERSION
    dataset.PatientOrientation = ""


def _stage(dataset: Dataset, view: View) -> None:
    """Name the view within a staged protocol of one stage."""
    dataset.NumberOfStages = dataset.StageNumber = 1
    dataset.NumberOfViewsInStage = len(View)
    dataset.ViewNumber = list(View).index(view) + 1
    dataset.ViewName = _VIEW_NAMES[view]


def _image(dataset: Dataset, screen: Screen, view: View) -> None:
    dataset.InstanceNumber = list(View).index(view) + 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.ContentDate = dataset.StudyDate
    dataset.ContentTime = dataset.StudyTime
    dataset.BurnedInAnnotation = "YES"
    dataset.LossyImageCompression = "00"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = screen.pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.PixelData = screen.pixels.tobytes()


def _region(screen: Screen) -> Dataset:
    """Describe the sector: two-dimensional tissue, centimetres (PS3.3 C.8.5.5)."""
    region = Dataset()
    region.RegionSpatialFormat = 1
    region.RegionDataType = 1
    region.RegionFlags = 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = screen.region.x0, screen.region.y0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = screen.region.x1 - 1, screen.region.y1 - 1
    region.ReferencePixelX0, region.ReferencePixelY0 = screen.origin
    region.ReferencePixelPhysicalValueX = region.ReferencePixelPhysicalValueY = 0.0
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = _CM
    region.PhysicalDeltaX = region.PhysicalDeltaY = screen.pixel_spacing_cm
    region.TransducerFrequency = round(screen.frequency_mhz * 1000)
    return region


def write_atomically(dataset: Dataset, path: Path) -> None:
    """Write under a temporary name, then rename: a file that exists is whole."""
    unfinished = path.with_suffix(".part")
    dataset.save_as(unfinished, enforce_file_format=True)
    unfinished.replace(path)
