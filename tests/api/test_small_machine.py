"""What once took the service's memory or time, all at once, in a container's 2 GiB."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from app.core.values import View
from benchmarks.hostile import MIX, Plan, attack
from benchmarks.memory_limit import leave, memory_limit
from training.demo import running_service

LIMIT_MIB = 2048
SECONDS = 20.0
CLIENTS_PER_S = 5.0


def test_a_service_survives_all_hostile_clients_at_once(
    bundle_folder: Path, tmp_path: Path, phantom_study: dict[View, bytes]
) -> None:
    """Bombs, forms of small files, floods of headers and documents, silent, slow and deaf clients."""
    with (
        memory_limit(LIMIT_MIB) as limit,
        running_service(bundle_folder, f"sqlite:///{tmp_path}/test.db", tmp_path / "service.log") as service,
    ):
        leave(limit)
        limit.apply(service.process.pid)
        files = {str(view): ("x", content) for view, content in phantom_study.items()}
        before = service.client.post("/v1/analyses", files=files).json()
        port = service.client.base_url.port
        assert port
        plan = Plan(port, time.monotonic(), [(0, SECONDS)], CLIENTS_PER_S, before["id"])
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            attacking = pool.submit(attack, plan)
            while not attacking.done():
                assert service.client.get("/livez").is_success
                time.sleep(0.5)
            tally, wrong = attacking.result()
        assert wrong == []
        assert {each.split()[0] for each in tally} == set(MIX), "some kind of client did not come"
        again = service.client.post("/v1/analyses", files=files)
        assert (again.status_code, again.json()) == (200, before)
        assert service.process.poll() is None
        assert limit.document().get("processes_killed", 0) == 0
