"""models/NAME/VERSION/ -> Bundle: every hash verified, the graph checked, the golden answer replayed."""

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import FiniteFloat, TypeAdapter, ValidationError

from app.adapters.bundle.engine import Engine
from app.adapters.bundle.manifest import Manifest
from app.adapters.bundle.onnx_networks import OnnxNetwork, Provider
from app.adapters.dicom import read_instance
from app.core.errors import AnalysisError, BundleUnreadable, ChecksumMismatch, GoldenMismatch, SignatureMismatch
from app.core.pipeline import Model, crop_instance, estimate_study
from app.core.values import (
    BundleIdentity,
    Estimate,
    Preprocessing,
    Thresholds,
    View,
)

MANIFEST = "manifest.json"
MANIFEST_SHA256 = "manifest.sha256"
SIGNATURE = "manifest.sig"
MODEL_CARD = "MODEL_CARD.md"
GOLDEN_TOLERANCE = 1e-3
"""Absolute, in percent PDFF and in probability: float32 differs between processors in the sixth digit."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified bundle.

    Attributes
    ----------
    manifest : Manifest
    sha256 : str
        Hash of the manifest's bytes, which hold every other file's: the bundle's identity.
    model : Model
    model_card : str
        Markdown.
    """

    manifest: Manifest
    sha256: str
    model: Model
    model_card: str

    @property
    def identity(self) -> BundleIdentity:
        """What every answer says of the bundle."""
        manifest = self.manifest
        return BundleIdentity(
            manifest.name, manifest.version, self.sha256, manifest.synthetic, manifest.backbone.precision
        )


def load_bundle(folder: Path, threads: int, provider: Provider = "cpu", trusted_key: Path | None = None) -> Bundle:
    """Read a bundle and trust it only after it has proved itself.

    Parameters
    ----------
    folder : Path
        ``models/NAME/VERSION``.
    threads : int
        Pictures of the golden study that are computed at once.
    provider : Provider
        What computes the network.
    trusted_key : Path, optional
        Public key that must have signed the bundle.

    Returns
    -------
    Bundle

    Raises
    ------
    BundleUnreadable, ChecksumMismatch, SignatureMismatch, GraphMismatch, GoldenMismatch
        Naming the file.
    ProviderUnavailable
    """
    if trusted_key is not None:
        check_signature(folder, trusted_key)
    manifest, sha256 = read_manifest(folder)
    verify_files(folder, manifest)
    model = Model(
        network=OnnxNetwork(folder / manifest.network_file, provider),
        preprocessing=Preprocessing(**manifest.preprocessing.model_dump()),
        thresholds=Thresholds(manifest.thresholds.ge5.probability, manifest.thresholds.ge10.probability),
    )
    with Engine(model.network, threads) as engine:
        replay_golden(folder, manifest.golden_file, replace(model, network=engine))
    return Bundle(manifest, sha256, model, _read(folder, MODEL_CARD).decode(errors="replace"))


def check_signature(folder: Path, trusted_key: Path) -> None:
    """Raise SignatureMismatch unless the manifest, and with it every file, is signed with a key."""
    from app.adapters.bundle.signature import is_signed  # its library takes a tenth of a second, and few ask for it

    try:
        signature = (folder / SIGNATURE).read_bytes()
    except OSError as error:
        raise SignatureMismatch(
            f"The bundle is not signed: {SIGNATURE} cannot be read. `liver-pdff bundle sign` makes it.", file=SIGNATURE
        ) from error
    try:
        signed = is_signed(_read(folder, MANIFEST), signature, trusted_key)
    except (OSError, ValueError) as error:
        raise SignatureMismatch("LIVER_PDFF_BUNDLE_KEY is no PEM file of an Ed25519 public key.") from error
    if not signed:
        raise SignatureMismatch(
            f"{SIGNATURE} is not the trusted key's signature of {MANIFEST}. Install the bundle again.", file=SIGNATURE
        )


