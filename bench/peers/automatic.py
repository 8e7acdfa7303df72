#!/usr/bin/env python3
"""How good is what `zcmoe fit` makes by default? Ten settings, several samples of each: the excess risk of its model
beside those of a cross-validated regression tree and of the best partition of the truth. Called by
scripts/bench-automatic; needs numpy, scipy and scikit-learn."""
import argparse
import concurrent.futures
import dataclasses
import datetime
import heapq
import json
import os
import subprocess
import sys
import tempfile
from typing import Callable

import numpy as np

FRESH = 200_000  # fresh inputs, at equal steps of probability
FOLDS = 5
ALLOWED = 1.03  # of the tree's excess risk
GRID = 6000  # bins of the oracle's partitions; every place of a jump is an edge of them
BEGIN = "<!-- automatic: begin (scripts/bench-automatic --report) -->"
END = "<!-- automatic: end -->"


# ---------------------------------------------------------------------------------------------- settings

@dataclasses.dataclass(frozen=True)
class Setting:
    """A relation, the distribution of its inputs as a quantile function, and its noise."""
    name: str
    words: str
    truth: Callable
    deviation: Callable  # of the noise, at x
    quantile: Callable = staticmethod(lambda u: u)
    draw: Callable = staticmethod(lambda rng, n: rng.standard_normal(n))  # noise of variance 1

    def sample(self, n, number):
        rng = np.random.default_rng([n, number, *self.name.encode()])
        x = self.quantile(rng.uniform(size=n))
        return x, self.truth(x) + self.deviation(x) * self.draw(rng, n)

    def fresh(self, count=FRESH):
        return self.quantile((np.arange(count) + 0.5) / count)


def steady(deviation):
    return lambda x: np.full_like(x, deviation)


def levels(x):
    return np.array([0.0, 2.0, -1.0, 0.5, 3.0, 1.0])[np.searchsorted([0.12, 0.3, 0.41, 0.66, 0.85], x, side="right")]


SETTINGS = [
    Setting("sine", "sin 2πx, σ = 0.3", lambda x: np.sin(2 * np.pi * x), steady(0.3)),
    Setting("high frequency", "sin 16πx, σ = 0.3", lambda x: np.sin(16 * np.pi * x), steady(0.3)),
    Setting("heteroscedastic", "sin 4πx, σ = 0.1 + 0.5 x", lambda x: np.sin(4 * np.pi * x), lambda x: 0.1 + 0.5 * x),
    Setting("plateau", "a ramp from 0.3 to 0.5 between two plateaus, σ = 0.2",
            lambda x: np.clip((x - 0.3) / 0.2, 0, 1), steady(0.2)),
    Setting("kink", "abs(x − 0.4), σ = 0.1", lambda x: np.abs(x - 0.4), steady(0.1)),
    Setting("jumps", "six levels, steps of 1.5 to 3, σ = 0.5", levels, steady(0.5)),
    Setting("step + sine", "sin 4πx, 1.5 more from 0.37 on, σ = 0.3",
            lambda x: np.sin(4 * np.pi * x) + 1.5 * (x >= 0.37), steady(0.3)),
    Setting("Cauchy x", "2 atan x / π, x Cauchy, σ = 0.2", lambda x: 2 / np.pi * np.arctan(x), steady(0.2),
            lambda u: np.tan(np.pi * (u - 0.5))),
    Setting("lognormal x", "x / (1 + x), x lognormal, σ = 0.1", lambda x: x / (1 + x), steady(0.1),
            lambda u: np.exp(normal_quantile(u))),
    Setting("heavy noise", "sin 3πx, noise of Student's t with 3 degrees of freedom, σ = 0.3",
            lambda x: np.sin(3 * np.pi * x), steady(0.3),
            draw=lambda rng, n: rng.standard_t(3, n) / np.sqrt(3)),
]


def normal_quantile(u):
    from scipy.special import ndtri
    return ndtri(u)


# ------------------------------------------------------------------------------------------------ oracle

