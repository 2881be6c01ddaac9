"""The upload page in a real browser, as a person would use it."""

import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from app.core.notices import NOTICE, VIEW_NAMES
from app.core.values import View
from tests.factories import us_instance
from training.phantom import write_study

pytestmark = pytest.mark.real
REFUSED = "Failed to load resource: the server responded with a status of 4"
"""What Chromium's console says of every answer that refuses something."""
PICTURES_ARE_THERE = "Promise.all([...document.images].map((image) => image.decode())).then(() => true)"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Mapping[View, Path]:
    return write_study(tmp_path_factory.mktemp("study"), 5, seed=77, pdff_percent=9)


def choose(page: Page, *paths: Path) -> None:
    page.locator("#files").set_input_files(paths)
    expect(page.locator("#reading")).to_have_text(re.compile("looked at"), timeout=30_000)


def slot(page: Page, view: View) -> Locator:
    return page.locator(f".slot[data-view={view}]")


def analyse(page: Page) -> Locator:
    page.get_by_role("button", name="Analyse").click()
    result = page.locator("#result")
    expect(result).to_be_visible(timeout=30_000)
    return result


def test_four_files_are_recognised_and_answered_as_the_interface_answers(
    page: Page, study: Mapping[View, Path]
) -> None:
    page.goto("/")
    expect(page.locator(".notice").first).to_contain_text(NOTICE)
    choose(page, *study.values())
    for view in View:
        expect(slot(page, view).get_by_role("img")).to_have_count(1)
        expect(slot(page, view).get_by_role("combobox")).to_have_value(view)
    result = analyse(page)
    expect(result).to_be_focused()
    with page.expect_navigation():
        result.get_by_role("link", name="JSON").click()
    answer = page.request.get(page.url).json()
    page.go_back()
    assert answer["complete"]
    choose(page, *study.values())
    result = analyse(page)
    expect(result.locator("#pdff")).to_have_text(f"{answer['estimate']['pdff_percent']:.1f}")
    expect(result.locator("#ge5")).to_have_text(f"{answer['estimate']['probability_ge5']:.2f}")
    expect(result.locator("#provenance")).to_contain_text(answer["bundle"]["sha256"])
    expect(result.locator("#remarks")).to_contain_text("underestimate PDFF above 30 %")
    expect(result.locator("#remarks")).to_contain_text("synthetic: not for clinical use")


def test_heads_and_opacity_change_the_maps(page: Page, study: Mapping[View, Path]) -> None:
    page.goto("/")
    choose(page, *study.values())
    result = analyse(page)
    maps = result.locator("img.map")
    expect(maps).to_have_count(4)
    for target in ("pdff", "ge10"):
        result.locator(f"input[name=target][value={target}]").check()
        expect(maps.first).to_have_attribute("src", re.compile(f"target={target}$"))
        assert page.evaluate(PICTURES_ARE_THERE)
    slider = result.get_by_label("Map over tissue")
    slider.press("Home")
    expect(maps.first).to_have_css("opacity", "0")
    slider.press("End")
    expect(maps.first).to_have_css("opacity", "1")
    aligned = """() => { const [tissue, map] = document.querySelectorAll(".stack img");
        return Math.abs(map.clientWidth / map.naturalWidth - tissue.clientWidth / tissue.naturalWidth); }"""
    assert page.evaluate(aligned) < 1e-3, "a map lies over its tissue pixel by pixel"


def test_a_wrong_file_says_what_is_wrong_before_anything_is_sent(
    page: Page, study: Mapping[View, Path], tmp_path: Path, complaints: list[str]
) -> None:
    wrong = tmp_path / "holiday.txt"
    wrong.write_text("no DICOM " * 99)
    page.goto("/")
    choose(page, *study.values(), wrong)
    others = page.get_by_role("group", name="Files that are not used")
    expect(others).to_contain_text("holiday.txt")
    expect(others).to_contain_text("The file is not DICOM")
    expect(page.get_by_role("button", name="Analyse")).to_be_enabled()
    others.get_by_role("button", name="Remove holiday.txt").click()
    expect(others).to_be_hidden()
    assert [each for each in complaints if each.startswith(REFUSED)]
    complaints[:] = [each for each in complaints if not each.startswith(REFUSED)]