def sign_bundle(folder: Path, private_key: Path) -> None:
    """Sign a bundle as it lies there; only whoever has verified it should.

    Raises
    ------
    BundleUnreadable
    ValueError
        If the key cannot be used.
    """
    from app.adapters.bundle.signature import sign

    (folder / SIGNATURE).write_bytes(sign(_read(folder, MANIFEST), private_key))


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """Read the manifest and check its own hash."""
    content = _read(folder, MANIFEST)
    sha256 = hashlib.sha256(content).hexdigest()
    if _read(folder, MANIFEST_SHA256) != manifest_sha256_line(sha256).encode():
        raise ChecksumMismatch(
            f"{MANIFEST} differs from what {MANIFEST_SHA256} promises. Install the bundle again.",
            file=MANIFEST,
        )
    try:
        return Manifest.model_validate_json(content), sha256
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BundleUnreadable(f"{MANIFEST} does not say what it must ({wrong}).", file=MANIFEST) from error


def manifest_sha256_line(sha256: str) -> str:
    """Give the line that ``sha256sum --check`` reads."""
    return f"{sha256}  {MANIFEST}\n"


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file with the manifest's SHA-256."""
    for name in sorted(required_files(manifest) - manifest.files.keys()):
        raise BundleUnreadable(f"{MANIFEST} does not list {name}.", file=MANIFEST)
    for name, info in manifest.files.items():
        if file_sha256(folder, name) != info.sha256:
            raise ChecksumMismatch(
                f"{name} differs from what {MANIFEST} promises. Install the bundle again.", file=name
            )


def required_files(manifest: Manifest) -> set[str]:
    """Name every file that a bundle must hold."""
    golden = {f"golden/{view}.dcm" for view in View}
    return {manifest.network_file, manifest.heads_file, manifest.golden_file, MODEL_CARD} | golden


def file_sha256(folder: Path, name: str) -> str:
    """SHA-256 of one file of a bundle, hexadecimal."""
    try:
        with (folder / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(name) from error


def replay_golden(folder: Path, name: str, model: Model) -> None:
    """Run the bundle's own four files through the whole walk and compare with its own answer.

    This also notices when a reader, a crop or a resampling of this version differs from the one that the heads
    were fitted with.

    Raises
    ------
    GoldenMismatch
        If any number of any view differs by more than `GOLDEN_TOLERANCE`.
    """
    expected = read_golden(folder, name)
    try:
        crops = {view: crop_instance(read_instance(_read(folder, f"golden/{view}.dcm"))) for view in View}
        found = golden_answer(estimate_study(crops, model))
    except AnalysisError as error:
        raise GoldenMismatch(f"The bundle's golden study cannot be analysed: {error.detail}", file=name) from error
    if expected.keys() != found.keys():
        raise BundleUnreadable(f"{name} does not hold every number of a golden answer.", file=name)
    for key, value in expected.items():
        if not math.isclose(found[key], value, rel_tol=0, abs_tol=GOLDEN_TOLERANCE):
            raise GoldenMismatch(
                f"The bundle does not reproduce its golden answer: {key} is {found[key]}, not {value}. "
                "It was made by another version of this software, or does not run correctly on this machine.",
                file=name,
            )


def read_golden(folder: Path, name: str) -> dict[str, float]:
    """Read the numbers that the golden study must give."""
    try:
        return TypeAdapter(dict[str, FiniteFloat]).validate_json(_read(folder, name))
    except ValidationError as error:
        raise BundleUnreadable(f"{name} does not hold a number for each name.", file=name) from error


def golden_answer(estimate: Estimate) -> dict[str, float]:
    """Flatten an estimate to the numbers that a golden answer holds."""
    per_view = {
        f"{view.view}.{name}": getattr(view, name)
        for view in estimate.views
        for name in ("pdff_percent", "probability_ge5", "probability_ge10")
    }
    return per_view | {
        "pdff_percent": estimate.pdff_percent,
        "probability_ge5": estimate.probability_ge5,
        "probability_ge10": estimate.probability_ge10,
    }


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise _unreadable(name) from error


def _unreadable(name: str) -> BundleUnreadable:
    return BundleUnreadable(
        f"{name} cannot be read. Install the bundle again; `make bundle` builds the demonstration bundle.", file=name
    )
