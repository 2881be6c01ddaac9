"""Which study is next, what is kept of that, and how long the bridge waits."""

import json
import time
from dataclasses import dataclass, field

import pytest
from liver_pdff_bridge.errors import ArchiveFault, Gone, ServiceRefused, ServiceUnavailable
from liver_pdff_bridge.exchange import Outcome
from liver_pdff_bridge.settings import read_settings
from liver_pdff_bridge.waiting import Waiting, backoff_s
from liver_pdff_bridge.worker import LAST_PAUSE_S, Worker

from tests.bridge import Entry, FakeArchive

DONE = Outcome(settled=True, accepted=4, results=6)


@dataclass
class Bench:
    """A worker whose studies end as the test says, on a clock that it sets."""

    archive: FakeArchive = field(default_factory=FakeArchive)
    cursor: int | None = 0
    now_s: float = 1000.0
    ends: dict[str, Outcome | Exception] = field(default_factory=dict)
    handled: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def read(self) -> int | None:
        return self.cursor

    def write(self, cursor: int) -> None:
        self.cursor = cursor

    def exchange(self, study_id: str) -> Outcome:
        self.handled.append(study_id)
        end = self.ends.get(study_id, DONE)
        if isinstance(end, Exception):
            raise end
        return end

    def worker(self) -> Worker:
        return Worker(self.archive, self, self.exchange, self.log.append, 1.0, lambda: self.now_s)

    def arrive(self, *studies: str) -> None:
        self.archive.add(*(Entry(f"{study}-{len(self.archive.changes)}", study=study) for study in studies))


class TestCycle:
    def test_every_study_that_changed_is_handled_once(self) -> None:
        bench = Bench()
        worker = bench.worker()
        bench.arrive("a", "b", "a", "c", "b")
        worker.cycle()
        worker.cycle()
        assert bench.handled == ["a", "b", "c"]
        assert bench.cursor == 5

    def test_what_was_there_before_the_first_start_is_left_alone(self) -> None:
        bench = Bench(cursor=None)
        bench.arrive("old")
        worker = bench.worker()
        worker.cycle()
        bench.arrive("new")
        worker.cycle()
        assert bench.handled == ["new"]

    def test_what_a_kill_left_undone_is_found_again(self) -> None:
        bench = Bench(ends={"b": ServiceRefused("no")})
        bench.arrive("a", "b", "c")
        bench.worker().cycle()
        assert bench.cursor == 1, "b is not settled"
        bench.handled.clear()
        bench.worker().cycle()
        assert bench.handled == ["b", "c"]

    def test_an_unstable_study_stays(self) -> None:
        bench = Bench(ends={"a": Outcome(settled=False)})
        worker = bench.worker()
        bench.arrive("a")
        worker.cycle()
        assert bench.cursor == 0
        del bench.ends["a"]
        worker.cycle()
        assert (bench.handled, bench.cursor) == (["a", "a"], 1)

    def test_a_written_mark_is_a_change(self) -> None:
        bench = Bench()
        worker = bench.worker()
        bench.arrive("a")
        worker.cycle()
        bench.archive.put("/studies/a/metadata/1024", b"{}")
        worker.cycle()
        assert bench.handled == ["a", "a"]

    def test_an_object_that_was_deleted_is_no_change(self) -> None:
        bench = Bench()
        bench.arrive("a")
        bench.archive.entries.clear()
        bench.worker().cycle()
        assert (bench.handled, bench.cursor) == ([], 1)


