#!/usr/bin/env python3
"""The command line beside what people use today, on the same rows: numpy.digitize and searchsorted, torch.bucketize where
torch is installed, scipy.stats.binned_statistic, Boost.Histogram's Mean storage, kmeans1d.

agreement_test.py ZCMOE
Exits 77 (skipped) where numpy, scipy, boost_histogram or kmeans1d is not installed; torch alone may be missing.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import boost_histogram
    import kmeans1d
    import numpy as np
    import scipy.stats
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)
try:
    import torch
except ImportError:
    torch = None

ZCMOE = sys.argv[1]
# Cuts that `zcmoe fit --segmentation optimal` learns from a smoothed slope miss jumps: 32 of them on 8 steps may leave
# as much squared bias as the best 7 segments do (0.75 of it was seen).
STEP_FACTOR = 1.0


def zcmoe(*words):
    done = subprocess.run([ZCMOE, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def data(seed, n=20000):
    """Inputs among them the edges themselves, their neighbours and some out of range."""
    random = np.random.default_rng(seed)
    edges = np.unique(np.concatenate([random.normal(size=37), np.arange(-2, 3) / 4]))
    at = random.choice(edges, size=n)
    x = random.normal(size=n) * 2
    x[: n // 4] = at[: n // 4]
    x[n // 4 : n // 3] = np.nextafter(at[n // 4 : n // 3], np.inf)
    x[n // 3 : n // 2] = np.nextafter(at[n // 3 : n // 2], -np.inf)
    return edges, x, np.sin(3 * x) + random.normal(size=n)


class Table:
    """A fit of rows on given edges, and its segments and values for them."""

    def __init__(self, folder, edges, x, y, *options):
        self.folder, self.edges = folder, edges
        (folder / "edges.txt").write_text("".join(f"{edge!r}\n" for edge in edges.tolist()), encoding="utf-8")
        np.savetxt(folder / "data.csv", np.column_stack([x, y]), "%.17g", ",", header="x,y", comments="")
        self.model = folder / "model.safetensors"
        zcmoe("fit", folder / "data.csv", "--x", "x", "--y", "y", "--edges", folder / "edges.txt", "-o", self.model,
              "-q", *options)

    def predict(self):
        text = zcmoe("predict", self.model, self.folder / "data.csv", "--x", "x", "--segments-column", "-q")
        values, segments = np.loadtxt(text.splitlines()[1:], delimiter=",", unpack=True)
        return values, segments.astype(np.int64)

    def arrays(self):
        from safetensors import safe_open
        with safe_open(self.model, "np") as file:
            return {name: file.get_tensor(name)[: len(self.edges) - 1] for name in ("values", "counts", "variance")}


def outside(x, edges, segments):
    """numpy's bin numbers, from one, as segments: below and above as --range-policy segments numbers them."""
    m = len(edges) - 1
    return np.where(segments < 0, m + 1, np.where(segments >= m, m + 2, segments))


def check_bins(folder, side):
    """digitize's bins, and so bucketize's, whose `right` is the other way round."""
    edges, x, y = data(1)
    _, segments = Table(folder, edges, x, y, "--closed-side", side, "--open-outer-edge", "--range-policy", "segments",
                        ).predict()
    right = side == "right"
    wanted = outside(x, edges, np.digitize(x, edges, right=right) - 1)
    assert np.array_equal(segments, wanted), np.flatnonzero(segments != wanted)[:5]
    by_search = outside(x, edges, np.searchsorted(edges, x, side="left" if right else "right") - 1)
    assert np.array_equal(segments, by_search)
    if torch is not None:
        bucket = torch.bucketize(torch.from_numpy(x), torch.from_numpy(edges), right=not right).numpy()
        assert np.array_equal(segments, outside(x, edges, bucket - 1))


