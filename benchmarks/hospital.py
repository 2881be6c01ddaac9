"""Send a study of sixty objects as a hospital does: what it costs, and whether the right images are analysed.

``python -m benchmarks.hospital --rounds 3``; ``--through-orthanc`` sends by C-STORE to a real Orthanc with the bridge
(as root, with what `benchmarks.pacs` needs). No attribute names a view: every screen is read. Meanwhile a process of
its own asks ``/livez``. A study is settled when its answer is there: by STOW-RS with the response, through Orthanc when
the report and the pictures are in the archive.
"""

import argparse
import http.client
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.endurance import ms
from benchmarks.pacs import found
from benchmarks.processes import cpu_s, memory_mib
from tests.hospital import HospitalStudy, hospital_study
from tests.network import own_network
from tests.pacs.stack import RESULTS_OF_A_STUDY, LiverPdff, Orthanc, Stack, wait_for
from tests.stow import store
from training.demo import running_service

LIVEZ_INTERVAL_S = 0.05
MEMORY_INTERVAL_S = 0.5


def by_stow(study: HospitalStudy, bundle: Path, folder: Path) -> dict[str, Any]:
    """Send the study in one request to a new service."""
    with running_service(bundle, f"sqlite:///{folder}/test.db", folder / "service.log") as service:
        spent = measured(
            service.process.pid, service.client, lambda: store(service.client, study.contents).raise_for_status()
        )
        return spent | outcome(service.client, study)


def through_orthanc(study: HospitalStudy, bundle: Path, folder: Path) -> dict[str, Any]:
    """Send the study by C-STORE to a new Orthanc, whose bridge sends it to a new service."""
    with own_network():
        service, orthanc = LiverPdff(bundle, folder), Orthanc(found("Orthanc"), folder)
        service.start()
        try:
            orthanc.start()
            stack = Stack(orthanc, service, found("storescu"), folder)
            spent = measured(service.pid, service.client, lambda: send_and_wait(stack, study))
            return spent | outcome(service.client, study)
        finally:
            orthanc.close()
            service.kill()


def send_and_wait(stack: Stack, study: HospitalStudy) -> None:
    """Send the study, and wait until its results are in Orthanc."""
    stack.send(study.contents)
    expected = len(study.contents) + RESULTS_OF_A_STUDY
    wait_for(lambda: stack.orthanc.get("/statistics")["CountInstances"] >= expected, "results", stack.orthanc.log)


def measured(pid: int, client: httpx2.Client, work: Callable[[], object]) -> dict[str, Any]:
    """Do something, and tell what the service and its processes spend on it and how fast ``/livez`` answers."""
    with livez_times(int(client.base_url.port or 0)) as times_s, peak_memory(pid) as peaks_mib:
        started, cpu = time.perf_counter(), cpu_s(pid)
        work()
        seconds, cpu = time.perf_counter() - started, cpu_s(pid) - cpu
    return {
        "settled_s": round(seconds, 1),
        "processor_s": round(cpu, 1),
        "peak_mib": round(max(peaks_mib)),
        "livez_ms": {"asked": len(times_s), "p50": ms(times_s, 0.5), "p99": ms(times_s, 0.99), "max": ms(times_s, 1)},
    }


def outcome(client: httpx2.Client, study: HospitalStudy) -> dict[str, Any]:
    """Tell how many analyses there are, and which of the images stand, by their place in the study."""
    state = client.get(f"/v1/studies/{study.study_instance_uid}").raise_for_status().json()
    standing = {view["view"]: view["sop_instance_uid"] for view in state["analysis"]["views"]}
    return {
        "analyses": 1 + len(state["superseded"]),
        "standing": {view: 1 + study.uids.index(uid) for view, uid in standing.items()},
        "all_right": standing == study.expected,
        "set_aside": len(state["set_aside"]),
    }


@contextmanager
def livez_times(port: int) -> Iterator[list[float]]:
    """Ask ``/livez`` from another process all the while; the times are there when the context ends."""
    times_s: list[float] = []
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=ask_livez, args=(port, theirs))
    process.start()
    ours.recv()  # it has begun
    try:
        yield times_s
    finally:
        ours.send(None)
        times_s += ours.recv()
        process.join()


def ask_livez(port: int, channel: Connection) -> None:
    """Ask until something comes through the channel; give how long each answer took, seconds."""
    times_s: list[float] = []
    channel.send(None)
    while not channel.poll(LIVEZ_INTERVAL_S):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        started = time.perf_counter()
        connection.request("GET", "/livez")
        connection.getresponse().read()
        times_s.append(time.perf_counter() - started)
        connection.close()
    channel.send(times_s)


@contextmanager
def peak_memory(pid: int) -> Iterator[list[float]]:
    """Sample the memory of a process and all below it, MiB (proportional set size)."""
    samples, stop = [memory_mib(pid)], threading.Event()

    def sample() -> None:
        while not stop.wait(MEMORY_INTERVAL_S):
            samples.append(memory_mib(pid))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def main() -> None:
    """Draw the study, send it some times, print a line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bundle", type=Path, default=Path("models/demo/1.0.0"))
    parser.add_argument("--through-orthanc", action="store_true")
    options = parser.parse_args()
    send = through_orthanc if options.through_orthanc else by_stow
    study = hospital_study()
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            load = os.getloadavg()[0]
            print(json.dumps({"load_before": load, **send(study, options.bundle.resolve(), Path(folder))}), flush=True)


if __name__ == "__main__":
    main()
