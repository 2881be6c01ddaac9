"""Certified L1 paths: optimality, parity with scikit-learn, degenerate cases."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso, LogisticRegression

from app.core.values import Floats
from training.solvers import (
    LOGISTIC,
    SQUARED,
    Design,
    Fits,
    Loss,
    Problem,
    SingleClassError,
    quadratic,
    side_by_side,
    solve,
    strongest_penalty,
)
from training.solvers import paths as solver_paths

N, R, P = 50, 3, 120
STEPS = np.geomspace(1, 60, 8)[1:]


def cohort(seed: int = 0, n: int = N, p: int = P) -> tuple[Design, Floats]:
    """Positive, correlated features on different scales; four of them carry the target."""
    rng = np.random.default_rng(seed)
    y = rng.gamma(2.0, 6.0, n)
    X = np.exp(0.5 * rng.normal(size=(n, 8)) @ rng.normal(size=(8, p)) + 0.3 * rng.normal(size=(n, p)))
    X[:, :4] *= np.exp(np.outer(y / 12, [1, -1, 0.7, 0.4]))
    rows = X[:, None] * np.exp(0.1 * rng.normal(size=(n, R, p)))
    return Design(rows * rng.uniform(0.01, 100, p)), y


def problem(y: Floats, loss: Loss, steps: Floats = STEPS, participants: np.ndarray | None = None) -> Problem:
    rng = np.random.default_rng(7)
    who = np.arange(2, len(y)) if participants is None else participants
    target = y[who] if loss is SQUARED else (y[who] >= 10).astype(float)
    return Problem(who, target, rng.uniform(0.3, 3, len(who)), loss, steps)


def standardised(design: Design, task: Problem) -> tuple[Floats, Floats, Floats]:
    """Training rows scaled as scikit-learn's scaler does, targets, and weights that sum to 1."""
    X = design.X[task.participants].reshape(-1, design.X.shape[2])
    weights = np.repeat(task.weights, R)
    return (X - X.mean(0)) / X.std(0), np.repeat(task.y, R), weights / weights.sum()


def dense(fits: Fits, p: int = P) -> Floats:
    beta = np.zeros((len(fits.points), p))
    beta[:, fits.candidates] = [point.beta for point in fits.points]
    return beta