def check_statistics(folder):
    """Counts, means and variances of rows in range; scipy and Boost include the last edge, as zcmoe does by default."""
    edges, x, y = data(2)
    table = Table(folder, edges, x, y, "--range-policy", "nan", "--empty-policy", "nan").arrays()
    for statistic, name in (("count", "counts"), ("mean", "values")):
        # scipy also counts what rounds to the last edge; those rows are out of range here.
        inside = x <= edges[-1]
        wanted = scipy.stats.binned_statistic(x[inside], y[inside], statistic, edges).statistic
        np.testing.assert_allclose(table[name], wanted, rtol=1e-11, atol=1e-12, err_msg=statistic)
    # A Variable axis of Boost.Histogram leaves the last edge to the overflow bin.
    table = Table(folder, edges, x, y, "--range-policy", "nan", "--empty-policy", "nan", "--open-outer-edge").arrays()
    histogram = boost_histogram.Histogram(boost_histogram.axis.Variable(edges), storage=boost_histogram.storage.Mean())
    histogram.fill(x, sample=y)
    view = histogram.view()
    assert np.array_equal(table["counts"], view["count"].astype(np.int64))
    filled = table["counts"] > 0
    np.testing.assert_allclose(table["values"][filled], view["value"][filled], rtol=1e-9, atol=1e-12)
    several = table["counts"] > 1
    np.testing.assert_allclose(table["variance"][several],
                               view["_sum_of_deltas_squared"][several] / (table["counts"][several] - 1), rtol=1e-9,
                               atol=1e-12)


def squared_error(values, clusters):
    return sum(np.sum((values[clusters == c] - values[clusters == c].mean()) ** 2) for c in np.unique(clusters))


def check_exact_partition():
    """A rising staircase of equal steps: clusters of its heights are intervals of its input, so that kmeans1d's optimum
    is the least error of any table. `zcmoe compile` needs as few segments for it."""
    heights = np.round(np.cumsum(np.random.default_rng(3).gamma(1.0, size=12)), 3)
    expression = "+".join([f"{heights[0]:.3f}"] + [f"{b - a:.3f}*(x>={k / 12!r})" for k, (a, b) in
                                                   enumerate(zip(heights, heights[1:]), 1)])
    for k in (2, 3, 5, 8, 12):
        clusters = np.array(kmeans1d.cluster(heights, k).clusters)
        best = np.sqrt(squared_error(heights, clusters) / 12)
        tolerance = best * (1 + 1e-6) + 1e-9
        result = json.loads(zcmoe("compile", expression, "--range", "0:1", "--tolerance", repr(float(tolerance)),
                                  "--json"))
        assert result["segments"] == k, (k, best, result)


def check_learned_partition(folder):
    """Cuts learned from noisy rows of a staircase, against the best ones."""
    random = np.random.default_rng(4)
    x = np.sort(random.uniform(size=4000))
    truth = np.floor(8 * x)  # eight steps of height 1
    y = truth + random.normal(size=len(x)) * 0.1
    np.savetxt(folder / "steps.csv", np.column_stack([x, y]), "%.17g", ",", header="x,y", comments="")
    zcmoe("fit", folder / "steps.csv", "--x", "x", "--y", "y", "--segmentation", "optimal", "--segments", 32, "-o",
          folder / "steps.safetensors", "-q")
    answers = np.loadtxt(zcmoe("predict", folder / "steps.safetensors", folder / "steps.csv", "-q").splitlines()[1:])
    # Bias of the table on the truth, in units of the variance that one segment too few leaves.
    bias = np.mean((answers - truth) ** 2)
    one_less = squared_error(truth, np.array(kmeans1d.cluster(truth, 7).clusters)) / len(x)
    ratio = bias / one_less
    print(f"learned cuts of 32 segments on 8 steps: {ratio:.3f} of what 7 best segments leave")
    assert ratio <= STEP_FACTOR, ratio


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for side in ("left", "right"):
            check_bins(folder, side)
        check_statistics(folder)
        check_exact_partition()
        check_learned_partition(folder)
    print("torch: " + (torch.__version__ if torch is not None else "not installed, searchsorted alone"))


if __name__ == "__main__":
    main()
