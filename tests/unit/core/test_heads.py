import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import NonFiniteOutput
from app.core.heads import predict, probability
from app.core.values import LinearHead
from tests.fakes import N_FEATURES, some_head


class TestPredict:
    def test_is_the_dot_product_in_float64(self) -> None:
        head = some_head(1)
        gap = np.random.default_rng(1).random(N_FEATURES)
        assert predict(head, gap) == pytest.approx(sum(head.weights * gap) + head.intercept, abs=1e-12)

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_refuses_to_give_anything_but_a_finite_number(self, bad: float) -> None:
        head = LinearHead(np.ones(N_FEATURES), 0)
        with pytest.raises(NonFiniteOutput, match="no finite number"):
            predict(head, np.full(N_FEATURES, bad))


class TestProbability:
    @given(st.floats(-30, 30))
    def test_is_the_inverse_of_the_logit(self, log_odds: float) -> None:
        p = probability(log_odds)
        assert math.log(p / (1 - p)) == pytest.approx(log_odds, abs=1e-2)

    @given(st.floats(-700, 700))
    def test_is_symmetric(self, log_odds: float) -> None:
        assert probability(log_odds) + probability(-log_odds) == pytest.approx(1)

    def test_does_not_overflow(self) -> None:
        assert probability(1e6) == 1
        assert probability(-1e6) == 0
