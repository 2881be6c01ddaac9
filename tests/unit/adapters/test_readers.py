"""Reading processes: what one object does to its process, the next object does not notice."""

import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from app.adapters.dicom import introduce, read_instance
from app.adapters.reading import process
from app.adapters.reading.allowance import Allowance
from app.adapters.reading.channel import UNDECLARED, send
from app.adapters.reading.objects import Instructions
from app.adapters.reading.readers import Readers, _Reader, load
from app.adapters.screens.text_reader import is_installed
from app.core.errors import AnalysisError, InternalError, NotDicom, ReadingTimeSpent, UndecodablePixels
from app.core.naming import LANGUAGES, ViewRule, language_rules
from app.core.naming.expressions import compiled
from app.core.pipeline import crop_instance
from app.core.values import Crop, ScreenNaming, View
from tests.factories import ct_instance, us_instance
from tests.hostile_reading import MISDEEDS, ON_SCREEN, Command
from tests.screens import phantom, written

GOOD = us_instance(rows=240, columns=320)
BLACK = us_instance(pixels=np.zeros((240, 320), np.uint8), regions=())


class Losses:
    """Counts what the metric counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    with Readers(2) as readers:
        yield readers


@pytest.fixture
def losses() -> Losses:
    return Losses()


@pytest.fixture
def hostile(losses: Losses) -> Iterator[Readers]:
    with Readers(1, losses, module="tests.hostile_reading") as readers:
        readers.read(GOOD)
        yield readers


class TestSameAsHere:
    def test_an_image_is_the_same_to_the_last_bit(self, readers: Readers) -> None:
        here, there = crop_instance(read_instance(GOOD)), readers.read(GOOD)
        assert np.array_equal(here.tissue.pixels, there.tissue.pixels)
        assert here.tissue.pixels.dtype == there.tissue.pixels.dtype
        assert (here.tissue.box, here.tissue.source) == (there.tissue.box, there.tissue.source)
        for field in {each.name for each in fields(Crop)} - {"tissue"}:
            assert getattr(here, field) == getattr(there, field)

    @pytest.mark.parametrize("content", [b"", b"x" * 1000, GOOD[:-5000], GOOD[:300], BLACK])
    def test_a_refusal_is_the_same(self, readers: Readers, content: bytes) -> None:
        with pytest.raises(AnalysisError) as here:
            crop_instance(read_instance(content))
        with pytest.raises(AnalysisError) as there:
            readers.read(content)
        assert type(there.value) is type(here.value)
        assert (there.value.detail, there.value.facts) == (here.value.detail, here.value.facts)

    @pytest.mark.parametrize(
        "content", [b"x" * 1000, GOOD, GOOD[:300], ct_instance(), us_instance(without=["StudyInstanceUID"])]
    )
    def test_an_introduction_is_the_same(self, readers: Readers, content: bytes) -> None:
        here, there = introduce(content), readers.introduce(content)
        assert there.identity == here.identity
        assert str(there.identity_refusal) == str(here.identity_refusal)
        assert str(there.view_texts) == str(here.view_texts)

    def test_many_threads_share_few_processes(self, readers: Readers) -> None:
        with ThreadPoolExecutor(8) as pool:
            images = list(pool.map(readers.read, [GOOD] * 40))
        assert all(np.array_equal(image.tissue.pixels, images[0].tissue.pixels) for image in images)


@pytest.mark.skipif(not is_installed(), reason="rapidocr is not installed: the extra `screen`")
class TestScreens:
    CONTENT = us_instance(
        pixels=written(phantom(1), "LIVER KIDNEY", (12, 730)), photometric="RGB", view=None, regions=()
    )

    def test_the_screen_names_the_view(self, readers: Readers) -> None:
        assert readers.read(self.CONTENT).screen == ScreenNaming(View.LIVER_KIDNEY, alone=True)

    def test_a_view_that_the_sender_named_is_not_looked_for(self, readers: Readers) -> None:
        assert readers.read(self.CONTENT, declared=True).screen is None

    def test_the_processes_know_the_sites_rules(self) -> None:
        rules = (ViewRule(View.HEPATIC_VEINS, "kidney"),)
        with Readers(1, instructions=Instructions(rules)) as readers:
            assert readers.read(self.CONTENT).screen == ScreenNaming(View.HEPATIC_VEINS, alone=True)

    def test_a_restarted_nursery_knows_them_too(self, readers: Readers) -> None:
        readers._nursery._restart()
        with closing(_Reader(readers._nursery.connect())) as reader:
            crop, spent_s = reader.ask(UNDECLARED, self.CONTENT)
        assert isinstance(crop, Crop)
        assert crop.screen == ScreenNaming(View.LIVER_KIDNEY, alone=True)
        assert 0 < spent_s < process.CPU_S

    def test_no_reader_has_a_thread_when_it_is_forked(self, readers: Readers) -> None:
        readers.read(self.CONTENT)
        assert len(list(Path(f"/proc/{readers._nursery._process.pid}/task").iterdir())) == 1


class TestMisdeeds:
    @pytest.mark.parametrize("misdeed", sorted(MISDEEDS.keys() - {b"eat"}))
    def test_the_object_is_refused_and_the_next_is_read_at_once(
        self, hostile: Readers, losses: Losses, misdeed: bytes, capfd: pytest.CaptureFixture[str]
    ) -> None:
        started = time.perf_counter()
        with pytest.raises(UndecodablePixels, match="time and memory"):
            hostile.read(misdeed)
        contained = time.perf_counter()
        assert hostile.read(GOOD).sop_instance_uid
        assert contained - started < 3
        assert time.perf_counter() - contained < 1
        assert losses.count == 1
        assert "owned" not in capfd.readouterr().out

    @pytest.mark.parametrize("misdeed", sorted(MISDEEDS.keys() - {b"eat"}))
    def test_an_object_that_ends_its_reader_by_its_screen_is_answered_without_it(
        self, hostile: Readers, losses: Losses, misdeed: bytes
    ) -> None:
        crop = hostile.read(ON_SCREEN + misdeed)
        assert "screen_not_read" in [warning.code for warning in crop.warnings]
        assert crop.screen is None
        assert "screen_not_read" not in [warning.code for warning in hostile.read(GOOD).warnings]
        assert losses.count == 1

    def test_memory_ends_before_the_machines_does(self, hostile: Readers, losses: Losses) -> None:
        with pytest.raises(NotDicom, match="no memory"):
            hostile.read(b"eat")
        assert losses.count == 0

    def test_a_lost_nursery_is_started_again(self, hostile: Readers, losses: Losses) -> None:
        nursery = hostile._nursery._process
        nursery.kill()
        nursery.wait()
        assert hostile.read(GOOD), "its readers live on"
        with pytest.raises(UndecodablePixels):
            hostile.read(b"crash")
        assert hostile.read(GOOD)
        assert losses.count == 1

    def test_processes_that_cannot_start_are_no_fault_of_the_object(self) -> None:
        with Readers(1, module="tests.no_such_module") as broken, pytest.raises(InternalError):
            broken.read(GOOD)

    def test_nothing_but_our_values_is_unpickled(self) -> None:
        for hostile in (Command(), os.system, subprocess.Popen, 7, [NotDicom("x")]):
            with pytest.raises(pickle.UnpicklingError):
                load(pickle.dumps(hostile))
        for noise in (b"", b"x", pickle.dumps(NotDicom("x"))[:-3], b"\x80\x05K\x01R."):
            with pytest.raises(pickle.UnpicklingError):
                load(noise)


class TestAllowance:
    """Costly objects of one request are not read for ever; those of another are."""

    def test_objects_that_end_their_reader_use_it_up(self, hostile: Readers, losses: Losses) -> None:
        allowance = Allowance()
        for _ in range(2):
            with pytest.raises(UndecodablePixels):
                hostile.read(b"spin", allowance=allowance)
        for ask in (hostile.read, hostile.introduce):
            with pytest.raises(ReadingTimeSpent, match="request of its own"):
                ask(GOOD, allowance=allowance)
        assert losses.count == 2
        assert hostile.read(GOOD, allowance=Allowance())

    def test_ordinary_objects_do_not(self, readers: Readers) -> None:
        allowance = Allowance(reserve_s=0.001)
        for _ in range(20):
            readers.read(GOOD, allowance=allowance)

    def test_what_is_slow_does(self) -> None:
        allowance = Allowance(reserve_s=1.0)
        for _ in range(2):
            allowance.require()
            allowance.spend(1.6)
        with pytest.raises(ReadingTimeSpent):
            allowance.require()


def test_a_reader_at_rest_gives_back_memory_once_and_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = threading.Event()
    monkeypatch.setattr(process, "RESTLESS_S", 0.01)
    monkeypatch.setattr(process, "return_unused", given_back.set)
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as pool:
        received = pool.submit(process._next, theirs)
        assert given_back.wait(5)
        send(ours, b"an object")
        assert received.result(5) == b"an object"


@pytest.mark.skipif(sys.platform != "linux", reason="a process's children are found in /proc")
def test_no_reader_compiles_rules() -> None:
    """Those of eight languages take a second, a third of what reading a screen may take."""
    rules = language_rules(LANGUAGES)
    re.purge()
    started = time.process_time()
    for rule in rules:
        compiled.__wrapped__(rule.pattern)
    compiling_s = time.process_time() - started
    with Readers(1, instructions=Instructions(rules)) as readers:
        assert readers.read(us_instance(rows=240, columns=320, view="Spleen")).screen == (
            ScreenNaming(None) if is_installed() else None
        )
        [reader] = _children(readers._nursery._process.pid)
        assert _processor_s(reader) < compiling_s / 2


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_the_processes_end_with_the_service() -> None:
    readers = Readers(2)
    readers.read(GOOD)
    nursery = readers._nursery._process.pid
    children = _children(nursery)
    assert len(children) == 2
    readers.close()
    assert not _alive(nursery)
    _wait_until_gone(children)


def test_the_processes_end_when_the_service_is_killed() -> None:
    script = (
        "import os, time; from app.adapters.reading.readers import Readers; r = Readers(2); "
        "print(r._nursery._process.pid, flush=True); r.read(b'x')"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as service:
        assert service.stdout
        nursery = int(service.stdout.readline())
        service.send_signal(signal.SIGKILL)
    _wait_until_gone([nursery, *_children(nursery)])


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(map(_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
