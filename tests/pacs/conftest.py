"""One stack for the scenarios; each sends a study of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network import own_network
from tests.pacs.stack import LiverPdff, Orthanc, Stack

PLUGINS = Path("/usr/share/orthanc/plugins")


def find(program: str, package: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return found


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """Everything of a file of this folder runs in a network of its own; what comes after it does not."""
    with own_network():
        yield


@pytest.fixture(scope="module")
def stack(network: None, bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Orthanc with the bridge, and the service."""
    program, storescu = find("Orthanc", "orthanc"), find("storescu", "dcmtk")
    for plugin, package in (("Python", "orthanc-python"), ("DicomWeb", "orthanc-dicomweb")):
        if not (PLUGINS / f"libOrthanc{plugin}.so").exists():
            pytest.skip(f"Orthanc's {plugin} plugin is not installed (Debian package {package})")
    folder = tmp_path_factory.mktemp("pacs")
    orthanc, service = Orthanc(program, folder), LiverPdff(bundle_folder, folder)
    try:
        service.start()
        orthanc.start()
        yield Stack(orthanc, service, storescu, folder)
    finally:
        orthanc.close()
        service.kill()
