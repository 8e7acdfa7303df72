#!/usr/bin/env python3
"""How late do flights arrive? The last step of scripts/demo, run in its folder: a straight line and 100 boosted trees
learned from the rows that `zcmoe` learned from, all judged by the other rows; R² and the time of a prediction on one
thread. Of the line and the trees those that Python has the packages for: numpy, LightGBM.

    delays.py                      reads seen.csv, unseen.csv and the models; zcmoe is on the path
    delays.py --readme FILE        puts the table between the marks in this file too
"""
import argparse
import csv
import datetime
import importlib.util
import json
import os
import pathlib
import subprocess
import time

# Before numpy and LightGBM are loaded: a product of matrices takes one thread, and threads that wait sleep.
os.environ.update({"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "BLIS_NUM_THREADS": "1",
                   "OMP_WAIT_POLICY": "PASSIVE"})

REPETITIONS = 10  # of a prediction; the shortest counts
MODELS = {"zcmoe": "delays.safetensors", "zcmoe --budget-ns 20": "quick.safetensors"}
BEGIN, END = "<!-- delays: begin (scripts/demo --report) -->", "<!-- delays: end -->"


def column(file, name):
    with open(file, encoding="ascii", newline="") as rows:
        return [float(row[name]) for row in csv.DictReader(rows)]


def explained(answers, targets):
    """R²: one less the mean squared error over the variance."""
    mean = sum(targets) / len(targets)
    return 1 - sum((y - a) ** 2 for a, y in zip(answers, targets)) / sum((y - mean) ** 2 for y in targets)


def nanoseconds(predict, rows):
    """Of a row, by the seconds that each call of predict says it took."""
    return min(predict() for _ in range(REPETITIONS)) / rows * 1e9


def timed(predict):
    """In time of the processor: other work on the machine does not count against those beside zcmoe."""
    def call():
        start = time.thread_time()
        predict()
        return time.thread_time() - start
    return call


def of_zcmoe(model, targets):
    def predict():
        done = subprocess.run(["zcmoe", "predict", model, "unseen.csv", "--device", "cpu", "--threads", "1",
                               "--output", "answers.csv", "--json"], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)["seconds"]["predict"]

    time_of_row = nanoseconds(predict, len(targets))
    return explained(column("answers.csv", "prediction"), targets), time_of_row


def of_others(targets):
    """{model: (R², nanoseconds)}, from float64 rows in memory; the target is the last column."""
    import numpy as np

    def matrix(file):
        with open(file, encoding="ascii", newline="") as rows:
            next(rows)
            return np.array([[float(value or "nan") for value in row.split(",")] for row in rows])

    seen, unseen = matrix("seen.csv"), matrix("unseen.csv")[:, :-1]
    x, y = np.ascontiguousarray(seen[:, :-1]), seen[:, -1]
    unseen = np.ascontiguousarray(unseen)
    found = {}

    # A missing input is taken to be the mean; filling them in is not timed.
    means = np.nanmean(x, axis=0)
    filled = np.where(np.isnan(unseen), means, unseen) - means
    slopes = np.linalg.lstsq(np.where(np.isnan(x), means, x) - means, y - y.mean(), rcond=None)[0]
    found["straight line (numpy)"] = (explained(filled @ slopes + y.mean(), targets),
                                      nanoseconds(timed(lambda: filled @ slopes + y.mean()), len(targets)))

    if importlib.util.find_spec("lightgbm"):
        import lightgbm
        parameters = {"objective": "regression", "num_threads": os.cpu_count(), "verbosity": -1}
        start = time.perf_counter()
        trees = lightgbm.train(parameters, lightgbm.Dataset(x, y), 100)
        print(f"LightGBM learned its trees in {time.perf_counter() - start:.1f} s")
        found[f"100 boosted trees (LightGBM {lightgbm.__version__})"] = (
            explained(trees.predict(unseen, num_threads=1), targets),
            nanoseconds(timed(lambda: trees.predict(unseen, num_threads=1)), len(targets)))
    return found


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown processor"


def table(found):
    width = len(max(found, key=len))
    words = ["R², unseen flights", "ns a row, one thread"]
    lines = [f"| {'model':{width}} | {' | '.join(words)} |",
             f"|{'-' * (width + 2)}|" + "".join(f"{'-' * (len(word) + 1)}:|" for word in words)]
    for name, (r_squared, time_of_row) in found.items():
        lines.append(f"| {name:{width}} | {r_squared:{len(words[0])}.3f} | {time_of_row:{len(words[1])},.0f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readme", type=pathlib.Path)
    readme = parser.parse_args().readme
    load = os.getloadavg()[0]
    missing = [package for package in ("numpy", "lightgbm") if not importlib.util.find_spec(package)]
    targets = column("unseen.csv", "arr_delay")
    found = {} if "numpy" in missing else of_others(targets)
    for name, model in MODELS.items():
        found[name] = of_zcmoe(model, targets)
    lines = table(found)
    print("\n".join(lines))
    if missing:
        others = ["a straight line"] * ("numpy" in missing) + ["100 boosted trees"]
        print(f"not beside it: {' and '.join(others)}, for which Python lacks {' and '.join(missing)} "
              f"(pip install {' '.join(missing)})")
    if readme:
        lines += ["", f"{cpu_name()}, {os.cpu_count()} cores, {datetime.date.today()}, load average {load:.1f}: the shortest "
                  f"of {REPETITIONS} predictions of {len(targets):,} rows that lie in memory as float64; of zcmoe by the clock, "
                  "of the others in processor time."]
        before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
        readme.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