def test_a_missing_view_is_named_and_may_be_done_without(page: Page, study: Mapping[View, Path]) -> None:
    page.goto("/")
    choose(page, *(path for view, path in study.items() if view != View.LIVER_KIDNEY))
    button, hint = page.get_by_role("button", name="Analyse"), page.locator("#hint")
    expect(hint).to_have_text("Missing: Liver / kidney.")
    expect(button).to_be_disabled()
    page.get_by_label("Analyse although views are missing").check()
    expect(button).to_be_enabled()
    expect(analyse(page).locator("#basis")).to_have_text("mean of 3 of 4 views")


def test_a_view_is_changed_by_hand(page: Page, tmp_path: Path) -> None:
    """Two files say that they are the hepatic veins; one is put right, which the answer remarks upon."""
    paths = []
    for number, view in enumerate(View):
        said = View.HEPATIC_VEINS if view == View.LIVER_KIDNEY else view
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(us_instance(view=said, study=8, number=number))
        paths.append(path)
    page.goto("/")
    choose(page, *paths)
    expect(page.locator("#hint")).to_contain_text("2 files are Hepatic veins: keep one")
    picker = page.get_by_role("combobox", name="View of 3.dcm")
    picker.focus()
    picker.select_option(label=VIEW_NAMES[View.LIVER_KIDNEY])
    expect(slot(page, View.LIVER_KIDNEY)).to_contain_text("3.dcm")
    expect(picker).to_be_focused()
    marks = ["from DICOM", "from DICOM", "from DICOM", "chosen by you"]
    expect(page.locator(".slot .source")).to_have_text(marks)
    result = analyse(page)
    expect(result.locator("#remarks")).to_contain_text("its DICOM text names hepatic_veins")
    expect(result.locator("figcaption .source")).to_have_text([*marks[:3], "chosen by the sender"])


def test_the_report_is_one_sheet_of_a4(page: Page, study: Mapping[View, Path]) -> None:
    page.goto("/")
    choose(page, *study.values())
    with page.expect_navigation():
        analyse(page).get_by_role("link", name="Report to print").click()
    expect(page.get_by_text("What the operating points mean")).to_be_visible()
    page.evaluate("document.querySelector('ul').innerHTML += '<li>One more remark.</li>'.repeat(8)")
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    assert pictures_end_above(printed, "To keep in mind")
    assert re.search(rb"/MediaBox\s*\[0 0 59[45]\.\d+ 84[12]\.\d+\]", printed), "points: 210 x 297 mm"


def pictures_end_above(pdf: bytes, text: str) -> bool:
    with pypdfium2.PdfDocument(pdf) as document:
        page = document[0]
        found = page.get_textpage().search(text).get_next()
        assert found
        _, _, _, top = page.get_textpage().get_charbox(found[0])
        return all(image.get_bounds()[1] >= top for image in page.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))


def test_the_report_as_pdf_is_a_link_away(page: Page, study: Mapping[View, Path]) -> None:
    page.goto("/")
    choose(page, *study.values())
    link = analyse(page).get_by_role("link", name="PDF")
    assert page.request.get(str(link.get_attribute("href"))).body().startswith(b"%PDF-")


def pick(page: Page, folder: Path) -> None:
    page.locator("#folder").set_input_files(folder)


def drop(page: Page, *paths: Path) -> None:
    """Let go of files or folders over the page, as a hand with a mouse does."""
    mouse = page.context.new_cdp_session(page)
    carried = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        mouse.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 200, "data": carried})


