"""Statistics against SciPy and hand-worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from edgevid.bench import statistics

RNG = np.random.default_rng(20)


@pytest.mark.parametrize(
    ("successes", "trials", "share"), [(3, 10, 0.5), (480, 500, 0.95), (1979, 2000, 0.99), (50, 20_000, 0.004)]
)
def test_the_binomial_distribution_equals_scipys(successes: int, trials: int, share: float) -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    expected = scipy_stats.binom.cdf(successes, trials, share)
    assert statistics.binomial_at_most(successes, trials, share) == pytest.approx(expected, rel=1e-9)


def test_the_upper_bound_of_a_share_is_clopper_and_pearsons() -> None:
    # The rule of three: no failure in 300 bounds the share at 1 - 0.05^(1/300).
    assert statistics.share_upper(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
    scipy_stats = pytest.importorskip("scipy.stats")
    assert statistics.share_upper(3, 1000) == pytest.approx(scipy_stats.beta.ppf(0.95, 4, 997))
    assert statistics.share_upper(7, 7) == 1.0


def test_a_percentile_that_only_the_maximum_bounds_has_no_upper_end() -> None:
    samples = np.arange(1, 501, dtype=float)
    assert statistics.percentile(samples, 0.99) == statistics.Interval(pytest.approx(495.01), 490.0, None)
    assert statistics.percentile(np.arange(1, 2001, dtype=float), 0.99).high == 1989.0
    # The textbook's ranks for the median of 100: 40 and 61.
    median = statistics.percentile(np.arange(1, 101, dtype=float), 0.5)
    assert (median.low, median.high) == (40.0, 61.0)


def test_dependent_samples_carry_less() -> None:
    samples = np.arange(1, 2001, dtype=float)
    assert statistics.percentile(samples, 0.99, effective=500).high is None
    independent, dependent = (statistics.percentile(samples, 0.5, effective=n) for n in (2000, 200))
    assert (dependent.low or 0) < (independent.low or 0)
    walk = np.cumsum(RNG.standard_normal(2000))
    assert statistics.lag1(walk) > 0.95
    assert abs(statistics.lag1(RNG.standard_normal(2000))) < 0.1
    assert statistics.effective_count(RNG.standard_normal(4000)) > 2000
    assert statistics.effective_count(walk) < 100
    # Slow wander below white noise: little at lag 1, and yet few independent samples.
    wander = np.repeat(RNG.standard_normal(40), 100) + RNG.standard_normal(4000)
    assert statistics.effective_count(wander) < 1000
    # Equal samples are no dependence.
    assert abs(statistics.lag1(RNG.integers(0, 2, 4000).astype(float))) < 0.1


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    covered = 0
    for _ in range(400):
        interval = statistics.percentile(np.sort(RNG.exponential(size=600)), 0.9)
        covered += (interval.low or 0) <= np.log(10) <= (interval.high or 0)
    # 95 % or a little more, since ranks are whole numbers; three standard errors are 3.3 %.
    assert covered / 400 > 0.917


def test_the_one_sided_bound_of_p99_needs_459_samples() -> None:
    assert statistics.upper_bound(np.arange(459.0), 0.99) == 458.0
    assert statistics.upper_bound(np.arange(458.0), 0.99) is None


def test_outliers_are_found_and_equal_samples_have_none() -> None:
    samples = np.r_[1 + RNG.normal(0, 0.01, 200), 5.0]
    assert statistics.outlier_indices(samples).tolist() == [200]
    assert len(statistics.outlier_indices(np.r_[np.ones(100), 9.0])) == 0


def test_a_drift_is_found_with_its_size_and_noise_has_none() -> None:
    noise = RNG.normal(1, 0.02, 4000)
    found = statistics.drift(noise * np.linspace(1, 1.03, 4000))
    assert found.share == pytest.approx(0.03, abs=0.005)
    assert found.p < 1e-6
    assert statistics.drift(noise).p > 0.01
    assert abs(statistics.drift(noise).share) < 0.01


def test_the_block_bootstrap_is_wider_for_dependent_samples() -> None:
    noise = RNG.standard_normal(8000)
    dependent = 10 + np.convolve(noise, np.ones(50) / 50, mode="valid")
    narrow = statistics.block_bootstrap_mean(dependent, block=1)
    wide = statistics.block_bootstrap_mean(dependent, block=200)
    assert (wide.high or 0) - (wide.low or 0) > 3 * ((narrow.high or 0) - (narrow.low or 0))


def test_the_mean_of_processes_has_students_interval() -> None:
    values = [1.0, 1.02, 0.98, 1.01, 0.99]
    scipy_stats = pytest.importorskip("scipy.stats")
    low, high = scipy_stats.t.interval(0.95, 4, np.mean(values), scipy_stats.sem(values))
    found = statistics.mean_interval(values)
    assert (found.low, found.high) == (pytest.approx(low, rel=1e-4), pytest.approx(high, rel=1e-4))
    assert statistics.mean_interval([3.0]).low is None


def test_quantiles_of_t_are_scipys() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    for share, freedom in ((0.975, 1), (0.975, 4), (0.99, 4), (0.99, 40)):
        assert statistics.t_quantile(share, freedom) == pytest.approx(scipy_stats.t.ppf(share, freedom), rel=1e-6)


def test_stationary_noise_that_wanders_is_seldom_called_a_drift() -> None:
    found = 0
    for _ in range(50):
        steps = RNG.standard_normal(4000)
        noise = np.zeros(4000)
        for index in range(1, 4000):
            noise[index] = 0.99 * noise[index - 1] + 0.14 * steps[index]
        found += statistics.drift(10 + noise).p < 0.01
    assert found <= 5


def test_a_bent_drift_is_found_although_its_residuals_depend_on_each_other() -> None:
    noise = RNG.normal(1, 0.02, 4000) * (1 + 0.05 * np.sqrt(np.linspace(0, 1, 4000)))
    found = statistics.drift(noise)
    assert found.p < 1e-3
    assert found.share > 0.03


def test_a_shift_of_three_percent_is_found_and_its_chance_is_mann_and_whitneys() -> None:
    old = [1.0, 1.002, 0.998, 1.001, 0.999]
    found = statistics.shift(old, [1.03 * value for value in old])
    assert found.ratio == pytest.approx(1.03, rel=1e-9)
    assert 1.02 < (found.low or 0) < 1.03 < (found.high or 0) < 1.04
    scipy_stats = pytest.importorskip("scipy.stats")
    for new in ([1.5, 0.9995, 1.0005, 1.01, 0.97], [1.1, 1.2, 1.3, 1.4]):
        expected = scipy_stats.mannwhitneyu(old, new, method="exact").pvalue
        assert statistics.shift(old, new).p == pytest.approx(expected)


def test_three_processes_each_are_too_few_for_an_interval() -> None:
    found = statistics.shift([1.0, 1.1, 1.2], [2.0, 2.1, 2.2])
    assert (found.low, found.high) == (None, None)
