"""What is timed: the bare session, this service, and what else one might use; each server in a process of its own."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks.load import Target
from training.demo import free_port
from training.weights import pretrained_weights

RIVALS = Path(__file__).parent / "rivals"
RIVALS_ENVIRONMENT = Path(".venv-rivals")
"""Made by `make bench`: torch and BentoML have no place in ours."""
START_TIMEOUT_S = 120.0
LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Ours alone: as in the Makefile and the Dockerfile."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running contestant.

    Attributes
    ----------
    target : Target
    pid : int
    ready_after_s : float
        From the start of its process to its first good answer.
    """

    target: Target
    pid: int
    ready_after_s: float


def bare_session(bundle: Path, threads: int) -> Callable[[], float]:
    """Open the bundle's network in a plain session; the function runs one study and gives the seconds it took.

    The floor: batch of four, onnxruntime's own threads, nothing around it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(bundle / "network.onnx", options, providers=["CPUExecutionProvider"])
    pictures = np.random.default_rng(0).integers(0, 256, (4, 224, 224), dtype=np.uint8)
    inputs = {"picture": pictures, "view": np.arange(4)}

    def study() -> float:
        started = time.perf_counter()
        session.run(["value", "cam"], inputs)
        return time.perf_counter() - started

    return study


@contextmanager
def this_service(bundle: Path, threads: int | None, folder: Path) -> Iterator[Server]:
    """Serve a bundle as `make serve` and the image do, on an empty SQLite database.

    Without a number of threads it finds its own.
    """
    port = free_port()
    settings = {
        "BUNDLE": bundle,
        **({"THREADS": threads} if threads else {}),
        "DATABASE_URL": f"sqlite:///{folder}/{bundle.parent.name}{port}.db",
    }
    environment = {f"LIVER_PDFF_{name}": str(value) for name, value in settings.items()} | LARGE_PAGES
    command = [sys.executable, "-m", "app.cli", "serve", "--port", port]
    with _running(command, environment, Target(port, "/v1/analyses"), "/readyz", folder) as server:
        yield server


@contextmanager
def plain_service(bundle: Path, folder: Path) -> Iterator[Server]:
    """Serve the rival of `rivals/plain_service.py` with the bundle's own backbone and heads."""
    port, state = free_port(), folder / "state.npz"
    np.savez(state, **dict(pretrained_weights().state))  # type: ignore[arg-type] # names as keywords
    command = [_rivals_python(), RIVALS / "plain_service.py", port, state, bundle / "heads.json"]
    with _running(command, {}, Target(port, "/analyse"), "/openapi.json", folder) as server:
        yield server


@contextmanager
def bento_service(bundle: Path, threads: int, folder: Path) -> Iterator[Server]:
    """Serve the bundle's network by BentoML."""
    port = free_port()
    environment = {
        "NETWORK": str((bundle / "network.onnx").resolve()),
        "THREADS": str(threads),
        "BENTOML_HOME": str(folder / "bento"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    serve = ["-m", "bentoml", "serve", "bento_service:LiverPdff", "--port", port, "--working-dir", RIVALS]
    with _running([_rivals_python(), *serve], environment, Target(port, "/analyse"), "/readyz", folder) as server:
        yield server


def has_rivals() -> bool:
    """Whether their environment was made."""
    return _rivals_python().exists()


def _rivals_python() -> Path:
    return (RIVALS_ENVIRONMENT / "bin" / "python").absolute()


@contextmanager
def _running(
    command: Sequence[object], environment: dict[str, str], target: Target, probe: str, folder: Path
) -> Iterator[Server]:
    log = folder / f"{target.port}.log"
    started = time.perf_counter()
    with (
        log.open("wb") as file,
        subprocess.Popen(  # noqa: S603 - our own commands
            [str(each) for each in command], env=os.environ | environment, stdout=file, stderr=file
        ) as process,
    ):
        try:
            _wait_until_good(f"http://127.0.0.1:{target.port}{probe}", process, log)
            yield Server(target, process.pid, time.perf_counter() - started)
        finally:
            process.terminate()


def _wait_until_good(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.perf_counter() + START_TIMEOUT_S
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own loopback
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.01)
    raise RuntimeError(f"{url} never answered:\n{log.read_text()[-3000:]}")


def machine() -> dict[str, object]:
    """Say what the figures were taken on."""
    info = Path("/proc/cpuinfo").read_text()
    found = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in info.splitlines() if ":" in line}
    wanted = {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8"}
    return {
        "processor": found.get("model name", "unknown"),
        "instructions": sorted(wanted & set(found.get("flags", "").split())),
        "processors": len(os.sched_getaffinity(0)),
        "onnxruntime": onnxruntime.__version__,
        "python": sys.version.split()[0],
    }


def write_json(path: Path, document: object) -> None:
    """Write figures to read again."""
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
