"""The phantom cohort: laws of its physics, determinism, its files, its table."""

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage

from app.core.naming import name_view
from app.core.tissue import extract_tissue
from app.core.values import UltrasoundRegion, View
from training.phantom import (
    LAYOUTS,
    Layout,
    Screen,
    attenuation_db_per_cm_mhz,
    backscatter_db,
    draw_pdff_percent,
    participant_layout,
    simulate_participant,
    simulate_view,
    write_cohort,
    write_contact_sheet,
    write_study,
)
from training.phantom.anatomy import Tissues
from training.phantom.beam import grey_levels, path_loss_db, speckle_power
from training.phantom.grid import distance_to_ellipse, distance_to_tubes, polar_grid, tube
from training.phantom.physics import (
    Body,
    draw_acquisition,
    draw_body,
    texture_contrast_db,
    vessel_contrast_db,
    vessel_edge_cm,
)


@pytest.fixture(scope="module")
def study() -> dict[View, Screen]:
    return simulate_participant(participant=1, seed=3, pdff_percent=8.0)


@pytest.fixture(scope="module")
def study_files(tmp_path_factory: pytest.TempPathFactory) -> dict[View, Path]:
    return write_study(tmp_path_factory.mktemp("study"), participant=1, seed=3, pdff_percent=8.0)


@pytest.fixture(scope="module")
def datasets(study_files: dict[View, Path]) -> dict[View, Dataset]:
    return {view: dcmread(path) for view, path in study_files.items()}


class TestPhysics:
    PDFF_PERCENT = np.linspace(0, 50, 26)

    @pytest.mark.parametrize("law", [attenuation_db_per_cm_mhz, backscatter_db, vessel_edge_cm])
    def test_rises_with_fat(self, law: Callable[[float], float]) -> None:
        assert np.all(np.diff([law(pdff) for pdff in self.PDFF_PERCENT]) > 0)

    @pytest.mark.parametrize("law", [vessel_contrast_db, texture_contrast_db])
    def test_falls_with_fat(self, law: Callable[[float], float]) -> None:
        assert np.all(np.diff([law(pdff) for pdff in self.PDFF_PERCENT]) < 0)

    def test_attenuation_stays_in_the_published_range(self) -> None:
        assert 0.5 < attenuation_db_per_cm_mhz(0) < attenuation_db_per_cm_mhz(40) < 1.1

    def test_backscatter_meets_the_cut_off_of_lin_2015(self) -> None:
        assert backscatter_db(5.0) == pytest.approx(10 * np.log10(0.0038), abs=0.5)

    def test_same_person_with_more_fat_differs_only_in_the_signs_of_fat(self) -> None:
        lean, fat = (draw_body(np.random.default_rng(1), pdff) for pdff in (3.0, 30.0))
        assert fat.liver_db - fat.kidney_db > lean.liver_db - lean.kidney_db
        assert (fat.kidney_db, fat.size) == (lean.kidney_db, lean.size)


class TestGrid:
    def test_distance_to_a_circle_is_exact(self) -> None:
        grid = polar_grid(14.0)
        distance = distance_to_ellipse(grid, (1.0, 8.0), (2.0, 2.0))
        np.testing.assert_allclose(distance, np.hypot(grid.x_cm - 1, grid.y_cm - 8) - 2, atol=1e-4)

    def test_distance_to_a_vessel_is_minus_its_radius_on_its_axis(self) -> None:
        grid = polar_grid(14.0)
        distance = distance_to_tubes(grid, [tube((0, 4), (0, 6), (0, 9), 0.5, 0.5)])
        assert distance.min() == pytest.approx(-0.5, abs=0.03)
        assert np.all(distance[np.abs(grid.x_cm) > 2] > 0)


class TestBeam:
    def test_speckle_power_is_exponential_with_mean_one(self) -> None:
        rng = np.random.default_rng(0)
        settings = draw_acquisition(rng, draw_body(rng, 5.0), View.HEPATIC_VEINS)
        power = speckle_power(rng, polar_grid(16.0), np.zeros((512, 256), np.float32), settings)[20:-20, 10:-10]
        assert power.mean() == pytest.approx(1, abs=0.05)
        assert power.std() == pytest.approx(1, abs=0.08)

    def test_loss_is_two_way_attenuation_times_frequency_times_depth(self) -> None:
        rng = np.random.default_rng(0)
        settings = draw_acquisition(rng, draw_body(rng, 5.0), View.HEPATIC_VEINS)
        flat = np.full((512, 256), 0.6, np.float32)
        loss = path_loss_db(polar_grid(16.0), Tissues(flat, flat), settings)
        assert loss[-1, 0] == pytest.approx(2 * 0.6 * settings.frequency_mhz * 16.0, rel=0.01)

    def test_far_field_is_darker_behind_a_fatty_liver(self) -> None:
        lean, fatty = (draw_body(np.random.default_rng(1), pdff) for pdff in (3.0, 30.0))
        settings = draw_acquisition(np.random.default_rng(2), lean, View.HEPATIC_VEINS)

        def fall(body: Body) -> float:
            flat = np.full((512, 256), body.liver_db, np.float32)
            tissues = Tissues(flat, np.full_like(flat, body.attenuation_db_per_cm_mhz))
            grey = grey_levels(np.random.default_rng(3), polar_grid(16.0), tissues, body, settings)
            return float(grey[100:150].mean() - grey[380:430].mean())

        assert fall(fatty) > fall(lean) + 20