@pytest.mark.parametrize("way", [pick, drop])
def test_a_folder_is_gone_through(
    page: Page, study: Mapping[View, Path], tmp_path: Path, way: Callable[[Page, Path], None]
) -> None:
    for number, path in enumerate(study.values()):
        target = tmp_path / "study" / f"series{number}" / f"IM{number}"
        target.parent.mkdir(parents=True)
        shutil.copy(path, target)
    page.goto("/")
    way(page, tmp_path / "study")
    expect(page.locator("#hint")).to_have_text("Ready to be analysed.", timeout=30_000)


def test_files_are_dropped(page: Page, study: Mapping[View, Path]) -> None:
    page.goto("/")
    drop(page, *study.values())
    expect(page.locator("#hint")).to_have_text("Ready to be analysed.", timeout=30_000)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_zip_is_opened(page: Page, study: Mapping[View, Path], tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "study.zip", "w", method) as archive:
        archive.writestr("study/", "")
        for number, path in enumerate(study.values()):
            archive.write(path, f"study/IM{number}")
    page.goto("/")
    choose(page, tmp_path / "study.zip")
    expect(page.locator("#hint")).to_have_text("Ready to be analysed.")


def test_what_a_mac_puts_beside_the_files_is_not_counted(
    page: Page, study: Mapping[View, Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        for number, path in enumerate(study.values()):
            archive.write(path, f"study/IM{number}")
        for number in range(70):
            archive.writestr(f"__MACOSX/study/._IM{number}", "resource fork")
        archive.writestr("study/.DS_Store", "folder")
    page.goto("/")
    choose(page, tmp_path / "mac.zip")
    expect(page.locator("#hint")).to_have_text("Ready to be analysed.")


def test_a_zip64_is_opened(
    page: Page, study: Mapping[View, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As programs write it that do not know beforehand how large a ZIP will be."""
    for limit in ("ZIP64_LIMIT", "ZIP_FILECOUNT_LIMIT"):
        monkeypatch.setattr(zipfile, limit, 0)
    with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, path in enumerate(study.values()):
            archive.write(path, f"IM{number}")
    assert b"PK\6\6" in (tmp_path / "large.zip").read_bytes()
    page.goto("/")
    choose(page, tmp_path / "large.zip")
    expect(page.locator("#hint")).to_have_text("Ready to be analysed.")


def test_one_file_that_is_too_large_or_damaged_does_not_keep_the_others_out(
    page: Page, study: Mapping[View, Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, path in enumerate(study.values()):
            archive.write(path, f"IM{number}")
        archive.writestr("cine", bytes(40 << 20))
        archive.writestr("damaged", b"the only file that says this" * 9)
        at = archive.getinfo("damaged").header_offset + 30 + len("damaged")
    content = bytearray((tmp_path / "study.zip").read_bytes())
    content[at : at + 8] = b"\xff" * 8
    (tmp_path / "study.zip").write_bytes(content)
    page.goto("/")
    choose(page, tmp_path / "study.zip")
    expect(page.locator("#hint")).to_have_text("Ready to be analysed.")
    others = page.locator("#others .file")
    expect(others.filter(has_text="cine")).to_contain_text("larger than 32 MiB")
    expect(others.filter(has_text="damaged")).to_contain_text("damaged in the ZIP")


def test_a_cut_off_zip_is_refused(page: Page, study: Mapping[View, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        archive.write(study[View.LIVER_KIDNEY], "IM0")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:-100])
    page.goto("/")
    page.locator("#files").set_input_files(tmp_path / "cut.zip")
    expect(page.locator("#reading")).to_contain_text("it was cut off")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 834, 1280])
def test_nothing_stands_in_anybodys_way(
    browser: Browser, address: str, study: Mapping[View, Path], scheme: str, width: int
) -> None:
    """axe-core's rules, before and after an answer; nothing is wider than the window."""
    context = browser.new_context(
        base_url=address,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 900},
        bypass_csp=True,  # axe-core is put into the page
    )
    page = context.new_page()
    page.goto("/")
    assert violations(page) == []
    choose(page, *study.values())
    analyse(page)
    assert page.evaluate(PICTURES_ARE_THERE)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['help']} {each['nodes'][0]['html']}" for each in found]
