"""Send a burst of studies through a real Orthanc with the bridge, and time it beside plain STOW-RS of the same studies.

``python -m benchmarks.pacs --studies 200``; as root, for Orthanc runs in a network of its own, and with Debian's
orthanc, orthanc-dicomweb, orthanc-python and dcmtk. A study is done when its report and its pictures are in Orthanc.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.network import own_network
from tests.pacs.stack import RESULTS_OF_A_STUDY, LiverPdff, Orthanc, Stack, wait_for
from tests.stow import store
from training.phantom import write_cohort

OBJECTS_OF_A_STUDY = 4 + RESULTS_OF_A_STUDY
TIMEOUT_S = 1800.0


def measure(studies: list[list[Path]], bundle: Path, folder: Path) -> dict[str, Any]:
    """Time the same studies through Orthanc and by STOW-RS alone, each from an empty database."""
    direct = folder / "direct"
    direct.mkdir()
    service = LiverPdff(bundle, direct)
    service.start()
    try:
        direct_s = timed(lambda: [stowed(service, study) for study in studies])
    finally:
        service.kill()
    service, orthanc = LiverPdff(bundle, folder), Orthanc(found("Orthanc"), folder)
    service.start()
    orthanc.start()
    try:
        stack = Stack(orthanc, service, found("storescu"), folder)
        through_s = timed(lambda: sent_and_back(stack, studies))
        peak_mib = service.peak_mib()
    finally:
        orthanc.close()
        service.kill()
    count = len(studies)
    return {
        "studies": count,
        "through_orthanc_s_per_study": through_s / count,
        "stow_alone_s_per_study": direct_s / count,
        "ratio": through_s / direct_s,
        "service_peak_mib": peak_mib,
    }


def stowed(service: LiverPdff, study: list[Path]) -> int:
    """Store one study, which is analysed before the answer; return the status."""
    return store(service.client, [path.read_bytes() for path in study]).raise_for_status().status_code


def sent_and_back(stack: Stack, studies: list[list[Path]]) -> None:
    """Send everything by one C-STORE association, and wait until every result is in Orthanc."""
    files = [str(path) for study in studies for path in study]
    subprocess.run([stack.storescu, "--required", "127.0.0.1", "4242", *files], check=True)  # noqa: S603 - found by name
    expected = len(studies) * OBJECTS_OF_A_STUDY
    wait_for(lambda: progress(stack, expected) >= expected, "every result", stack.orthanc.log, TIMEOUT_S)
    wait_for(stack.orthanc.rests, "the bridge to rest", stack.orthanc.log)
    if progress(stack, expected) != expected:
        raise AssertionError("Orthanc holds more objects than were sent and made")


def progress(stack: Stack, expected: int) -> int:
    """Count the objects in Orthanc, and say so."""
    held = int(stack.orthanc.get("/statistics")["CountInstances"])
    print(f"\r{held} of {expected} objects in Orthanc", end="", flush=True)
    return held


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def found(program: str) -> str:
    """Find a program, or end with its name."""
    if path := shutil.which(program):
        return path
    raise SystemExit(f"{program} is not installed")


def main() -> None:
    """Simulate, measure, print; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--bundle", type=Path, default=Path("models/demo/1.0.0"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cohort(folder / "cohort", options.studies, seed=4)
        participants = sorted(each for each in (folder / "cohort").iterdir() if each.is_dir())
        studies = [sorted(each.rglob("*.dcm")) for each in participants]
        with own_network():
            report = json.dumps(measure(studies, options.bundle.resolve(), folder), indent=1)
    print(f"\n{report}")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "pacs.json").write_text(report + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
