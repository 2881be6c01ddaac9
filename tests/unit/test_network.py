"""The tests' own network is left again, whatever happens in it: what comes after must find its servers."""

import os

import pytest

from tests.network import own_network, this_network


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="a network namespace needs root")
def test_it_is_left_even_when_a_test_in_it_fails() -> None:
    outside = this_network().readlink()
    inside = []

    @own_network()
    def fail() -> None:
        inside.append(this_network().readlink())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert inside != [outside]
    assert this_network().readlink() == outside
