from app.core.recent import Recent


def test_the_last_names_are_remembered() -> None:
    recent = Recent(3)
    for name in "abcad":
        recent.add(name)
    assert [name for name in "abcd" if name in recent] == ["b", "c", "d"]
