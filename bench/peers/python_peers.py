"""What users of Python run today, each as a class with predict(x, y), or with fit(x, y) and moments().

Importing a peer's package is part of making the peer, so that whatever is not installed is left out. Tree models are
written by hand as full binary trees over the edges: they answer the same table exactly, however large."""
import json

import numpy as np


class Numpy:
    """searchsorted and take."""
    predicts = True

    def __init__(self, edges, constants, threads):
        self.edges, self.m = edges, len(constants)
        self.cuts = edges[1:-1].astype(np.float32)
        self.constants = constants.astype(np.float32)

    def predict(self, x, y):
        np.take(self.constants, np.searchsorted(self.cuts, x, side="right"), out=y, mode="clip")


class NumpyBincount(Numpy):
    """searchsorted and bincount for count, sum and sum of squares."""
    predicts = False

    def __init__(self, edges, constants, threads):
        super().__init__(edges, constants, threads)
        self.counts, self.sums, self.squares = np.zeros((3, self.m))

    def fit(self, x, y):
        segments = np.searchsorted(self.cuts, x, side="right")
        self.counts += np.bincount(segments, minlength=self.m)
        self.sums += np.bincount(segments, weights=y, minlength=self.m)
        self.squares += np.bincount(segments, weights=y * y, minlength=self.m)

    def moments(self):
        with np.errstate(invalid="ignore"):
            return self.counts, self.sums / self.counts


class NumpySort(Numpy):
    """searchsorted, argsort, add.reduceat for count, sum and sum of squares."""
    predicts = False

    def fit(self, x, y):
        segments = np.searchsorted(self.cuts, x, side="right")
        order = np.argsort(segments, kind="stable")
        segments, y = segments[order], y[order].astype(np.float64)
        starts = np.flatnonzero(np.r_[True, segments[1:] != segments[:-1]])
        self.found = segments[starts]
        self.counts = np.diff(np.r_[starts, len(y)])
        self.sums, self.squares = np.add.reduceat(y, starts), np.add.reduceat(y * y, starts)

    def moments(self):
        return spread_out(self.m, self.found, self.counts, self.sums / self.counts)


def spread_out(m, found, counts, means):
    """Results for the segments found, as arrays over all."""
    all_counts, all_means = np.zeros(m), np.full(m, np.nan)
    all_counts[found], all_means[found] = counts, means
    return all_counts, all_means


class SklearnTree:
    """DecisionTreeRegressor.predict, fitted on the segments' centres; then each threshold is moved to its edge."""
    predicts = True

    def __init__(self, edges, constants, threads):
        from sklearn.tree import DecisionTreeRegressor
        centres = ((edges[:-1] + edges[1:]) / 2).astype(np.float32)
        self.model = DecisionTreeRegressor().fit(centres[:, None], constants)
        thresholds = self.model.tree_.threshold  # x <= t goes left: t is the double below the edge
        inner = self.model.tree_.children_left >= 0
        thresholds[inner] = np.nextafter(edges[np.searchsorted(centres, thresholds[inner])], -1)

    def predict(self, x, y):
        y[:] = self.model.predict(x[:, None])


class SklearnBins:
    """KBinsDiscretizer.transform (ordinal) and take."""
    predicts = True

    def __init__(self, edges, constants, threads):
        from sklearn.preprocessing import KBinsDiscretizer
        self.constants = constants.astype(np.float32)
        self.bins = KBinsDiscretizer(n_bins=2, encode="ordinal", strategy="uniform", subsample=None)
        self.bins.fit(np.array([[0.0], [1.0]], np.float32))
        self.bins.bin_edges_ = np.array([edges.astype(np.float32)])
        self.bins.n_bins_ = np.array([len(constants)])

    def predict(self, x, y):
        np.take(self.constants, self.bins.transform(x[:, None])[:, 0].astype(np.intp), out=y, mode="clip")