class TestSimulateParticipant:
    def test_gives_the_four_views_in_order(self, study: dict[View, Screen]) -> None:
        assert list(study) == list(View)
        assert all(s.pixels.shape == (768, 1024) and s.pixels.dtype == np.uint8 for s in study.values())

    def test_is_deterministic(self, study: dict[View, Screen]) -> None:
        again = simulate_view(participant=1, seed=3, pdff_percent=8.0, view=View.LIVER_KIDNEY)
        np.testing.assert_array_equal(again.pixels, study[View.LIVER_KIDNEY].pixels)

    @pytest.mark.parametrize(("participant", "seed"), [(1, 4), (2, 3)])
    def test_other_seeds_and_participants_share_nothing(
        self, study: dict[View, Screen], participant: int, seed: int
    ) -> None:
        other = simulate_view(participant, seed, pdff_percent=8.0, view=View.LIVER_KIDNEY)
        box = study[View.LIVER_KIDNEY].region
        inner = np.s_[box.y0 + 150 : box.y1 - 150, 400:600]
        mine, theirs = study[View.LIVER_KIDNEY].pixels[inner], other.pixels[inner]
        fine = [np.diff(pixels.astype(float), axis=0).ravel() for pixels in (mine, theirs)]
        assert abs(np.corrcoef(fine)[0, 1]) < 0.1

    def test_region_encloses_the_sector_and_nothing_written(self, study: dict[View, Screen]) -> None:
        for screen in study.values():
            box, pixels = screen.region, screen.pixels
            inside = pixels[box.y0 : box.y1, box.x0 : box.x1]
            assert np.mean(inside > 0) > 0.4
            for edge in (inside[:5], inside[-5:], inside[:, :5], inside[:, -5:]):
                assert edge.any()  # the sector touches all four sides
            assert not inside[:20, :100].any()  # the corners above it are empty

    def test_annotation_lies_outside_the_region(self, study: dict[View, Screen]) -> None:
        for screen in study.values():
            outside = screen.pixels.copy()
            box = screen.region
            outside[box.y0 : box.y1, box.x0 : box.x1] = 0
            assert np.count_nonzero(outside > 150) > 2000

    def test_takes_another_vendors_layout(self) -> None:
        layout = Layout("OTHER", 800, 600, 400, 60, 560, 770, 8)
        screen = simulate_view(1, 3, 8.0, View.HEPATIC_VEINS, layout)
        assert screen.pixels.shape == (600, 800)
        assert 0 <= screen.region.x0 < screen.region.x1 <= 800

    @pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
    def test_service_finds_the_same_sector_with_and_without_the_declared_region(self, layout: Layout) -> None:
        screen = simulate_view(1, 3, 8.0, View.LIVER_KIDNEY, layout)
        declared = extract_tissue(screen.pixels, (UltrasoundRegion(screen.region, 1, 1),)).box
        found = extract_tissue(screen.pixels).box
        for box in (declared, found):
            assert np.abs(np.subtract(box, screen.region)).max() <= 6

    def test_vendors_differ_in_aperture_and_furniture(self) -> None:
        one, two = (simulate_view(1, 3, 8.0, View.LIVER_KIDNEY, layout) for layout in LAYOUTS)
        assert one.vendor != two.vendor
        assert (one.region.x1 - one.region.x0) > (two.region.x1 - two.region.x0) + 30
        assert np.any(one.pixels[:60] != two.pixels[:60])


class TestParticipantLayout:
    def test_about_half_of_a_cohort_meets_each_vendor(self) -> None:
        names = [participant_layout(participant, seed=1).name for participant in range(1, 201)]
        assert {name: abs(names.count(name) - 100) < 30 for name in set(names)} == {x.name: True for x in LAYOUTS}

    def test_all_views_of_a_participant_come_from_one_scanner(self, study: dict[View, Screen]) -> None:
        assert {screen.vendor for screen in study.values()} == {participant_layout(1, 3).name}


class TestContactSheet:
    def test_is_small_and_has_a_row_for_each_fraction_and_vendor(self, tmp_path: Path) -> None:
        path = write_contact_sheet(tmp_path / "sheet.png")
        assert path.stat().st_size < 600_000
        with Image.open(path) as sheet:
            assert sheet.height // 192 == 3 * len(LAYOUTS)


class TestDrawPdffPercent:
    def test_has_the_papers_counts(self) -> None:
        pdff = draw_pdff_percent(135, seed=0)
        assert [int(np.sum(pdff < 5)), int(np.sum(pdff < 10)), int(np.sum(pdff > 30))] == [17, 51, 5]

    def test_is_right_skewed_within_its_range(self) -> None:
        pdff = draw_pdff_percent(135, seed=0)
        assert 1 <= pdff.min() <= pdff.max() <= 40
        assert pdff.mean() > np.median(pdff)

    def test_depends_on_the_seed_alone(self) -> None:
        np.testing.assert_array_equal(draw_pdff_percent(20, 1), draw_pdff_percent(20, 1))
        assert not np.array_equal(draw_pdff_percent(20, 1), draw_pdff_percent(20, 2))