@pytest.mark.parametrize("loss", [SQUARED, LOGISTIC])
class TestCertificates:
    def test_every_gap_is_below_a_millionth(self, loss: Loss) -> None:
        design, y = cohort()
        (fits,) = solve(design, [problem(y, loss)])
        assert fits.gaps.max() <= 1e-6
        assert fits.gaps.min() >= -1e-12

    def test_optimality_conditions_hold_for_every_column(self, loss: Loss) -> None:
        """|z_j' u| <= alpha; on the support equality with the coefficient's sign; the intercept's gradient is zero."""
        design, y = cohort()
        task = problem(y, loss)
        (fits,) = solve(design, [task])
        Z, target, weights = standardised(design, task)
        for alpha, intercept, beta in zip(fits.alphas, fits.intercepts, dense(fits), strict=True):
            u = weights * loss.residual(target, Z @ beta + intercept)
            correlation = Z.T @ u
            support = beta != 0
            assert np.abs(correlation).max() <= alpha * (1 + 1e-4)
            np.testing.assert_allclose(correlation[support], alpha * np.sign(beta[support]), rtol=1e-3)
            assert abs(u.sum()) < 1e-4 * alpha

    @pytest.mark.parametrize("few", [1, 3])
    def test_few_violators_at_a_time_cost_sweeps_only(
        self, loss: Loss, few: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        design, y = cohort()
        (best,) = solve(design, [problem(y, loss)])
        monkeypatch.setattr(solver_paths, "_FEW", few)
        (patient,) = solve(design, [problem(y, loss)])
        np.testing.assert_allclose(
            patient.predict(design, np.arange(2)), best.predict(design, np.arange(2)), atol=1e-3 * y.std()
        )
        assert patient.gaps.max() <= 1e-6

    def test_a_bundle_of_problems_gives_what_each_gives_alone(self, loss: Loss) -> None:
        design, y = cohort()
        tasks = [problem(y, loss, participants=np.delete(np.arange(N), k)) for k in (0, 9)]
        together = solve(design, tasks)
        for task, fits in zip(tasks, together, strict=True):
            (alone,) = solve(design, [task])
            np.testing.assert_allclose(dense(fits), dense(alone), atol=1e-3 * np.abs(dense(alone)).max())

    def test_raw_weights_predict_what_standardised_ones_do(self, loss: Loss) -> None:
        design, y = cohort()
        (fits,) = solve(design, [problem(y, loss)])
        weights, intercepts = fits.raw(design)
        expected = weights @ design.X[:, 0].T + intercepts[:, None]
        np.testing.assert_allclose(fits.predict(design, np.arange(N)), expected, rtol=1e-8, atol=1e-8)


class TestQuadratic:
    """``|z - A beta|^2 / 2 + alpha |beta|_1``, on correlated columns."""

    @pytest.mark.parametrize("start", ["nothing", "everything", "neighbour"])
    def test_the_optimality_conditions_hold_from_any_start(self, start: str) -> None:
        rng = np.random.default_rng(5)
        A = rng.normal(size=(80, 6)) @ rng.normal(size=(6, 40)) + 0.2 * rng.normal(size=(80, 40))
        z = A[:, :4].sum(axis=1) + rng.normal(size=80)
        G, q, alpha = A.T @ A, A.T @ z, 0.05 * float(np.abs(A.T @ z).max())
        starts = {"nothing": np.zeros(40), "everything": rng.normal(size=40)}
        starts["neighbour"] = quadratic.minimise(G, q, float(z @ z), 1.5 * alpha, np.zeros(40), 1e-12)
        beta = quadratic.minimise(G, q, float(z @ z), alpha, starts[start], 1e-12)
        pull, kept = q - G @ beta, beta != 0
        np.testing.assert_allclose(pull[kept], alpha * np.sign(beta[kept]), rtol=1e-8)
        assert np.abs(pull).max() <= alpha * (1 + 1e-8)
        assert 0 < np.count_nonzero(kept) < 40

    def test_twin_columns_leave_it_to_coordinate_descent(self) -> None:
        rng = np.random.default_rng(5)
        A = np.repeat(rng.normal(size=(30, 5)), 2, axis=1)
        z = A @ np.ones(10)
        beta = quadratic.minimise(A.T @ A, A.T @ z, float(z @ z), 0.1, rng.normal(size=10), 1e-10)
        assert np.abs(A.T @ (z - A @ beta)).max() <= 0.1 * (1 + 1e-3)


class TestAgainstScikitLearn:
    @pytest.mark.parametrize("k", [0, 3, 6])
    def test_lasso(self, k: int) -> None:
        design, y = cohort()
        task = problem(y, SQUARED)
        (fits,) = solve(design, [task])
        Z, target, weights = standardised(design, task)
        peer = Lasso(alpha=fits.alphas[k], tol=1e-12, max_iter=1_000_000).fit(Z, target, sample_weight=weights)
        np.testing.assert_allclose(dense(fits)[k], peer.coef_, atol=1e-4)
        np.testing.assert_allclose(fits.points[k].eta, peer.predict(Z), atol=1e-3)

    @pytest.mark.parametrize("k", [0, 2, 4])
    def test_logistic(self, k: int) -> None:
        """Against saga, which leaves the intercept unpenalised too."""
        design, y = cohort(p=12)
        task = problem(y, LOGISTIC)
        (fits,) = solve(design, [task])
        Z, target, weights = standardised(design, task)
        peer = LogisticRegression(l1_ratio=1.0, C=1 / fits.alphas[k], solver="saga")
        peer.set_params(tol=1e-8, max_iter=10**5, random_state=0).fit(Z, target, sample_weight=weights)
        np.testing.assert_allclose(dense(fits, 12)[k], peer.coef_[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(fits.points[k].eta, peer.decision_function(Z), atol=1e-3)


class TestDegenerateCases:
    @pytest.mark.parametrize("loss", [SQUARED, LOGISTIC])
    def test_at_the_strongest_penalty_nothing_is_kept_and_just_below_one_feature_is(self, loss: Loss) -> None:
        design, y = cohort()
        (fits,) = solve(design, [problem(y, loss, np.array([1.0, 1.001]))])
        assert [np.count_nonzero(beta) for beta in dense(fits)] == [0, 1]
        assert fits.alphas[0] == pytest.approx(strongest_penalty(design, problem(y, loss)))
        assert fits.gaps.max() <= 1e-6

    @pytest.mark.parametrize("loss", [SQUARED, LOGISTIC])
    def test_constant_features_are_unused(self, loss: Loss) -> None:
        design, y = cohort()
        X = design.X.copy()
        X[..., [0, 5, 9]] = [1e6, 0.0, 0.1]
        X[2:, :, 20] = 3.3  # constant in the training set alone
        (fits,) = solve(Design(X), [problem(y, loss)])
        assert not dense(fits)[:, [0, 5, 9, 20]].any()
        assert np.isfinite(fits.predict(Design(X), np.arange(2))).all()

    @pytest.mark.parametrize("loss", [SQUARED, LOGISTIC])
    def test_features_that_are_all_constant_leave_the_intercept(self, loss: Loss) -> None:
        _, y = cohort()
        (fits,) = solve(Design(np.ones((N, R, 4))), [problem(y, loss)])
        task = problem(y, loss)
        np.testing.assert_allclose(fits.intercepts, loss.null_intercept(task.y, task.weights / task.weights.sum()))

    def test_one_class_is_refused(self) -> None:
        design, _ = cohort()
        with pytest.raises(SingleClassError, match="one side of the cutoff"):
            solve(design, [problem(np.full(N, 30.0), LOGISTIC)])

    def test_twin_columns_are_certified(self) -> None:
        design, y = cohort(p=30)
        (fits,) = solve(Design(np.concatenate([design.X, design.X], axis=2)), [problem(y, SQUARED)])
        assert fits.gaps.max() <= 1e-6

    def test_separable_classes_are_certified(self) -> None:
        design, y = cohort()
        X = design.X.copy()
        X[..., 0] = (y >= 10)[:, None] * 2.0 - 1
        (fits,) = solve(Design(X), [problem(y, LOGISTIC)])
        assert fits.gaps.max() <= 1e-6

    def test_a_fit_that_does_not_converge_raises(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from training.solvers import NotConvergedError, newton

        monkeypatch.setattr(newton, "_MAX_STEPS", 1)
        design, y = cohort()
        with pytest.raises(NotConvergedError, match="relative gap"):
            solve(design, [problem(y, LOGISTIC)])


class TestScreening:
    def test_columns_at_a_bound_are_checked_in_double_precision(self) -> None:
        """Single precision alone could hide a broken condition below a ten-millionth, and with it a gap."""
        design, y = cohort(p=400)
        path = solver_paths._path(design, problem(y, LOGISTIC))
        path.join(design, np.arange(0, 400, 3))
        path.fit(3)
        solver_paths._correlate(design, [path], 3)
        Z, _, _ = standardised(design, path.problem)
        exact = np.abs(path.point.dual @ Z)
        loud = exact > path.alphas[3]
        assert 5 < np.count_nonzero(loud) < 200
        np.testing.assert_allclose(path.correlation[loud], exact[loud], rtol=1e-11)
        np.testing.assert_allclose(path.correlation, exact, rtol=0, atol=1e-4 * path.alphas[3])


class TestDesign:
    def test_scaler_is_that_of_the_training_rows(self) -> None:
        design, _ = cohort()
        who = np.array([1, 4, 7, 30])
        scaler = design.scaler(who)
        rows = design.X[who].reshape(-1, P)
        np.testing.assert_allclose(scaler.mean + design.centre, rows.mean(0))
        np.testing.assert_allclose(scaler.scale, rows.std(0))

    def test_a_participants_rows_stay_together(self) -> None:
        design, _ = cohort()
        np.testing.assert_array_equal(design.rows_of(np.array([4, 1])), [12, 13, 14, 3, 4, 5])


class TestSeveralImages:
    """Participants 0, 1, 2 have one, three and two images."""

    OWNER = np.array([0, 1, 1, 1, 2, 2])
    DESIGN = Design(np.random.default_rng(0).normal(size=(6, 2, 3)), OWNER)

    def test_a_participants_rows_stay_together(self) -> None:
        assert self.DESIGN.rows_of(np.array([0, 2])).tolist() == [0, 1, 8, 9, 10, 11]
        assert self.DESIGN.n_rows_of(np.array([1, 0])).tolist() == [6, 2]

    def test_the_scaler_is_that_of_the_rows(self) -> None:
        scaler = self.DESIGN.scaler(np.array([0, 1]))
        rows = self.DESIGN.X[:4].reshape(-1, 3)
        np.testing.assert_allclose(scaler.mean + self.DESIGN.centre, rows.mean(axis=0))
        np.testing.assert_allclose(scaler.scale, rows.std(axis=0))

    def test_images_as_they_are_are_averaged(self) -> None:
        np.testing.assert_allclose(self.DESIGN.plain[1], self.DESIGN.X[1:4, 0].mean(axis=0))

    def test_copies_of_an_image_change_nothing(self) -> None:
        """Each participant keeps their weight, however many images they have."""
        rng = np.random.default_rng(3)
        X, y = rng.normal(size=(12, 2, 8)), rng.normal(size=12)
        owner = np.repeat(np.arange(12), 2)
        (one,) = solve(Design(X), [problem(y, SQUARED)])
        (two,) = solve(Design(np.repeat(X, 2, axis=0), owner), [problem(y, SQUARED)])
        np.testing.assert_allclose(
            two.predict(Design(X), np.arange(12)), one.predict(Design(X), np.arange(12)), atol=1e-3
        )

    @pytest.mark.parametrize("owner", [[0, 0, 2, 2, 3, 3], [1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 2, 2], [0, 1, 2]])
    def test_an_owner_that_skips_or_goes_back_is_refused(self, owner: list[int]) -> None:
        with pytest.raises(ValueError, match="owner must name"):
            Design(self.DESIGN.X, np.array(owner))

    def test_views_of_unequal_counts_are_not_joined(self) -> None:
        other = Design(self.DESIGN.X, np.array([0, 0, 1, 1, 2, 2]))
        with pytest.raises(ValueError, match="as many images of one view"):
            side_by_side([self.DESIGN, other])
        assert side_by_side([self.DESIGN, self.DESIGN]).X.shape == (6, 2, 6)