def full_tree(edges, m):
    """Thresholds of the m - 1 inner nodes, level by level; node i has the children 2 i + 1 and 2 i + 2."""
    if m & (m - 1):
        raise ValueError("a full tree has a power of two of leaves")
    levels = []
    step = m
    while step > 1:
        levels.append(edges[step // 2::step])
        step //= 2
    return np.concatenate(levels)


class Xgboost:
    """inplace_predict: predict on a DMatrix used before would return a cached result."""
    predicts = True

    def __init__(self, edges, constants, threads):
        import xgboost
        m = len(constants)
        tiny = xgboost.DMatrix(np.array([[0.0], [1.0]], np.float32), label=np.array([0.0, 1.0]))
        self.model = xgboost.train({"base_score": 0, "max_depth": 1, "learning_rate": 1, "nthread": 1}, tiny, 1)
        raw = json.loads(bytes(self.model.save_raw("json")))
        nodes = 2 * m - 1
        index = np.arange(nodes)
        inner = index < m - 1
        tree = raw["learner"]["gradient_booster"]["model"]["trees"][0]
        tree["tree_param"]["num_nodes"] = str(nodes)
        tree["left_children"] = np.where(inner, 2 * index + 1, -1).tolist()
        tree["right_children"] = np.where(inner, 2 * index + 2, -1).tolist()
        tree["parents"] = [2147483647] + ((index[1:] - 1) // 2).tolist()
        # An inner node's threshold (x < t goes left), a leaf's value.
        values = np.r_[full_tree(edges, m), constants]
        tree["split_conditions"] = values.tolist()
        for key, value in [("base_weights", 0.0), ("loss_changes", 0.0), ("sum_hessian", 1.0), ("split_indices", 0),
                           ("split_type", 0), ("default_left", 0)]:
            tree[key] = [value] * nodes
        tree["base_weights"] = np.where(inner, 0, values).tolist()
        self.model.load_model(bytearray(json.dumps(raw).encode()))
        self.model.set_param({"nthread": threads})

    def predict(self, x, y):
        y[:] = self.model.inplace_predict(x[:, None])


class Lightgbm:
    """Booster.predict."""
    predicts = True

    def __init__(self, edges, constants, threads):
        import lightgbm
        self.threads = threads
        m = len(constants)
        rows = np.arange(40.0)[:, None]
        quiet = {"verbose": -1, "min_data_in_leaf": 1, "num_leaves": 2, "boost_from_average": False, "num_threads": 1}
        tiny = lightgbm.train(quiet, lightgbm.Dataset(rows, label=rows[:, 0] // 20, params=quiet), 1)
        index = np.arange(m - 1)
        children = [np.where(child < m - 1, child, -(child - (m - 1)) - 1) for child in (2 * index + 1, 2 * index + 2)]
        fields = {
            "num_leaves": [m], "split_feature": np.zeros(m - 1, int), "split_gain": np.zeros(m - 1, int),
            # x <= t goes left: t is the double below the edge.
            "threshold": [repr(float(t)) for t in np.nextafter(full_tree(edges, m), -1)],
            "decision_type": np.full(m - 1, 2), "left_child": children[0], "right_child": children[1],
            "leaf_value": [repr(float(c)) for c in constants], "leaf_weight": np.ones(m, int),
            "leaf_count": np.ones(m, int), "internal_value": np.zeros(m - 1, int),
            "internal_weight": np.zeros(m - 1, int), "internal_count": np.full(m - 1, 2), "shrinkage": [1]}
        lines = []
        for line in tiny.model_to_string().split("\n"):
            key = line.split("=")[0]
            if key == "tree_sizes":
                continue
            lines.append(f"{key}=" + " ".join(map(str, fields[key])) if key in fields else line)
        self.model = lightgbm.Booster(model_str="\n".join(lines))

    def predict(self, x, y):
        y[:] = self.model.predict(x[:, None], num_threads=self.threads)


class Pandas:
    """cut and take; cut and groupby (count, mean, var)."""

    def __init__(self, edges, constants, threads):
        import pandas
        self.pandas = pandas
        self.edges = edges
        self.constants = constants.astype(np.float32)

    def segments(self, x):
        return self.pandas.cut(x, self.edges, right=False, labels=False)


class PandasPredict(Pandas):
    predicts = True

    def predict(self, x, y):
        np.take(self.constants, self.segments(x), out=y, mode="clip")


class PandasFit(Pandas):
    predicts = False

    def fit(self, x, y):
        self.result = self.pandas.Series(y).groupby(self.segments(x)).agg(["count", "mean", "var"])

    def moments(self):
        return spread_out(len(self.constants), self.result.index.to_numpy().astype(int),
                          self.result["count"].to_numpy(), self.result["mean"].to_numpy())


class Polars:
    """search_sorted and gather; search_sorted and group_by (len, mean, var). POLARS_MAX_THREADS, read when the package
    is imported, is its number of threads."""

    def __init__(self, edges, constants, threads):
        import polars
        self.polars = polars
        if polars.thread_pool_size() != threads:
            raise RuntimeError(f"polars runs {polars.thread_pool_size()} threads, not {threads}")
        self.cuts = polars.Series(edges[1:-1].astype(np.float32))
        self.constants = polars.Series(constants.astype(np.float32))

    def segments(self, x):
        return self.cuts.search_sorted(self.polars.Series(x), side="right")


class PolarsPredict(Polars):
    predicts = True

    def predict(self, x, y):
        y[:] = self.constants.gather(self.segments(x)).to_numpy()


class PolarsFit(Polars):
    predicts = False

    def fit(self, x, y):
        column = self.polars.col("y")
        frame = self.polars.DataFrame({"segment": self.segments(x), "y": y})
        self.result = frame.group_by("segment").agg(count=self.polars.len(), mean=column.mean(), var=column.var())

    def moments(self):
        return spread_out(len(self.constants), *(self.result[name].to_numpy() for name in ["segment", "count", "mean"]))


class Scipy:
    """binned_statistic, mean only."""
    predicts = False

    def __init__(self, edges, constants, threads):
        from scipy.stats import binned_statistic
        self.binned_statistic, self.edges = binned_statistic, edges

    def fit(self, x, y):
        self.means, _, self.segments = self.binned_statistic(x, y, "mean", bins=self.edges)

    def moments(self):
        return np.bincount(self.segments - 1, minlength=len(self.means)), self.means


class Torch:
    """bucketize and index."""
    predicts = True

    def __init__(self, edges, constants, threads):
        import torch
        self.torch, self.threads = torch, threads
        self.cuts = torch.from_numpy(edges[1:-1].astype(np.float32))
        self.constants = torch.from_numpy(constants.astype(np.float32))

    def predict(self, x, y):
        self.torch.set_num_threads(self.threads)
        segments = self.torch.bucketize(self.torch.from_numpy(x), self.cuts, right=True)
        self.torch.index_select(self.constants, 0, segments, out=self.torch.from_numpy(y))