class TestWriteStudy:
    def test_files_hold_the_simulated_pixels(self, study: dict[View, Screen], datasets: dict[View, Dataset]) -> None:
        for view, dataset in datasets.items():
            assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
            assert dataset.SOPClassUID == UltrasoundImageStorage
            np.testing.assert_array_equal(dataset.pixel_array, study[view].pixels)

    def test_region_is_two_dimensional_tissue_in_centimetres(
        self, study: dict[View, Screen], datasets: dict[View, Dataset]
    ) -> None:
        for view, dataset in datasets.items():
            (region,) = dataset.SequenceOfUltrasoundRegions
            assert (region.RegionSpatialFormat, region.RegionDataType) == (1, 1)
            assert (region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection) == (3, 3)
            box = study[view].region
            assert (region.RegionLocationMinX0, region.RegionLocationMaxX1) == (box.x0, box.x1 - 1)
            assert (region.RegionLocationMinY0, region.RegionLocationMaxY1) == (box.y0, box.y1 - 1)
            assert 12 < (box.y1 - box.y0) * region.PhysicalDeltaY < 20

    def test_one_study_of_four_series_that_name_their_views(self, datasets: dict[View, Dataset]) -> None:
        assert len({dataset.StudyInstanceUID for dataset in datasets.values()}) == 1
        assert len({dataset.SOPInstanceUID for dataset in datasets.values()}) == 4
        for view, dataset in datasets.items():
            for text in (dataset.ViewName, dataset.ProtocolName, dataset.SeriesDescription):
                naming = name_view(text)
                assert naming
                assert naming.view is view

    def test_says_that_nobody_is_in_it_and_does_not_tell_the_answer(self, datasets: dict[View, Dataset]) -> None:
        for dataset in datasets.values():
            assert dataset.PatientID == "PHANTOM-0001"
            assert (dataset.PatientBirthDate, dataset.PatientSex) == ("", "")
            assert dataset.BurnedInAnnotation == "YES"
            assert "8.0" not in dataset.to_json(bulk_data_threshold=0, bulk_data_element_handler=lambda _: "x")

    def test_uids_differ_by_fraction(self, study_files: dict[View, Path], tmp_path: Path) -> None:
        other = write_study(tmp_path, participant=1, seed=3, pdff_percent=9.0)
        uids = {dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in other.values()}
        assert uids.isdisjoint(dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in study_files.values())

    @pytest.mark.real
    def test_validates(self, study_files: dict[View, Path]) -> None:
        if shutil.which("dciodvfy") is None:
            pytest.skip("dciodvfy is not installed (apt-get install dicom3tools)")
        for path in study_files.values():
            report = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
            assert [line for line in report.splitlines() if line.startswith("Error")] == []


class TestWriteCohort:
    @pytest.fixture
    def cohort(self, tmp_path: Path) -> Path:
        return write_cohort(tmp_path, n_participants=2, seed=5, jobs=1)

    def test_table_lists_every_view_of_every_participant(self, cohort: Path) -> None:
        with cohort.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert list(rows[0]) == ["participant_id", "view", "path", "pdff_percent"]
        expected = [(f"PHANTOM-5-{i:04d}", view.value) for i in (1, 2) for view in View]
        assert [(row["participant_id"], row["view"]) for row in rows] == expected
        assert all((cohort.parent / row["path"]).is_file() for row in rows)
        fractions = [float(row["pdff_percent"]) for row in rows[::4]]
        np.testing.assert_allclose(fractions, draw_pdff_percent(2, seed=5), atol=1e-4)

    def test_resumes_with_the_missing_and_the_broken_file_alone(self, cohort: Path) -> None:
        files = sorted(cohort.parent.rglob("*.dcm"))
        contents = {path: path.read_bytes() for path in files}
        before = {path: path.stat().st_mtime_ns for path in files}
        files[1].unlink()
        files[6].write_bytes(contents[files[6]][:2000])
        write_cohort(cohort.parent, n_participants=2, seed=5, jobs=1)
        assert {path: path.read_bytes() for path in files} == contents
        assert [path for path in files if path.stat().st_mtime_ns != before[path]] == [files[1], files[6]]

    def test_another_seed_is_other_people(self, cohort: Path) -> None:
        first = {path: path.read_bytes() for path in cohort.parent.rglob("*.dcm")}
        write_cohort(cohort.parent, n_participants=2, seed=6, jobs=1)
        assert {path: path.read_bytes() for path in first} == first
        assert "PHANTOM-6-0001" in cohort.read_text(encoding="utf-8")

    def test_leaves_no_unfinished_file(self, cohort: Path) -> None:
        assert not list(cohort.parent.rglob("*.part"))