def best_partition_of_truth(setting, n):
    """The least excess risk of a partition that knows the truth and has the means of n rows: over all partitions of a
    fine grid, the sum of what is lost by constants and of (variance within) / n a segment. Exact on the grid, where a
    price a segment is added up (Jackson et al. 2005)."""
    inside = 8
    x = setting.fresh(GRID * inside)
    values = setting.truth(x)
    noise = setting.deviation(x) ** 2

    def below(y):
        return np.concatenate([[0.0], np.cumsum(y.reshape(GRID, inside).mean(1))]) / GRID

    mean, square, variance = below(values - values.mean()), below((values - values.mean()) ** 2), below(noise)
    mass = np.arange(GRID + 1) / GRID
    least = np.zeros(GRID + 1)
    last = np.zeros(GRID + 1, int)
    for j in range(1, GRID + 1):
        p = mass[j] - mass[:j]
        error = np.maximum(square[j] - square[:j] - (mean[j] - mean[:j]) ** 2 / p, 0)
        cost = least[:j] + error + (variance[j] - variance[:j] + error) / p / n
        last[j] = np.argmin(cost)
        least[j] = cost[last[j]]
    segments, j = 0, GRID
    while j > 0:
        segments, j = segments + 1, last[j]
    return least[GRID], segments


# -------------------------------------------------------------------------------------------------- tree

class PrunedTree:
    """A grown scikit-learn tree and, for each node, the price a leaf from which on minimal cost-complexity pruning
    makes it a leaf (Breiman et al. 1984, chapter 3): the same trees as DecisionTreeRegressor(ccp_alpha=price)."""

    def __init__(self, x, y, smallest_leaf):
        from sklearn.tree import DecisionTreeRegressor
        self.grown = DecisionTreeRegressor(min_samples_leaf=smallest_leaf, random_state=0)
        self.grown.fit(x[:, None], y)
        tree = self.grown.tree_
        self.left, self.right, self.value = tree.children_left, tree.children_right, tree.value[:, 0, 0]
        self.parent = np.full(tree.node_count, -1)
        for children in (self.left, self.right):
            inner = children >= 0
            self.parent[children[inner]] = np.flatnonzero(inner)
        self.price = self._prices(tree.impurity * tree.weighted_n_node_samples / len(x))

    def _prices(self, risk):
        left, right, parent = self.left.tolist(), self.right.tolist(), self.parent.tolist()
        count = len(left)
        below, leaves = risk.tolist(), [1] * count
        for t in range(count - 1, -1, -1):  # children have larger numbers than their parents
            if left[t] >= 0:
                below[t] = below[left[t]] + below[right[t]]
                leaves[t] = leaves[left[t]] + leaves[right[t]]
        risk = risk.tolist()
        price = [np.inf if left[t] >= 0 else 0.0 for t in range(count)]
        link = [(risk[t] - below[t]) / (leaves[t] - 1) if left[t] >= 0 else np.inf for t in range(count)]
        heap = [(link[t], t) for t in range(count) if left[t] >= 0]
        heapq.heapify(heap)
        reached = 0.0
        while heap:
            weakest, t = heapq.heappop(heap)
            if price[t] < np.inf or weakest != link[t]:
                continue
            reached = max(reached, weakest)
            inside = [t]  # nothing below a leaf can become one later
            while inside:
                node = inside.pop()
                if left[node] >= 0 and price[node] == np.inf:
                    price[node] = reached
                    inside += [left[node], right[node]]
            gain, fewer = risk[t] - below[t], leaves[t] - 1
            node = t
            while node >= 0:
                below[node] += gain
                leaves[node] -= fewer
                if node != t:
                    link[node] = (risk[node] - below[node]) / (leaves[node] - 1)
                    heapq.heappush(heap, (link[node], node))
                node = parent[node]
        return np.array(price)

    def _above(self):
        return np.where(self.parent >= 0, self.price[self.parent], np.inf)

    def errors_at(self, prices, x, y):
        """The sum of squared errors of rows (x, y) for the tree pruned at each of some ascending prices."""
        count = len(self.value)
        leaf = self.grown.apply(x[:, None])
        rows = np.bincount(leaf, minlength=count).astype(float)
        sums = np.bincount(leaf, y, count)
        squares = np.bincount(leaf, y * y, count)
        for t in range(count - 1, 0, -1):
            up = self.parent[t]
            rows[up] += rows[t]
            sums[up] += sums[t]
            squares[up] += squares[t]
        error = squares - 2 * self.value * sums + self.value**2 * rows
        # A node is a leaf at prices from its own up to that of its parent.
        change = np.zeros(len(prices) + 1)
        np.add.at(change, np.searchsorted(prices, self.price), error)
        np.subtract.at(change, np.searchsorted(prices, self._above()), error)
        return np.cumsum(change)[:-1]

    def predict(self, price, x):
        answer = np.arange(len(self.value))
        above = self._above()
        for t in range(1, len(answer)):
            if above[t] <= price:
                answer[t] = answer[self.parent[t]]
        return self.value[answer[self.grown.apply(x[:, None])]]

    def leaves(self, price):
        return int(np.sum((self.price <= price) & (price < self._above())))


