"""A real Orthanc with the bridge, and the service beside it; both can be killed and started again."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from training.demo import RunningService, running_service

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "docker" / "orthanc" / "orthanc.json"
PASSWORD = "only-in-this-network"
SERVICE_PORT = 8000
POLL_S = 0.25
TIMEOUT_S = 60.0
RESULTS_OF_A_STUDY = 6
"""A report, a summary page and four overlays."""


class Orthanc:
    """Orthanc as docker/orthanc/orthanc.json sets it up, impatient.

    Parameters
    ----------
    program : str
    folder : Path
        Keeps database, files and log from start to start.
    settings : dict
        Instead of the shipped ones.
    """

    def __init__(self, program: str, folder: Path, **settings: Any) -> None:
        self.log = folder / "orthanc.log"
        self.settings = settings
        self._program, self._folder = program, folder
        self._process: subprocess.Popen[bytes] | None = None
        port = settings.get("HttpPort", 8042)
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", auth=("orthanc", PASSWORD), timeout=30)

    def start(self, **settings: Any) -> None:
        """Start it and wait until it answers."""
        configuration = self._folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration() | self.settings | settings))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment |= {"ORTHANC_PASSWORD": PASSWORD, "PYTHONDONTWRITEBYTECODE": "1"}
        with self.log.open("ab") as log:
            command = [self._program, "--verbose", str(configuration)]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_for(self._answers, "Orthanc to answer", self.log)

    def _configuration(self) -> dict[str, Any]:
        shipped = json.loads(re.sub(r"^\s*//.*$", "", CONFIGURATION.read_text(), flags=re.MULTILINE))
        shipped["LiverPdff"] |= {"PollSeconds": POLL_S, "TimeoutSeconds": 20}
        script = str(CONFIGURATION.parent / "plugin.py")
        folder = str(self._folder / "storage")
        own = {"StorageDirectory": folder, "IndexDirectory": folder, "PythonScript": script, "StableAge": 1}
        return dict(shipped) | own

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        try:
            return bool(self.client.get("/system").is_success)
        except httpx2.TransportError:
            return False

    @property
    def running(self) -> bool:
        return self._process is not None

    def kill(self) -> None:
        """End it as a power failure does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self.client.close()

    def get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def study(self, study_instance_uid: str) -> str:
        """Orthanc's name for a study."""
        [name] = self.client.post("/tools/lookup", content=study_instance_uid).raise_for_status().json()
        return str(name["ID"])

    def instances(self, study_instance_uid: str) -> dict[str, str]:
        """Every instance of a study: Orthanc's name and the SOP class."""
        names = [each["ID"] for each in self.get(f"/studies/{self.study(study_instance_uid)}/instances")]
        return {name: self.client.get(f"/instances/{name}/metadata/SopClassUid").text for name in names}

    def file(self, name: str) -> bytes:
        return bytes(self.client.get(f"/instances/{name}/file").raise_for_status().content)

    def rests(self) -> bool:
        """Say whether the bridge has worked off every change that Orthanc wrote."""
        status = self.get("/liver-pdff")
        return bool(status["settled_up_to_change"] == self.get("/changes?last")["Last"] and not status["obstacle"])

    def requests(self) -> int:
        """How often the bridge has asked the service anything."""
        return int(self.get("/liver-pdff")["requests"])


class LiverPdff:
    """The service as a process, at the port that the bridge knows."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        self.log = folder / "service.log"
        self._bundle, self._database = bundle, f"sqlite:///{folder}/service.db"
        self._stack = ExitStack()
        self._running: RunningService | None = None

    def start(self) -> None:
        self._running = self._stack.enter_context(
            running_service(self._bundle, self._database, self.log, port=SERVICE_PORT)
        )

    def kill(self) -> None:
        if self._running:
            self._running.process.kill()
            self._running.process.wait()
            self._stack.close()
            self._running = None

    @property
    def running(self) -> bool:
        return self._running is not None

    def signal(self, number: signal.Signals) -> None:
        assert self._running
        self._running.process.send_signal(number)

    @property
    def client(self) -> httpx2.Client:
        assert self._running
        return self._running.client

    @property
    def pid(self) -> int:
        assert self._running
        return self._running.process.pid

    def peak_mib(self) -> float:
        """How much memory it has held at most."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def study(self, study_instance_uid: str) -> dict[str, Any]:
        """What the service knows of a study; empty: nothing."""
        answer = self.client.get(f"/v1/studies/{study_instance_uid}")
        return dict(answer.json()) if answer.is_success else {}

    def received(self) -> float:
        """How many instances it was ever sent, since its start."""
        lines = self.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("liver_pdff_received_instances_total"))


@dataclass
class Stack:
    """Both, and what sends to them."""

    orthanc: Orthanc
    service: LiverPdff
    storescu: str
    folder: Path

    def send(self, contents: Iterable[bytes], *, one_at_a_time: bool = False, port: int = 4242) -> None:
        """Send objects by C-STORE, in one association or in one for each."""
        files = []
        for number, content in enumerate(contents):
            files.append(self.folder / f"sent-{number}.dcm")
            files[-1].write_bytes(content)
        for batch in [[file] for file in files] if one_at_a_time else [files]:
            self._storescu(batch, port)

    def _storescu(self, files: Sequence[Path], port: int) -> None:
        # --required: propose the files' own SOP classes; dcmtk's list of defaults is too old for some
        # --propose-jpeg8: propose JPEG Baseline beside the uncompressed transfer syntaxes
        command = [
            self.storescu,
            "--required",
            "--propose-jpeg8",
            "--aetitle",
            "SCANNER",
            "127.0.0.1",
            str(port),
            *map(str, files),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def wait_for(condition: Callable[[], Any], what: str, log: Path, timeout_s: float = TIMEOUT_S) -> None:
    """Wait until something is so; say what was not."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            lines = [line for line in log.read_text(errors="replace").splitlines() if line[:1] in "WE"]
            raise AssertionError("\n".join([f"waited in vain for {what}", *lines[-30:]]))
        time.sleep(0.05)
