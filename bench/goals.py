#!/usr/bin/env python3
"""The CPU's goals and what was measured: python3 goals.py numbers.json avx2.json > a Markdown table.

numbers.json is what zcmoe-bench wrote, avx2.json the same with ZCMOE_CPU_TARGET=avx2; bench/README.md has both commands.
Goals against peers are judged by scripts/bench-peers and scripts/bench-several, those of the CUDA kernels by
tests/kernels/counting_test.py."""
import json
import sys

from table import medians

F32 = "f32/random/m:"


def share(name):
    return lambda run: run[name][1]


def nanoseconds(name):
    return lambda run: run[name][0]


def times(name, limit):
    return lambda run: run[name][0] / run[limit][0]


def call(m, n):
    return lambda run: run[f"cpu1/latency/{F32}{m}/n:{n}"][0] * n


def of_limit(name):
    """Time as a multiple of the limit's, measured beside it."""
    return lambda run: 100 / run[name][1]


# number, what, how it is measured, comparison, goal, unit
GOALS = (
    [(1, f"predict, m = {m}, one thread", share(f"cpu1/predict/{F32}{m}"), ">=", 90, "% of the copy") for m in (8, 64)] +
    [(1, "predict, m = 64, two threads", share(f"cpu/predict/{F32}64"), ">=", 95, "% of the copy"),
     (2, "predict, m = 256, one thread", share(f"cpu1/predict/{F32}256"), ">=", 75, "% of the copy"),
     (2, "predict, m = 256, two threads", share(f"cpu/predict/{F32}256"), ">=", 95, "% of the copy"),
     (3, "predict, m = 1,024", share(f"cpu1/predict/{F32}1024"), ">=", 65, "% of the copy"),
     (3, "predict, m = 4,096, one thread", share(f"cpu1/predict/{F32}4096"), ">=", 50, "% of the copy"),
     (3, "predict, m = 4,096, two threads", share(f"cpu/predict/{F32}4096"), ">=", 85, "% of the copy"),
     (3, "predict, m = 65,536", share(f"cpu1/predict/{F32}65536"), ">=", 30, "% of the copy"),
     (3, "predict, m = 1,048,576", share(f"cpu1/predict/{F32}1048576"), ">=", 10, "% of the copy"),
     (4, "predict, AVX2, m = 256", ("avx2", share(f"cpu1/predict/{F32}256")), ">=", 50, "% of the copy"),
     (4, "predict, AVX2, m = 1,024", ("avx2", share(f"cpu1/predict/{F32}1024")), ">=", 35, "% of the copy"),
     (7, "predict, clustered against random edges, m = 4,096",
      times("cpu1/predict/f32/clustered/m:4096", f"cpu1/predict/{F32}4096"), "<=", 1.15, "of the time"),
     (8, "predict, sorted against random inputs, m = 1,024",
      times("cpu1/predict/f32/sorted/m:1024", f"cpu1/predict/{F32}1024"), "<=", 1.1, "of the time"),
     (8, "predict, float64, m = 64", share("cpu1/predict/f64/random/m:64"), ">=", 50, "% of its copy"),
     (8, "predict, one row, m = 1,024", call(1024, 1), "<=", 100, "ns"),
     (8, "predict, 1,024 rows, m = 1,024", call(1024, 1024), "<=", 1000, "ns")] +
    [(9, f"fit, sorted, m = {m}", share(f"cpu1/fit/f32/sorted/m:{m}"), ">=", 90, "% of the read") for m in (64, 1024)] +
    [(9, f"fit, random, m = {m}", of_limit(f"cpu1/fit/{F32}{m}"), "<=", goal, "x the read") for m, goal in
     ((64, 3), (256, 3), (4096, 6))] +
    [(11, f"fit, 90 % of the rows in one segment, m = {m}",
      times(f"cpu1/fit/f32/hot/m:{m}", f"cpu1/fit/{F32}{m}"), "<=", 2, "of random") for m in (64, 256)] +
    [("", f"fit, exact sums against double ones, same routing, m = {m}",
      times(f"cpu1/fit/{F32}{m}", f"double/fit/{F32}{m}"), None, None, "of the time") for m in (64, 1024, 65536)] +
    [("", f"fit, default state against float32 state, m = {m:,}",
      times(f"cpu1/fit-default/{F32}{m}", f"cpu1/fit/{F32}{m}"), "<=", 1.15, "of the time")
     for m in (64, 1024, 65536, 1048576)] +
    [("", f"fit, with weights against without, m = {m:,}",
      times(f"cpu1/fit-weighted/{F32}{m}", f"cpu1/fit-default/{F32}{m}"), "<=", 2, "of the time")
     for m in (64, 1024, 65536)] +
    [row for op, state in (("fit", "float32"), ("fit-default", "default")) for m in (64, 1024, 4096, 65536, 1048576)
     for row in (
         ("", f"fit, {state} state, two threads, m = {m:,}",
          times(f"cpu1/{op}/{F32}{m}", f"cpu/{op}/{F32}{m}"), ">=", 1.7, "x one thread"),
         ("", f"the same work, two threads that share nothing, m = {m:,}",
          times(f"cpu1/{op}/{F32}{m}", f"apart/{op}/{F32}{m}"), None, None, "x one thread"))] +
    [("", f"predict, {d} inputs, {what}", share(f"cpu1/predict-{op}/{F32}{m}/d:{d}"), *goal, "% of the limit")
     for op, m, what, goal in (("grid", 1024, "grid of 1,024 cells", (">=", 60)),
                               ("grid", 65536, "grid of 65,536 cells", (None, None)),
                               ("sum", 64, "sum of tables of 64 codes", (">=", 50)),
                               ("sum", 253, "sum of tables of 253 codes", (None, None)),
                               ("score", 1024, "score of 64 codes, 1,024 segments", (None, None)))
     for d in (2, 4, 8)] +
    [("", f"predict, {d} inputs, {what}", nanoseconds(f"cpu1/predict-{op}/{F32}{m}/d:{d}"), None, None, "ns a row")
     for op, m, what in (("r0", 253, "tables of 253 codes and pair grids"), ("tree", 64, "tree of 64 leaves"),
                         ("tree", 1024, "tree of 1,024 leaves"), ("tree", 65536, "tree of 65,536 leaves"))
     for d in (4, 8)])


def table(runs):
    lines = ["| goal | | wanted | measured | met |", "|---|---|---|---|---|"]
    for number, what, measured, comparison, goal, unit in GOALS:
        where, measure = measured if isinstance(measured, tuple) else ("best", measured)
        value = measure(runs[where])
        wanted, met = "–", "–"
        if comparison:
            wanted = f"{'≥' if comparison == '>=' else '≤'} {goal:g} {unit}"
            met = "yes" if (value >= goal if comparison == ">=" else value <= goal) else "no"
        lines.append(f"| {number} | {what} | {wanted} | {value:.3g} {unit} | {met} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: goals.py numbers.json avx2.json")
    found = {}
    for key, path in zip(("best", "avx2"), sys.argv[1:]):
        with open(path, encoding="utf-8") as file:
            found[key] = medians(json.load(file))
    print(table(found))
