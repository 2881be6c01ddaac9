"""One study through the bridge."""

from collections.abc import Iterator

import pytest
from liver_pdff_bridge.archive import Mark
from liver_pdff_bridge.errors import ArchiveFault, Gone, NotAnalysed, ServiceRefused, ServiceUnavailable
from liver_pdff_bridge.exchange import BATCH, Outcome, exchange
from liver_pdff_bridge.service import Service

from tests.bridge import SCREEN, STUDY, Entry, FakeArchive, FakeLiverPdff, capture, fake_service, report

FOUR = [Entry(f"image-{number}") for number in range(4)]
RESULTS = [report("sr-1"), capture("sc-1"), capture("sc-2")]
DONE = Outcome(settled=True)


@pytest.fixture
def service() -> Iterator[FakeLiverPdff]:
    with fake_service() as service:
        service.results = list(RESULTS)
        yield service


@pytest.fixture
def archive() -> FakeArchive:
    archive = FakeArchive()
    archive.add(*FOUR)
    return archive


def run(archive: FakeArchive, service: FakeLiverPdff, max_bytes: int = 1 << 20) -> Outcome:
    return exchange(archive, Service(service.url, "", 5), STUDY, metadata=1024, max_bytes=max_bytes)


class TestTheWholeWay:
    def test_images_go_out_and_results_come_in(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        assert run(archive, service) == Outcome(settled=True, accepted=4, results=3)
        assert service.stored == [[entry.content for entry in FOUR]]
        assert archive.uids == {entry.uid for entry in [*FOUR, *RESULTS]}

    def test_the_second_time_nobody_is_asked(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        run(archive, service)
        service.asked.clear()
        assert run(archive, service) == DONE
        assert service.asked == []

    def test_a_later_image_is_sent_with_the_others(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        run(archive, service)
        archive.add(Entry("image-5"))
        assert run(archive, service).accepted == 5

    def test_a_removed_mark_sends_again(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        run(archive, service)
        archive.put(f"/studies/{STUDY}/metadata/1024", b"{}")
        assert run(archive, service) == Outcome(settled=True, accepted=4, results=3)

    def test_a_superseding_analysis_replaces_the_results(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        run(archive, service)
        archive.add(Entry("image-5"))
        service.results = [report("sr-2"), capture("sc-2")]
        assert run(archive, service).removed == 2
        assert archive.uids == {f"image-{number}" for number in (0, 1, 2, 3, 5)} | {"sr-2", "sc-2"}

    def test_a_superseded_report_that_comes_round_again_is_removed(
        self, archive: FakeArchive, service: FakeLiverPdff
    ) -> None:
        run(archive, service)
        archive.add(report("sr-0"))
        assert run(archive, service) == Outcome(settled=True, results=3, removed=1)
        assert len(service.stored) == 1, "the images need not be sent for that"

    def test_large_studies_go_in_several_requests(self, service: FakeLiverPdff) -> None:
        archive = FakeArchive()
        archive.add(*(Entry(f"image-{number}") for number in range(BATCH + 1)))
        assert run(archive, service).accepted == BATCH + 1
        assert [len(each) for each in service.stored] == [BATCH, 1]


class TestWhatIsSent:
    @pytest.mark.parametrize(
        "other",
        [
            Entry("ct", "1.2.840.10008.5.1.4.1.1.2", "CT"),
            Entry("scanned", SCREEN, "OT"),
            Entry("measurements", "1.2.840.10008.5.1.4.1.1.88.33", "SR"),
            report("sr-1"),
            capture("sc-1"),
        ],
    )
    def test_no_other_objects(self, archive: FakeArchive, service: FakeLiverPdff, other: Entry) -> None:
        archive.add(other)
        run(archive, service)
        assert service.stored == [[entry.content for entry in FOUR]]

    @pytest.mark.parametrize("other", [Entry("screen", SCREEN), Entry("phantom", manufacturer="liver-pdff phantom")])
    def test_ultrasound_screens_too(self, archive: FakeArchive, service: FakeLiverPdff, other: Entry) -> None:
        archive.add(other)
        assert run(archive, service).accepted == 5

    def test_nothing_larger_than_the_service_takes(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        archive.add(Entry("cine", size=2000))
        outcome = run(archive, service, max_bytes=1999)
        assert (outcome.accepted, outcome.too_large) == (4, 1)

    def test_nothing_while_images_come_in(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        archive.stable = False
        assert run(archive, service) == Outcome(settled=False)
        assert service.asked == []

    @pytest.mark.parametrize("held", [[], [Entry("ct", "1.2.840.10008.5.1.4.1.1.2", "CT")], [report("sr-1")]])
    def test_nothing_of_a_study_without_ultrasound(self, service: FakeLiverPdff, held: list[Entry]) -> None:
        archive = FakeArchive()
        archive.add(*held)
        assert run(archive, service) == DONE
        assert service.asked == []
        assert archive.uids == {entry.uid for entry in held}, "a report without its images stays"


class TestWithoutAnalysis:
    @pytest.mark.parametrize(("known", "complete"), [(False, True), (True, False)])
    def test_an_incomplete_study_waits_for_its_next_image(
        self, archive: FakeArchive, service: FakeLiverPdff, known: bool, complete: bool
    ) -> None:
        service.known, service.complete, service.analysed = known, complete, False
        archive.add(report("sr-0"))
        assert run(archive, service) == Outcome(settled=True, accepted=4)
        assert run(archive, service) == DONE
        assert "sr-0" in archive.uids, "nothing replaces it"

    def test_refused_images_are_sent_once(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        service.known, service.refused = False, 4
        assert run(archive, service) == Outcome(settled=True, refused=4)
        assert run(archive, service) == DONE

    def test_a_failed_analysis_is_sent_again(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        service.analysed = False
        with pytest.raises(NotAnalysed):
            run(archive, service)
        service.analysed = True
        assert run(archive, service) == Outcome(settled=True, accepted=4, results=3)


class TestFaults:
    @pytest.mark.parametrize(
        ("status", "error"),
        [(503, ServiceUnavailable), (429, ServiceUnavailable), (500, ServiceRefused), (401, ServiceRefused)],
    )
    def test_nothing_is_marked(
        self, archive: FakeArchive, service: FakeLiverPdff, status: int, error: type[Exception]
    ) -> None:
        service.status = status
        with pytest.raises(error):
            run(archive, service)
        assert archive.metadata == {}
        service.status = 200
        assert run(archive, service).results == 3

    def test_a_kill_at_any_call_heals(self, service: FakeLiverPdff) -> None:
        """Whatever call of Orthanc's API is the last one, the next run leads to the same end."""
        for calls in range(200):
            archive = DyingArchive(calls)
            FakeArchive.add(archive, *FOUR)
            if finished(archive, service):
                break
            archive.calls_left = 10_000
            run(archive, service)
            assert archive.uids == {entry.uid for entry in [*FOUR, *RESULTS]}
            assert run(archive, service) == DONE
        assert 20 < calls < 199

    def test_an_image_that_is_deleted_meanwhile_is_no_end(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        class Leaky(FakeArchive):
            def get(self, path: str) -> bytes:
                if path == "/instances/image-2/file":
                    self.entries.pop("image-2", None)
                return super().get(path)

        leaky = Leaky()
        leaky.add(*FOUR)
        with pytest.raises(Gone):
            run(leaky, service)
        assert run(leaky, service).accepted == 3

    def test_somebody_elses_metadata_is_not_overwritten(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        archive.metadata[STUDY] = "read by Dr. A"
        with pytest.raises(ArchiveFault, match="another number"):
            run(archive, service)
        assert service.asked == []

    def test_an_object_that_orthanc_does_not_keep(self, archive: FakeArchive, service: FakeLiverPdff) -> None:
        class Picky(FakeArchive):
            def post(self, path: str, content: bytes) -> bytes:
                return b'{"Status": "FilteredOut"}'

        picky = Picky()
        picky.add(*FOUR)
        with pytest.raises(ArchiveFault, match="FilteredOut"):
            run(picky, service)
        assert picky.mark()["results"] is None


class DyingArchive(FakeArchive):
    """Ends at some call, before or after it had an effect."""

    def __init__(self, calls_left: int) -> None:
        super().__init__()
        self.calls_left = calls_left

    def _tick(self) -> None:
        self.calls_left -= 1
        if self.calls_left < 0:
            raise KeyboardInterrupt

    def get(self, path: str) -> bytes:
        self._tick()
        return super().get(path)

    def post(self, path: str, content: bytes) -> bytes:
        self._tick()
        answer = super().post(path, content)
        self._tick()
        return answer

    def put(self, path: str, content: bytes) -> None:
        self._tick()
        super().put(path, content)
        self._tick()


def finished(archive: DyingArchive, service: FakeLiverPdff) -> bool:
    try:
        run(archive, service)
    except KeyboardInterrupt:
        return False
    return True


def test_the_order_of_names_does_not_matter_to_a_mark(archive: FakeArchive, service: FakeLiverPdff) -> None:
    run(archive, service)
    archive.entries = dict(reversed(archive.entries.items()))
    assert run(archive, service) == DONE
    assert Mark(**archive.mark()).results is not None