class TestWaits:
    def test_a_service_that_is_down_is_asked_less_and_less(self) -> None:
        bench = Bench(ends={study: ServiceUnavailable("down") for study in "abc"})
        worker = bench.worker()
        bench.arrive(*"abc")
        for _ in range(600):
            worker.cycle()
            bench.now_s += 1
        assert 30 <= len(bench.handled) <= 50
        assert bench.log == ["waiting: down"]
        bench.ends.clear()
        bench.now_s += LAST_PAUSE_S
        worker.cycle()
        assert sorted(bench.handled[-3:]) == ["a", "b", "c"]
        assert bench.log[1:].count("going on") == 1
        assert worker.status["waiting"] == 0

    def test_the_pause_that_the_service_asks_for_is_kept(self) -> None:
        bench = Bench(ends={"a": ServiceUnavailable("busy", retry_after_s=40)})
        worker = bench.worker()
        bench.arrive("a")
        for _ in range(40):
            worker.cycle()
            bench.now_s += 1
        assert len(bench.handled) == 1
        worker.cycle()
        assert len(bench.handled) == 2

    def test_an_obstacle_goes_with_the_last_study_that_met_it(self) -> None:
        bench = Bench(ends={"a": ServiceUnavailable("down")})
        worker = bench.worker()
        bench.arrive("a")
        worker.cycle()
        assert bench.log == ["waiting: down"]
        bench.ends["a"] = Outcome(settled=True)  # deleted meanwhile
        bench.now_s += LAST_PAUSE_S
        worker.cycle()
        assert bench.log == ["waiting: down", "going on"]

    @pytest.mark.parametrize("error", [ServiceRefused("500"), ArchiveFault("disk"), Gone("image")])
    def test_one_study_does_not_hold_up_the_others(self, error: Exception) -> None:
        bench = Bench(ends={"a": error})
        worker = bench.worker()
        bench.arrive(*"abc")
        for _ in range(7200):
            worker.cycle()
            bench.now_s += 1
        assert bench.handled[1:3] == ["b", "c"]
        assert bench.handled.count("a") < 10
        assert worker.status["studies"]["a"]["reason"] == str(error)

    def test_a_study_that_brings_the_service_down_goes_last(self) -> None:
        bench = Bench(ends={"a": ServiceUnavailable("gone")})
        worker = bench.worker()
        bench.arrive(*"abc")
        for _ in range(10):
            worker.cycle()
            bench.now_s += 1
        assert {"b", "c"} <= set(bench.handled)

    def test_a_new_image_ends_a_studys_wait(self) -> None:
        bench = Bench(ends={"a": ServiceRefused("no")})
        worker = bench.worker()
        bench.arrive("a")
        worker.cycle()
        worker.cycle()
        assert len(bench.handled) == 1
        bench.arrive("a")
        worker.cycle()
        assert len(bench.handled) == 2

    def test_pauses_double_up_to_a_limit(self) -> None:
        assert [backoff_s(n, 1, 60) for n in (0, 1, 2, 5, 6, 10_000)] == [1, 2, 4, 32, 60, 60]


def test_a_fault_of_our_own_does_not_end_the_thread() -> None:
    bench = Bench(ends={"a": RuntimeError("with a UID in it")})
    worker = bench.worker()
    bench.arrive("a")
    worker.start()
    while len(bench.log) < 2:
        time.sleep(0.01)
    worker.stop(5)
    assert bench.log == ["started", "waiting: unexpected RuntimeError"]
    assert json.dumps(worker.status)


def test_stopping_before_the_start_is_fine() -> None:
    Bench().worker().stop(1)


def test_the_cursor_stays_before_the_oldest_wait() -> None:
    waiting = Waiting(10)
    waiting.add({"a": 12, "b": 15}, read=20)
    assert waiting.cursor == 11
    waiting.settle("a")
    assert waiting.cursor == 14
    waiting.add({"b": 30}, read=31)
    assert waiting.cursor == 14
    waiting.settle("b")
    assert waiting.cursor == 31


class TestSettings:
    def test_only_the_address_is_needed(self) -> None:
        assert read_settings({"Url": "http://service:8000"}).metadata == 1024

    @pytest.mark.parametrize(
        ("section", "message"),
        [
            (None, "needs a section LiverPdff"),
            ({}, "Url must be"),
            ({"Url": "service:8000"}, "Url must be"),
            ({"Url": "http://service", "PolSeconds": 3}, "unknown keys .'PolSeconds'."),
        ],
    )
    def test_what_is_wrong_is_said(self, section: object, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            read_settings(section)