def tree_predictions(x, y, fresh):
    """Of the tree with the least 5-fold cross-validated error over prices a leaf and smallest leaves, grown again from
    all rows."""
    n = len(x)
    fold = np.random.default_rng(0).permutation(n) % FOLDS
    chosen = None
    for smallest_leaf in (1, 5) if n <= 20_000 else (5, 20):
        whole = PrunedTree(x, y, smallest_leaf)
        path = np.unique(whole.price[whole.price > 0])
        path = path[-400:]  # a tree of more leaves than this many prices fits noise
        prices = np.concatenate([[0.0], np.sqrt(path[:-1] * path[1:]), [path[-1] * 1.01]]) if len(path) else np.zeros(1)
        error = np.zeros(len(prices))
        for k in range(FOLDS):
            part = PrunedTree(x[fold != k], y[fold != k], smallest_leaf)
            error += part.errors_at(prices, x[fold == k], y[fold == k])
        best = int(np.argmin(error))
        if chosen is None or error[best] < chosen[0]:
            chosen = error[best], whole, prices[best]
    return chosen[1].predict(chosen[2], fresh), chosen[1].leaves(chosen[2])


# ------------------------------------------------------------------------------------------------- zcmoe

def zcmoe_predictions(zcmoe, x, y, fresh):
    with tempfile.TemporaryDirectory() as folder:
        names = {name: os.path.join(folder, name + ".npy") for name in ("x", "y", "fresh", "predicted")}
        model = os.path.join(folder, "model")
        np.save(names["x"], x)
        np.save(names["y"], y)
        np.save(names["fresh"], fresh)

        def run(*arguments):
            done = subprocess.run([zcmoe, *arguments], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"zcmoe {' '.join(arguments)}: {done.stderr}")
            return done.stdout

        said = json.loads(run("fit", names["x"], names["y"], "--json", "--output", model))
        run("predict", model, names["fresh"], "--quiet", "--output", names["predicted"])
        return np.load(names["predicted"]).ravel(), said


# ------------------------------------------------------------------------------------------------- study

def measure(job):
    zcmoe, setting_name, n, number = job
    setting = next(s for s in SETTINGS if s.name == setting_name)
    x, y = setting.sample(n, number)
    fresh = setting.fresh()
    truth = setting.truth(fresh)
    predicted, said = zcmoe_predictions(zcmoe, x, y, fresh)
    of_tree, leaves = tree_predictions(x, y, fresh)
    return {"setting": setting.name, "n": n, "sample": number, "zcmoe": float(np.mean((predicted - truth) ** 2)),
            "tree": float(np.mean((of_tree - truth) ** 2)), "leaves": leaves,
            "segments": said["segments"], "constants": said["constants_kind"]}


def run_study(zcmoe, settings, rows, samples, processes=2, verbose=False):
    import sklearn
    version = subprocess.run([zcmoe, "--version"], capture_output=True, text=True, check=True).stdout
    results = {"date": datetime.date.today().isoformat(), "build": version.strip(),
               "versions": f"numpy {np.__version__}, scikit-learn {sklearn.__version__}", "runs": []}
    results["oracle"] = [dict(zip(("excess", "segments"), best_partition_of_truth(s, n)), setting=s.name, n=n)
                         for n in rows for s in settings]
    jobs = [(zcmoe, s.name, n, number) for n in rows for s in settings for number in range(samples)]
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        for run in pool.map(measure, jobs):
            results["runs"].append(run)
            if verbose:
                print(run, file=sys.stderr, flush=True)
    return results


def merged(before, results):
    """The results, and those from before of settings and numbers of rows that were not measured again."""
    def key(entry):
        return entry["setting"], entry["n"]

    again = {key(entry) for entry in results["oracle"]}
    both = {name: [e for e in before[name] if key(e) not in again] + results[name] for name in ("oracle", "runs")}
    order = [s.name for s in SETTINGS]
    for entries in both.values():
        entries.sort(key=lambda e: (e["n"], order.index(e["setting"]), e.get("sample", 0)))
    return {**results, **both}


# ------------------------------------------------------------------------------------------------ report

def ratio_of_means(above, below):
    """The ratio of two paired means, and its standard error by the delta method."""
    ratio = np.mean(above) / np.mean(below)
    if len(above) < 2:
        return ratio, np.nan
    return ratio, np.std(above - ratio * below, ddof=1) / np.sqrt(len(above)) / np.mean(below)


