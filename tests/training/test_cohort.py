from pathlib import Path

import pytest

from app.core.values import View
from training.cohort import read_cohort

HEADER = "participant_id,view,path,pdff_percent\n"


def write(folder: Path, rows: list[str]) -> Path:
    """A table; of each image that it names there is a file, but for none.dcm."""
    for path in {row.split(",")[2] for row in rows} - {"none.dcm"}:
        (folder / path).write_bytes(b"x")
    table = folder / "cohort.csv"
    table.write_text(HEADER + "\n".join(rows) + "\n")
    return table


def four(name: str, pdff: str = "7.5") -> list[str]:
    return [f"{name},{view},{name}-{view}.dcm,{pdff}" for view in View]


def test_participants_come_in_the_order_of_their_rows(tmp_path: Path) -> None:
    rows = [row for pair in zip(four("b"), four("a"), strict=True) for row in pair]
    participants = read_cohort(write(tmp_path, rows))
    assert [each.participant_id for each in participants] == ["b", "a"]
    assert list(participants[0].paths) == list(View)
    assert participants[0].pdff_percent == 7.5


def test_every_wrong_row_is_listed_at_once(tmp_path: Path) -> None:
    rows = [
        "a,spleen,image.dcm,5",
        "a,liver_kidney,none.dcm,5",
        "a,liver_kidney,image.dcm,fat",
        ",liver_kidney,x,5",
        "a,liver_kidney,image.dcm,120",
    ]
    with pytest.raises(ValueError, match="not usable") as caught:
        read_cohort(write(tmp_path, rows))
    for line, says in ((2, "view"), (3, "path"), (4, "number"), (5, "participant_id"), (6, "outside")):
        assert any(f"line {line}:" in part and says in part for part in str(caught.value).splitlines())


def test_a_missing_view_and_two_truths_are_refused(tmp_path: Path) -> None:
    rows = [*four("a")[:3], *four("b")[:3], four("b", "9")[3]]
    with pytest.raises(ValueError, match="not usable") as caught:
        read_cohort(write(tmp_path, rows))
    assert "a: has no liver_kidney, as others have" in str(caught.value)
    assert "b: pdff_percent differs" in str(caught.value)


def test_one_view_is_enough(tmp_path: Path) -> None:
    rows = [four("a")[3], four("b")[3]]
    assert [list(each.paths) for each in read_cohort(write(tmp_path, rows))] == [[View.LIVER_KIDNEY]] * 2


def test_several_images_of_a_view_stay_in_the_order_of_their_rows(tmp_path: Path) -> None:
    rows = [*four("a"), "a,liver_kidney,second.png,7.5", *four("b")]
    one, two = read_cohort(write(tmp_path, rows))
    assert [path.name for path in one.paths[View.LIVER_KIDNEY]] == ["a-liver_kidney.dcm", "second.png"]
    assert len(two.paths[View.LIVER_KIDNEY]) == 1


def test_an_image_belongs_to_one_row(tmp_path: Path) -> None:
    """Two participants of one image would sit on both sides of a split."""
    rows = [*four("a"), *four("b")[:3], "b,liver_kidney,a-liver_kidney.dcm,7.5"]
    with pytest.raises(ValueError, match="line 9: path is that of line 5"):
        read_cohort(write(tmp_path, rows))


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it has no row"):
        read_cohort(write(tmp_path, []))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    table = tmp_path / "cohort.csv"
    table.write_text("participant_id,view,path\n")
    with pytest.raises(ValueError, match="pdff_percent"):
        read_cohort(table)


class TestTablesOfSpreadsheets:
    """As they come out of people's programs."""

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    def test_in_any_encoding(self, tmp_path: Path, encoding: str) -> None:
        table = write(tmp_path, four("Müller"))
        table.write_bytes(table.read_text().encode(encoding))
        assert [each.participant_id for each in read_cohort(table)] == ["Müller"]

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_with_another_delimiter_a_comma_is_a_decimal_one(self, tmp_path: Path, delimiter: str) -> None:
        table = write(tmp_path, four("a"))
        table.write_text(table.read_text().replace(",", delimiter).replace("7.5", "7,5"))
        assert read_cohort(table)[0].pdff_percent == 7.5

    def test_with_empty_rows_blanks_and_columns_of_its_own(self, tmp_path: Path) -> None:
        table = write(tmp_path, four("a"))
        rows = [f" {line.replace(',', ' , ')},note" for line in table.read_text().splitlines()]
        table.write_text("\r\n".join([rows[0], ",,,,", *rows[1:], ",,,,", ""]))
        assert [each.participant_id for each in read_cohort(table)] == ["a"]

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ("a", "line 2: view"),
            ("a,liver_kidney", "line 2: path"),
            ("a,liver_kidney,x\0.dcm,5", "line 2: it holds a NUL"),
        ],
    )
    def test_what_is_short_or_broken_is_named(self, tmp_path: Path, row: str, says: str) -> None:
        table = tmp_path / "cohort.csv"
        table.write_text(HEADER + row + "\n")
        with pytest.raises(ValueError, match=says):
            read_cohort(table)

    def test_no_text_at_all(self, tmp_path: Path) -> None:
        table = tmp_path / "cohort.csv"
        table.write_bytes(b"\x81\x8d\x8f")
        with pytest.raises(ValueError, match="not text"):
            read_cohort(table)