def rows_of(results):
    """A row of the table for each setting and number of rows."""
    rows = []
    for oracle in results["oracle"]:
        runs = [r for r in results["runs"] if (r["setting"], r["n"]) == (oracle["setting"], oracle["n"])]
        of = {key: np.array([r[key] for r in runs]) for key in ("zcmoe", "tree", "segments", "leaves")}
        ratio, error = ratio_of_means(of["zcmoe"], of["tree"])
        to_oracle, oracle_error = ratio_of_means(of["zcmoe"], np.full(len(runs), oracle["excess"]))
        rows.append({"setting": oracle["setting"], "n": oracle["n"], "samples": len(runs), "zcmoe": of["zcmoe"].mean(),
                     "tree": of["tree"].mean(), "oracle": oracle["excess"], "to_tree": ratio, "to_tree_error": error,
                     "to_oracle": to_oracle, "to_oracle_error": oracle_error, "segments": np.median(of["segments"]),
                     "smooth": sum(r["constants"] == "smooth" for r in runs), "leaves": np.median(of["leaves"]),
                     "oracle_segments": oracle["segments"]})
    return rows


def block_of(results):
    """What stands between the marks of bench/README.md."""
    rows = rows_of(results)
    worse = [r for r in rows if r["to_tree"] > ALLOWED]
    below = sum(r["to_oracle"] < 1 for r in rows)
    lines = ["| setting | the relation (x uniform on [0, 1) unless said) and the noise |", "|---|---|"]
    lines += [f"| {s.name} | {s.words} |" for s in SETTINGS]
    lines += ["", f"{results['date']}; {results['build']}; {results['versions']}.", "",
              f"Worse than the tree by more than {100 * (ALLOWED - 1):.0f} %: {len(worse)} of {len(rows)} rows. "
              f"Below the best partition of the truth: {below} of {len(rows)}.", "",
              "| setting | n | samples | zcmoe | tree | best partition | zcmoe / tree | zcmoe / best partition | "
              "segments | smooth | leaves | best partition's |",
              "|---|---|---|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        cells = [r["setting"], f"{r['n']:,}", r["samples"]]
        cells += [f"{1e3 * r[key]:.3g}" for key in ("zcmoe", "tree", "oracle")]
        cells += [f"{r[key]:.3f} ± {r[key + '_error']:.3f}" for key in ("to_tree", "to_oracle")]
        cells += [f"{r['segments']:.0f}", r["smooth"], f"{r['leaves']:.0f}", r["oracle_segments"]]
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines)


def load(folder):
    with open(os.path.join(folder, "automatic.json"), encoding="utf-8") as file:
        return json.load(file)


def write_report(folder, readme):
    block = block_of(load(folder))
    if readme is None:
        print(block)
        return
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    with open(readme, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{block}\n{END}{rest.split(END)[1]}")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zcmoe", help="the command line to judge")
    parser.add_argument("--output", required=True, help="folder of automatic.json")
    parser.add_argument("--readme", help="write the tables into the marked block of this file, not to standard output")
    parser.add_argument("--rows", default="1000,10000,100000", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--samples", default=20, type=int)
    parser.add_argument("--settings", type=lambda text: text.split(","), help="some of the settings, by name")
    parser.add_argument("--processes", default=2, type=int)
    parser.add_argument("--verbose", action="store_true", help="say each sample's figures")
    parsed = parser.parse_args(arguments)
    unknown = set(parsed.settings or []) - {s.name for s in SETTINGS}
    if unknown:
        parser.error(f"--settings: there is no {', '.join(sorted(unknown))}")
    if min(parsed.rows) < FOLDS or parsed.samples < 1:
        parser.error(f"--rows takes numbers from {FOLDS}, --samples from 1")
    return parsed


def main(arguments):
    options = parse(arguments)
    if options.zcmoe:
        settings = [s for s in SETTINGS if options.settings is None or s.name in options.settings]
        results = run_study(options.zcmoe, settings, options.rows, options.samples, options.processes, options.verbose)
        os.makedirs(options.output, exist_ok=True)
        if os.path.exists(os.path.join(options.output, "automatic.json")):
            results = merged(load(options.output), results)
        with open(os.path.join(options.output, "automatic.json"), "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
    write_report(options.output, options.readme)


if __name__ == "__main__":
    main(sys.argv[1:])
