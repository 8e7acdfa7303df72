#!/usr/bin/env python3
"""Draws what zcmoe-experiments wrote and writes docs/experiments.md: draw.py RESULTS DOCS

RESULTS has the CSV files and figures.json; PNGs go there too. DOCS gets experiments.md and figures/*.svg. The same
results give the same bytes."""
import csv
import json
import math
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the backend is chosen)

plt.rcParams.update({
    "svg.hashsalt": "zcmoe", "figure.constrained_layout.use": True, "figure.dpi": 110, "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
    "legend.frameon": False, "legend.fontsize": 8, "axes.titlesize": 9.5, "lines.linewidth": 1.3,
})
COLOURS = {"uniform": "#c1570c", "optimal": "#1a5fa8", "from data": "#2a8a4a"}
SETTINGS = ["s1", "s2", "s3", "s4", "s5", "s6", "s7"]
CYCLE = ["#1a5fa8", "#c1570c", "#2a8a4a", "#8a3ab0", "#b0892a", "#c03060", "#4a4a4a"]


def number(text):
    try:
        return float(text)
    except ValueError:
        return text


def read(name):
    with open(os.path.join(RESULTS, name + ".csv"), encoding="utf-8", newline="") as file:
        return [{key: number(value) for key, value in row.items()} for row in csv.DictReader(file)]


def where(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def column(rows, key):
    return [row[key] for row in rows]


def save(figure, name):
    figure.savefig(os.path.join(RESULTS, name + ".png"))
    figure.savefig(os.path.join(DOCS, "figures", name + ".svg"), metadata={"Date": None})
    plt.close(figure)


def points(axes, rows, x, colour, label=None, **style):
    axes.errorbar(column(rows, x), column(rows, "measured"),
                  yerr=[2 * row["standard_error"] for row in rows], fmt="o", markersize=3.5, elinewidth=1,
                  capsize=1.5, color=colour, label=label, **style)


def whole(value):
    return f"{int(value):,}"


def with_error(value, error):
    """0.0833(4) in the long form: the digits that the error leaves."""
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(error) or error <= 1e-12:
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


# ----------------------------------------------------------------- E1

def optimal_density():
    curves, cells, powers = read("density"), read("segments"), read("exponents")
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.6))
    x = column(curves, "x")
    cuts = {kind: column(where(cells, segmentation=kind), "left") + [1.0] for kind in ("uniform", "optimal")}
    axes[0][0].plot(x, column(curves, "p"), color="k")
    axes[0][0].set(title="input density", ylabel="p(x)")
    axes[0][1].plot(x, column(curves, "error_density"), color="k")
    axes[0][1].set(title="what a segment of given width costs", ylabel="p(x) β′(x)²")
    axes[0][2].plot(x, column(curves, "optimal_density"), color=COLOURS["optimal"], label="λ*")
    axes[0][2].plot([0, 1], [1, 1], color=COLOURS["uniform"], label="uniform")
    axes[0][2].vlines(cuts["optimal"], 0, 0.12, color=COLOURS["optimal"], linewidth=1)
    axes[0][2].set(title="segment density; marks: 16 segments", ylabel="λ(x)", ylim=(0, 2.9))
    axes[0][2].legend(loc="upper right", ncol=2)
    for place, kind in ((axes[1][0], "uniform"), (axes[1][1], "optimal")):
        mine = where(cells, segmentation=kind)
        place.plot(x, column(curves, "b"), color="0.6", label="β")
        place.stairs(column(mine, "learned"), cuts[kind], baseline=None, color=COLOURS[kind], label="learned")
        place.plot([(row["left"] + row["right"]) / 2 for row in mine], column(mine, "constant"), "k.", markersize=4,
                   label="theory")
        place.set(title=f"16 {kind} segments", ylabel="y", ylim=(-1.2, 1.75))
        place.legend(loc="upper center", ncol=3, columnspacing=1, handlelength=1.2)
    for place in list(axes[0]) + [axes[1][0], axes[1][1]]:
        place.set_xlabel("x")
    place = axes[1][2]
    place.plot(column(powers, "power"), column(powers, "exact"), color="k", label="exact")
    points(place, powers, "power", COLOURS["optimal"], "measured")
    place.axvline(1 / 3, color="0.5", linestyle=":", label="1/3")
    place.set(title="256 segments, λ ∝ (p β′²)$^a$", xlabel="exponent a",
              ylabel="error / high-rate optimum")
    place.legend(loc="upper center", frameon=True, edgecolor="none", framealpha=1)
    save(figure, "optimal-density")


# ----------------------------------------------------------------- E2

def error_against_m(relations):
    rows = read("error_against_m")
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6))
    for kind in ("uniform", "optimal"):
        mine = where(rows, setting="s6", segmentation=kind)
        axes[0].plot(column(mine, "m"), column(mine, "high_rate"), "--", color=COLOURS[kind], linewidth=1,
                     label=f"{kind}: coefficient / 12m²")
        axes[0].plot(column(mine, "m"), column(mine, "exact"), color=COLOURS[kind], label=f"{kind}: exact")
        points(axes[0], mine, "m", COLOURS[kind], f"{kind}: measured")
    axes[0].set(xscale="log", yscale="log", title="s6: cos 4πx", xlabel="segments m", ylabel="test error without noise")
    axes[0].legend(fontsize=7)
    for place, kind in ((axes[1], "uniform"), (axes[2], "optimal")):
        for name, colour in zip(SETTINGS, CYCLE):
            mine = where(rows, setting=name, segmentation=kind)
            scaled = [dict(row, measured=row["measured"] * row["m"] ** 2 / row["coefficient"],
                           standard_error=row["standard_error"] * row["m"] ** 2 / row["coefficient"]) for row in mine]
            place.plot(column(mine, "m"), [row["exact"] * row["m"] ** 2 / row["coefficient"] for row in mine],
                       color=colour, linewidth=1)
            points(place, scaled, "m", colour, name)
        place.axhline(1 / 12, color="k", linestyle=":", linewidth=1)
        place.text(1.01, 1 / 12, "1/12", transform=place.get_yaxis_transform(), va="center")
        place.set(xscale="log", title=f"{kind} segments", xlabel="segments m",
                  ylabel="error · m² / coefficient", ylim=(0.055, 0.145))
        place.legend(ncol=4, loc="upper right", columnspacing=0.8, handlelength=1)
    save(figure, "error-against-m")
    table = []
    for name in SETTINGS:
        line = [name, *relations[name]]
        for kind in ("uniform", "optimal"):
            row = where(rows, setting=name, segmentation=kind, m=1024.0)[0]
            unit = row["coefficient"] / row["m"] ** 2
            line += [f"{row['coefficient']:.6g}",
                     with_error(unit / row["measured"],
                                row["standard_error"] / row["measured"] * unit / row["measured"])]
        table.append(line)
    return markdown(["", "β", "p", "U", "U / (m² error)", "O", "O / (m² error)"], table)


# ----------------------------------------------------------------- E3

def best_number():
    curve, best = read("risk"), read("best_number")
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.6), sharey="row")
    for row_of_axes, kind in zip(axes, ("uniform", "optimal")):
        for place, trials in ((row_of_axes[0], [(1000, 0.3), (10000, 0.3), (100000, 0.3)]),
                              (row_of_axes[1], [(10000, 0.1), (10000, 0.3), (10000, 1.0)])):
            for (n, sigma), colour in zip(trials, CYCLE):
                mine = where(curve, segmentation=kind, n=float(n), sigma=sigma)
                text = f"n = {n:,}" if place is row_of_axes[0] else f"σ = {sigma:g}"
                place.plot(column(mine, "m"), column(mine, "exact"), color=colour)
                points(place, mine, "m", colour, text)
                found = where(best, segmentation=kind, n=float(n), sigma=sigma)[0]
                low = min(column(mine, "exact"))
                place.plot([found["predicted"]], [low * 0.62], "v", color=colour, markersize=6)
                place.plot([found["measured"]], [low * 0.45], "^", color=colour, markersize=6, fillstyle="none")
            what = "σ = 0.3" if place is row_of_axes[0] else "n = 10,000"
            place.set(xscale="log", yscale="log", title=f"{kind} segments, {what}", xlabel="segments m",
                      ylabel="excess risk (test error − σ²)")
            place.tick_params(labelleft=True)
            place.plot([], [], "kv", label="m* predicted")
            place.plot([], [], "k^", fillstyle="none", label="m* measured")
            place.legend(ncol=2, loc="upper right")
            low, high = place.get_ylim()
        row_of_axes[0].set_ylim(low, high * 4)
    save(figure, "best-number")
    return markdown(
        ["segments", "n", "σ", "m* predicted", "m* exact", "m* measured", "excess at the predicted / least"],
        [[row["segmentation"], whole(row["n"]), f"{row['sigma']:g}", f"{row['predicted']:.1f}", whole(row["exact"]),
          with_error(row["measured"], row["standard_error"]), f"{row['ratio_at_predicted']:.4f}"] for row in best])


# ----------------------------------------------------------------- E4

def estimation_error():
    rows = read("estimation")
    names = list(dict.fromkeys(column(rows, "policy")))
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for k, (name, colour) in enumerate(zip(names, CYCLE)):
        mine = [dict(row, load=row["n"] / 32) for row in where(rows, policy=name)]
        axes[0].plot(column(mine, "load"), column(mine, "exact"), color=colour, linewidth=1)
        points(axes[0], mine, "load", colour, name)
        shifted = [dict(row, load=row["load"] * 1.06 ** (k - 2), measured=row["measured"] / row["exact"],
                        standard_error=row["standard_error"] / row["exact"]) for row in mine]
        points(axes[1], shifted, "load", colour, name)
    mine = where(rows, policy=names[0])
    axes[0].plot([row["n"] / 32 for row in mine], column(mine, "leading"), "k--", linewidth=1, label="Σ vᵢ / n")
    axes[0].set(xscale="log", yscale="log", xlabel="samples a segment, n / m", ylabel="estimation error",
                title="s4: exp 3x, Beta(2, 5), 32 uniform segments, σ = 0.5")
    axes[0].legend(title="empty segments answer")
    axes[1].axhline(1, color="k", linewidth=1)
    axes[1].set(xscale="log", xlabel="samples a segment, n / m", ylabel="measured / exact (5.1)",
                title="bars: 2 standard errors")
    axes[1].legend(ncol=3, loc="upper left")
    low, high = axes[1].get_ylim()
    axes[1].set_ylim(low, high + 0.25 * (high - low))
    save(figure, "estimation-error")
    table = []
    for n in sorted(set(column(rows, "n"))):
        line = [whole(n), f"{n / 32:.4g}", f"{where(rows, n=n)[0]['leading']:.4g}"]
        for name in names:
            row = where(rows, n=n, policy=name)[0]
            line.append(f"{row['exact']:.4g}; {with_error(row['measured'], row['standard_error'])}")
        table.append(line)
    return markdown(["n", "n / m", "Σ vᵢ / n"] + names, table)


# ----------------------------------------------------------------- E5

def break_condition():
    gaps, breaks = read("gaps"), read("breaks")
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True)
    for place, kind in zip(axes, ("uniform", "optimal")):
        for name, colour in zip(SETTINGS[1:], CYCLE):
            mine = [row for row in where(gaps, setting=name, segmentation=kind) if row["m"] >= 2]
            place.plot(column(mine, "m"), [abs(row["exact"]) for row in mine], color=colour, linewidth=1, label=name)
            seen = [row for row in mine if abs(row["exact"]) > 3 * row["standard_error"]]
            place.plot(column(seen, "m"), [abs(row["measured"]) for row in seen], "o", markersize=2.4, color=colour)
            row = where(breaks, setting=name, segmentation=kind)[0]
            place.plot([row["exact"]], [0.05], "|", markersize=14, markeredgewidth=2, color=colour)
            if math.isfinite(row["estimate"]):
                place.plot([row["estimate"]], [0.05], "x", markersize=6, color=colour)
        place.axhline(0.05, color="k", linestyle=":", linewidth=1)
        place.text(118, 0.054, "5 %", ha="right")
        place.plot([], [], "k|", markersize=11, markeredgewidth=2, label="m₅%")
        place.plot([], [], "kx", label="estimate")
        place.set(xscale="log", yscale="log", xlim=(1.9, 120), ylim=(1e-3, 3), xlabel="segments m",
                  ylabel="|gap| = |12 m² error / coefficient − 1|", title=f"{kind}: lines exact, dots measured")
        place.tick_params(labelleft=True)
        place.legend(ncol=4, loc="upper right", columnspacing=1)
    save(figure, "break-condition")
    table = []
    for name in SETTINGS:
        line = [name]
        for kind in ("uniform", "optimal"):
            row = where(breaks, setting=name, segmentation=kind)[0]
            estimate = f"{row['estimate']:.1f}" if math.isfinite(row["estimate"]) else "–"
            line += [whole(row["exact"]), whole(row["measured"]), estimate]
        table.append(line)
    return markdown(["", "uniform: exact", "measured", "estimate", "optimal: exact", "measured", "estimate"], table)


# ----------------------------------------------------------------- E6

def optimal_against_uniform():
    rows = read("ratios")
    names = list(dict.fromkeys(column(rows, "setting")))
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), sharey=True)
    for place, n in zip(axes, sorted(set(column(rows, "n")))):
        mine = [dict(row, place=names.index(row["setting"])) for row in where(rows, n=n)]
        at = column(mine, "place")
        place.axhline(1, color="k", linewidth=1)
        place.hlines(column(mine, "high_rate"), [k - 0.35 for k in at], [k + 0.35 for k in at], color="0.5",
                     label="high rate, ∛(O/U)")
        points(place, mine, "place", COLOURS["optimal"], "known p and β, measured")
        place.plot(at, column(mine, "exact"), "_", markersize=9, color=COLOURS["optimal"], label="known, exact")
        learned = [dict(row, place=row["place"] + 0.22, measured=row["from_data"],
                        standard_error=row["from_data_error"]) for row in mine if math.isfinite(row["from_data"])]
        if learned:
            points(place, learned, "place", COLOURS["from data"], "cuts learned from the data")
        place.set(title=f"n = {int(n):,}", xlabel="setting", ylim=(0.2, 3.2), yscale="log",
                  ylabel="excess risk / that of uniform cuts")
        place.set_yticks([0.25, 0.5, 1, 2], ["0.25", "0.5", "1", "2"])
        place.minorticks_off()
        place.tick_params(labelleft=True)
        place.set_xticks(range(len(names)), names)
        points(place, [], "place", COLOURS["from data"], None if learned else "cuts learned from the data")
    axes[2].legend(loc="upper left")
    save(figure, "optimal-against-uniform")
    return markdown(
        ["", "σ", "n", "best m uniform", "best m optimal", "∛(O/U)", "exact", "measured", "cuts learned from the data"],
        [[row["setting"], f"{row['sigma']:g}", whole(row["n"]), whole(row["m_uniform"]), whole(row["m_optimal"]),
          f"{row['high_rate']:.3f}", f"{row['exact']:.3f}", with_error(row["measured"], row["standard_error"]),
          with_error(row["from_data"], row["from_data_error"])] for row in rows])


# ----------------------------------------------------------------- E7

def automatic_number(relations):
    rows = read("automatic")
    names = list(dict.fromkeys(column(rows, "setting")))
    kinds = list(dict.fromkeys((row["segmentation"], row["n"]) for row in rows))
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8))
    for k, ((kind, n), colour) in enumerate(zip(kinds, CYCLE)):
        text = f"{kind}, n = {int(n):,}"
        mine = [dict(row, measured=row["ratio"], place=names.index(row["setting"]) + 0.18 * (k - 1))
                for row in where(rows, segmentation=kind, n=n)]
        points(axes[0], mine, "place", colour, text)
        axes[1].plot(column(mine, "place"), [row["automatic"] / row["oracle"] for row in mine], "o", markersize=4,
                     color=colour, label=text)
    for place in axes:
        place.axhline(1, color="k", linewidth=1)
        place.set_xticks(range(len(names)), names)
        place.set_xlabel("setting (f1–f4: of this experiment only)")
    low, high = axes[0].get_ylim()
    axes[0].set(ylabel="excess risk / that with the best m", title="what choosing m by plan costs",
                ylim=(low, high + 0.3 * (high - low)))
    axes[0].legend(loc="upper left")
    axes[1].set(ylabel="m chosen / best m", title="the m itself", ylim=(0.5, 1.6))
    axes[1].legend(loc="upper left")
    save(figure, "automatic-number")
    averages = []
    for kind, n in kinds:
        mine = where(rows, segmentation=kind, n=n)
        fresh = [row["ratio"] for row in mine if row["setting"].startswith("f")]
        averages.append([kind, whole(n), f"{sum(fresh) / len(fresh):.3f}",
                         f"{sum(column(mine, 'ratio')) / len(mine):.3f}", f"{max(column(mine, 'ratio')):.3f}"])
    table = [[row["setting"], *relations[row["setting"]], f"{row['sigma']:g}", row["segmentation"], whole(row["n"]),
              whole(row["oracle"]), with_error(row["automatic"], row["automatic_error"]),
              with_error(row["ratio"], row["standard_error"]), f"{row['predicted']:.2f}"] for row in rows]
    return (markdown(["segments", "n", "mean ratio, f1–f4", "mean ratio, all", "largest"], averages),
            markdown(["", "β", "p", "σ", "segments", "n", "best m", "m chosen", "excess / that at the best m",
                      "excess predicted / had"], table))


# ----------------------------------------------------------------- E8

def renamed(rows, name, **more):
    """Rows whose column `name` is what is measured."""
    return [dict(row, measured=row[name], standard_error=row[name + "_error"], **more) for row in rows]


def learned_cuts():
    rows, noise = read("cut_prices"), read("cuts_on_noise")
    names = list(dict.fromkeys(column(rows, "setting")))
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.9))
    least = min(column(rows, "n"))
    for k, (name, colour) in enumerate(zip(names, CYCLE)):
        aside = 1.03 ** (2 * k - 3)
        several = sorted(column(where(rows, setting=name, n=least), "m"))
        at_best = [row for row in where(rows, setting=name) if row["n"] != least or row["m"] == several[1]]
        sizes = [dict(row, share=row["m"] / several[1]) for row in where(rows, setting=name, n=least)]
        for place, mine, x in ((axes[0], at_best, "n"), (axes[1], sizes, "share")):
            mine = [dict(row, **{x: row[x] * aside}) for row in mine]
            place.plot(column(mine, x), column(mine, "expected"), "--", color=colour, linewidth=1)
            place.plot(column(mine, x), column(mine, "raw_law"), ":", color=colour, linewidth=1)
            points(place, renamed(mine, "learned"), x, colour, name)
            points(place, renamed(mine, "raw"), x, colour, fillstyle="none")
    axes[0].set(xlabel="samples n", title="best m of the truth")
    axes[1].set(xlabel="m / best m", title=f"n = {int(least):,}")
    for place in axes[:2]:
        place.set(xscale="log", yscale="log", ylim=(0.6, 30),
                  ylabel="excess risk / that on known cuts")
        place.set_yticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        place.minorticks_off()
        place.legend(ncol=2, title="full: learned; hollow: raw rows", title_fontsize=8)
    axes[0].set_xticks(sorted(set(column(rows, "n"))), [whole(n) for n in sorted(set(column(rows, "n")))])
    axes[1].set_xticks([0.5, 1, 2], ["½", "1", "2"])
    axes[2].plot(column(noise, "m"), column(noise, "parameters"), ":", color="k", label="law of raw rows")
    points(axes[2], renamed(noise, "raw"), "m", COLOURS["uniform"], "raw rows", fillstyle="none")
    points(axes[2], renamed(noise, "pilot"), "m", COLOURS["from data"], "learned")
    axes[2].axhline(1, color="k", linestyle="--", linewidth=1, label="known cuts")
    axes[2].set(xlabel="segments m", ylim=(0, 9), title="noise alone, n = 1,000",
                ylabel="effective parameters a segment")
    axes[2].legend(ncol=2)
    save(figure, "learned-cuts")

    def entry(row, name):
        return with_error(row[name], row[name + "_error"])

    return (markdown(["", "n", "m", "σ²m / n", "on known cuts, exact", "measured / exact", "learned cuts / exact",
                      "expected", "raw rows / exact", "law of raw rows"],
                     [[row["setting"], whole(row["n"]), whole(row["m"]), f"{row['law']:.3g}", f"{row['exact']:.3g}",
                       entry(row, "known"), entry(row, "learned"), with_error(row["expected"], 0).replace("nan", "–"),
                       entry(row, "raw"), f"{row['raw_law']:.2f}"] for row in rows]),
            markdown(["m", "law of raw rows", "raw rows", "learned cuts"],
                     [[whole(row["m"]), f"{row['parameters']:.2f}", entry(row, "raw"), entry(row, "pilot")]
                      for row in noise]))


# ----------------------------------------------------------------- E9

def kinds_of_experts():
    rows, evens, jumps = read("kinds_errors"), read("break_even"), read("kinds_at_jump")
    names = list(dict.fromkeys(column(rows, "experts")))
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.9))
    for place, (setting, kind) in zip(axes, (("s3", "uniform"), ("e1", "uniform"), ("e1", "optimal"))):
        for name, colour in zip(names, CYCLE):
            mine = where(rows, setting=setting, segmentation=kind, experts=name)
            place.plot(column(mine, "values"), column(mine, "high_rate"), "--", color=colour, linewidth=1)
            place.plot(column(mine, "values"), column(mine, "exact"), color=colour, linewidth=1)
            points(place, mine, "values", colour, name)
            for even in where(evens, setting=setting, experts=name) if kind == "uniform" else []:
                place.axvline(even["law"], color=colour, linestyle=":", linewidth=1)
        place.set(xscale="log", yscale="log", xlabel="stored values", ylabel="test error without noise",
                  title=f"{setting}, {kind}; dashed: law")
        place.legend(loc="lower left")
    save(figure, "kinds-of-experts")
    table = []
    for name in names:
        line = [name]
        for setting, kind in (("s3", "uniform"), ("e1", "uniform"), ("e1", "optimal")):
            row = where(rows, setting=setting, segmentation=kind, experts=name, m=128.0)[0]
            line.append(f"{row['exact'] / row['high_rate']:.4f}; "
                        + with_error(row["measured"] / row["high_rate"], row["standard_error"] / row["high_rate"]))
        for m in (128.0, 127.0):
            row = where(jumps, experts=name, m=m)[0]
            line.append(f"{row['law']:.5f}; {row['exact']:.5f}")
        table.append(line)
    return (markdown(["experts", "s3 uniform, m = 128", "e1 uniform", "e1 optimal", "jump on an edge: law; exact",
                      "jump in the middle: law; exact"], table),
            markdown(["", "experts", "law", "from errors at 128 values", "better from there on in fact"],
                     [[row["setting"], row["experts"], f"{row['law']:.4f}", f"{row['far']:.4f}", whole(row["crossing"])]
                      for row in evens]))


def best_number_of_kinds():
    bests = read("kinds_best")
    names, settings = (list(dict.fromkeys(column(bests, key))) for key in ("experts", "setting"))
    figure, axes = plt.subplots(2, 3, figsize=(10, 6.4), sharey="row")
    for above, below, setting in zip(*axes, settings):
        for name, colour in zip(names, CYCLE):
            mine = where(bests, setting=setting, experts=name)
            above.plot(column(mine, "n"), column(mine, "predicted"), "--", color=colour, linewidth=1)
            below.plot(column(mine, "n"), column(mine, "predicted_excess"), "--", color=colour, linewidth=1)
            points(above, mine, "n", colour, name)
            points(below, renamed(mine, "excess"), "n", colour, name)
        above.set(title={"s3": "s3: sin 2πx", "e1": "e1: exp 3x", "e2": "e2: sin 2πx and a jump"}[setting],
                  ylabel="best number of segments m*")
        below.set(ylabel="excess risk at m*")
        for place in (above, below):
            place.set(xscale="log", yscale="log", xlabel="samples n")
            place.tick_params(labelleft=True)
    axes[0][0].set_ylim(bottom=4)
    axes[0][0].legend(loc="upper left")
    save(figure, "best-number-of-kinds")
    return markdown(["", "experts", "n", "m* law", "m* measured", "excess law", "excess measured"],
                    [[row["setting"], row["experts"], whole(row["n"]), f"{row['predicted']:.1f}",
                      with_error(row["measured"], row["standard_error"]), f"{row['predicted_excess']:.3g}",
                      with_error(row["excess"], row["excess_error"])] for row in bests])


# ----------------------------------------------------------------- E10

def product_grids():
    rows, risks, bests = read("grid_errors"), read("grid_risk"), read("grid_best")
    names = list(dict.fromkeys(column(rows, "setting")))
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.9))
    for name, colour in zip(names, CYCLE):
        mine = where(rows, setting=name)
        axes[0].plot(column(mine, "m"), column(mine, "bound"), ":", color=colour, linewidth=1)
        axes[0].plot(column(mine, "m"), column(mine, "high_rate"), "--", color=colour, linewidth=1)
        points(axes[0], mine, "m", colour, name)
        scaled = [dict(row, measured=row["measured"] / row["high_rate"],
                       standard_error=row["standard_error"] / row["high_rate"]) for row in mine]
        axes[1].plot(column(mine, "m"), [row["exact"] / row["high_rate"] for row in mine], color=colour, linewidth=1)
        points(axes[1], scaled, "m", colour, name)
        mine, best = where(risks, setting=name), where(bests, setting=name)[0]
        axes[2].plot(column(mine, "m"), column(mine, "exact"), color=colour, linewidth=1)
        points(axes[2], mine, "m", colour, name)
        low = min(column(mine, "exact"))
        axes[2].plot([best["predicted"]], [low * 0.62], "v", color=colour, markersize=6)
        axes[2].plot([best["measured"]], [low * 0.45], "^", color=colour, markersize=6, fillstyle="none")
    axes[0].set(xscale="log", yscale="log", ylabel="test error without noise",
                title="dashed: high rate (7.2); dotted: bound (7.1)")
    axes[1].axhline(2, color="k", linestyle=":", linewidth=1, label="the bound")
    axes[1].axhline(1, color="k", linestyle="--", linewidth=1)
    axes[1].set(xscale="log", ylabel="error / high-rate error", title="lines: exact", ylim=(0.4, 2.2))
    axes[2].plot([], [], "kv", label="m* predicted")
    axes[2].plot([], [], "k^", fillstyle="none", label="m* measured")
    axes[2].set(xscale="log", yscale="log", ylabel="excess risk", title="n = 10,000, σ = 0.3; lines: exact")
    for place in axes:
        place.set_xlabel("cells m = k²")
        place.legend(loc="upper right" if place is axes[2] else "best")
    save(figure, "product-grids")
    return (markdown(["", "m (S₁ + S₂) / 12", "m error at m = 1,024", "m times the bound", "m times the high-rate error"],
                     [[row["setting"], f"{row['coefficient']:.6f}",
                       with_error(row["m"] * row["measured"], row["m"] * row["standard_error"]),
                       f"{row['m'] * row['bound']:.6f}", f"{row['m'] * row['high_rate']:.6f}"]
                      for row in rows if row["m"] == max(column(rows, "m"))]),
            markdown(["", "m* predicted", "best of the m tried, exact", "m* measured"],
                     [[row["setting"], f"{row['predicted']:.1f}", whole(row["exact"]),
                       with_error(row["measured"], row["standard_error"])] for row in bests]))


# ----------------------------------------------------------------- E11

def rates_by_geometry():
    rows, exponents = read("geometry"), read("geometry_exponents")
    names = list(dict.fromkeys(column(rows, "shape")))
    figure, place = plt.subplots(figsize=(5.6, 4.2))
    for name, colour in zip(names, CYCLE):
        mine = where(rows, shape=name)
        points(place, mine, "m", colour, name)
        place.plot(column(mine, "m"), column(mine, "measured"), color=colour, linewidth=1)
    place.plot(column(mine, "m"), column(mine, "limit"), "k--", linewidth=1, label="level sets (limit)")
    place.set(xscale="log", yscale="log", xlabel="segments m", ylabel="test error without noise")
    place.legend()
    save(figure, "shapes-of-segments")
    table = []
    for name in names:
        slope = where(exponents, shape=name)
        mine = where(rows, shape=name)
        table.append([name, f"{slope[0]['expected']:.2f}" if slope else "",
                      with_error(slope[0]["measured"], slope[0]["standard_error"]) if slope else ""] +
                     [f"{row['measured']:.3g}" for row in mine])
    table.append(["level sets (limit)", "-2.00", ""] + [f"{row['limit']:.3g}" for row in mine])
    return markdown(["", "exponent", "measured"] + [f"m = {whole(row['m'])}" for row in mine], table)


# ----------------------------------------------------------------- E12

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "results", "several.json")
DRAWN_PEERS = {"LightGBM 100": "s", "XGBoost 100": "D", "CatBoost 100": "P", "EBM": "*", "scikit-learn 1": "x"}
FLIGHTS = ["flights, arrival delay", "flights, air time"]


def peers_over_rows():
    """{table: {model: [(n, error)]}} of what scripts/bench-several measured, nothing where it did not."""
    if not os.path.exists(PEERS):
        return {}
    with open(PEERS, encoding="utf-8") as file:
        results = json.load(file)["results"]
    found = {}
    for r in results:
        table = next((name for name in FLIGHTS if r["table"].startswith(name)), r["table"].split(",")[0])
        found.setdefault(table, {}).setdefault(r["model"], []).append((r["rows"], r["error"]))
    return {table: {model: sorted(series) for model, series in models.items()} for table, models in found.items()}


def learned_models():
    rows, others = read("learned_models"), peers_over_rows()
    names, kinds, sizes = (list(dict.fromkeys(column(rows, key))) for key in ("function", "kind", "n"))
    flights = [name for name in FLIGHTS if name in others]
    columns = 3 if flights else 2
    figure, axes = plt.subplots(2, columns, figsize=(3.6 * columns, 7), squeeze=False)
    panels = names + flights
    for place, name in zip(axes.flat, panels):
        for kind, colour in zip(kinds, CYCLE):
            mine = where(rows, function=name, kind=kind)
            if mine:
                points(place, mine, "n", colour, kind)
                place.plot(column(mine, "n"), column(mine, "measured"), color=colour, linewidth=1)
            elif (series := others.get(name, {}).get("zcmoe" if kind == "auto" else f"zcmoe {kind}")):
                place.plot(*zip(*series), "o-", color=colour, markersize=3.5, linewidth=1, label=kind)
        for model, marker in DRAWN_PEERS.items():
            series = others.get(name, {}).get(model, [])
            if series:
                place.plot(*zip(*series), marker + ":", color="0.45", markersize=4, linewidth=0.8, label=model)
        place.set(xscale="log", yscale="log", title=name, xlabel="rows learned from",
                  ylabel="1 − R², held out" if name in FLIGHTS else "excess risk / variance of β")
    axes.flat[0].legend(loc="lower left", ncol=2)
    for place in list(axes.flat)[len(panels):]:
        place.remove()
    save(figure, "learned-models")
    said = ("Peers: dotted, one sample each, from `bench/results/several.json` (`bench/README.md`, \"Several inputs\")."
            if others else "No peers: `scripts/bench-several` measures them, and has not yet.")
    table = []
    for name in names:
        for kind in kinds:
            mine = where(rows, function=name, kind=kind)
            if mine:
                table.append([name, kind] + [with_error(row["measured"], row["standard_error"]) for row in mine])
    return said, markdown(["", "kind"] + [whole(n) + " rows" for n in sizes], table)


# ----------------------------------------------------------------- page

def deviation(figure):
    return (figure["measured"] - figure["expected"]) / figure["standard_error"]


def checks(figures):
    """One line a group of figures."""
    groups = {}
    for figure in figures:
        groups.setdefault(".".join(figure["name"].split(".")[:2]), []).append(figure)
    lines = []
    for name, group in groups.items():
        off = [abs(deviation(figure)) for figure in group if figure["standard_error"] > 1e-9]
        slack = max(figure["slack"] for figure in group)
        rivals = sorted({rival["text"] for figure in group for rival in figure["rivals"]})
        lines.append([f"`{name}`", str(len(group)), str(sum(figure["holds"] for figure in group)),
                      f"{max(off):.1f}" if off else "–",
                      f"{slack:.2g}" if slack > 1e-9 else "–", "; ".join(rivals) if rivals else "–"])
    return markdown(["figures", "number", "hold", "largest deviation / standard error", "slack", "told apart from"], lines)


def slopes(figures, kinds):
    """The exponents of n in m*, a row a setting."""
    found = {figure["name"]: figure for figure in group_of(figures, "E9.slope")}
    return markdown(["exponent of n in m*: law; measured"] + [kind.replace("_", " ") for kind in kinds],
                    [[setting] + [f"1/{1 / figure['expected']:.0f}; "
                                  + with_error(figure["measured"], figure["standard_error"])
                                  for figure in (found[f"E9.slope.{setting}.{kind}"] for kind in kinds)]
                     for setting in ("s3", "e1", "e2")])


def group_of(figures, name):
    return [figure for figure in figures if figure["name"].startswith(name)]


def main():
    with open(os.path.join(RESULTS, "figures.json"), encoding="utf-8") as file:
        found = json.load(file)
    figures = found["figures"]
    one = {figure["name"]: figure for figure in figures}
    os.makedirs(os.path.join(DOCS, "figures"), exist_ok=True)
    optimal_density()
    relations = {row["setting"]: (str(row["b"]), str(row["p"])) for row in read("settings")}
    averages, choices = automatic_number(relations)
    prices, on_noise = learned_cuts()
    kinds, evens = kinds_of_experts()
    grid_errors, grid_bests = product_grids()
    peers, models = learned_models()
    exponent = one["E1.exponent"]
    few = one["E4.law.n80"]
    many = one["E4.law.n800"]
    slope = one["E4.consistent"]
    factors = [figure for name in ("uniform", "optimal") for figure in figures
               if figure["name"].startswith("E2.factor.") and figure["name"].endswith(name)]
    weights = [1 / figure["standard_error"] ** 2 for figure in factors]
    factor = sum(w * figure["measured"] for w, figure in zip(weights, factors)) / sum(weights)
    ratios = [row for row in read("ratios") if math.isfinite(row["from_data"])]
    losses = [row["from_data"] for row in ratios
              if row["setting"] in SETTINGS and row["n"] == 1000 and row["from_data"] > 1 + 2 * row["from_data_error"]]
    tails = [row["from_data"] for row in ratios if row["setting"] not in SETTINGS]
    page = PAGE
    for key, value in {
        "EFFORT": str(found["effort"]), "DEVICE": found["engine"], "NUMBER": str(len(figures)),
        "FAILED": str(sum(not figure["holds"] for figure in figures)),
        "UNIFORM": f"{one['E1.coefficient.uniform']['measured']:.6f}",
        "OPTIMAL": f"{one['E1.coefficient.optimal']['measured']:.6f}",
        "EXPONENT": with_error(exponent["measured"], exponent["standard_error"]),
        "EXACT_EXPONENT": f"{found['notes']['E1.exponent.exact']:.4f}",
        "CONSTANTS_U": f"{one['E1.constants.uniform']['measured']:.1f}",
        "CONSTANTS_O": f"{one['E1.constants.optimal']['measured']:.1f}",
        "CENTRES_U": f"{one['E1.constants.uniform']['rivals'][0]['value']:.0f}",
        "CENTRES_O": f"{one['E1.constants.optimal']['rivals'][0]['value']:.0f}",
        "FACTOR": with_error(1 / factor, sum(weights) ** -0.5 / factor ** 2),
        "E2_TABLE": error_against_m(relations), "E3_TABLE": best_number(), "E4_TABLE": estimation_error(),
        "LAW_FEW": f"{with_error(few['measured'], few['standard_error'])} (exact {few['expected']:.3f})",
        "LAW_MANY": f"{with_error(many['measured'], many['standard_error'])} (exact {many['expected']:.3f})",
        "SLOPE": with_error(slope["measured"], slope["standard_error"]),
        "UNBIASED": f"{max(abs(f['measured']) for f in group_of(figures, 'E4.unbiased')):.1f}",
        "BIASED": f"{max(abs(f['measured']) for f in group_of(figures, 'E4.biased')):.1f}",
        "E5_TABLE": break_condition(), "STEEP": f"{found['notes']['E5.s5.optimal.from_next_order']:.0f}",
        "E6_TABLE": optimal_against_uniform(), "E7_AVERAGES": averages, "E7_TABLE": choices,
        "E9_KINDS": kinds, "E9_EVENS": evens, "E9_BEST": best_number_of_kinds(), "E8_TABLE": prices, "E8_NOISE": on_noise, "JUMP_COST": f"{found['notes']['E8.cost_of_a_jump']:.2f}",
        "J1": relations["j1"][0], "H1": relations["h1"][0], "HEAVY": relations["h1"][1],
        "E1_P": relations["e1"][1], "E2": relations["e2"][0],
        "SLOPES": slopes(figures, ("constants", "lines", "shared_values", "interpolated_means")),
        "E10_ERRORS": grid_errors, "E10_BESTS": grid_bests, "E11_RATES": rates_by_geometry(), "E12_PEERS": peers, "E12_MODELS": models,
        "WORST": f"{one['E6.worst']['measured']:.4f}", "LOSERS": str(len(losses)),
        "LOSS": f"{100 * (max(losses) - 1):.0f}", "TAIL_LOW": f"{min(tails):.1f}", "TAIL_HIGH": f"{max(tails):.1f}",
        "T1": relations["t1"][0], "T2": relations["t2"][0], "TAIL": relations["t1"][1], "CHECKS": checks(figures),
    }.items():
        page = page.replace("{" + key + "}", value)
    with open(os.path.join(DOCS, "experiments.md"), "w", encoding="utf-8") as file:
        file.write(page)


PAGE = """\
<!-- Written by examples/experiments/draw.py; regenerate with scripts/reproduce. -->
# The theory's experiments, on these engines

`scripts/reproduce` builds `zcmoe-experiments`, runs it (seeds fixed), draws the figures and writes this page: every
number below is from one run, effort {EFFORT}, engine `{DEVICE}`. CPU and CUDA engines answer with the same bits.

Everything is done through the public interface: constants are learned by `zcmoe_fit_*`, answered by `zcmoe_predict_*`,
predicted by the functions of `zcmoe/theory.h`. Error bars in figures are two standard errors, ± in tables one. Each
figure is held against theory at four standard errors: {NUMBER} figures, {FAILED} off. `tests/docs/experiments_test.py` holds a
shorter run to the same, and to numbers of other origin.

Notation: y = β(x) + noise of variance σ², x of density p, n samples, m segments with λ segments per unit length;
excess risk = test error − σ² = approximation error + estimation error. U and O are the coefficients of uniform and of
optimal segments: U = ∫pβ′² (range 1), O = (∫(pβ′²)^⅓)³.

## E1. Where the cuts belong

Question: is λ* ∝ (pβ′²)^⅓ the density that the error wants? Setting s6, a cosine under truncated Gaussian inputs.

![Input density, cost, optimal density; constants on 16 uniform and optimal segments; error against the exponent](figures/optimal-density.svg)

| figure | value |
|---|---|
| U, O | {UNIFORM}, {OPTIMAL}: equal to midpoint sums of the integrals |
| exponent with the least error at m = 256, measured | {EXPONENT} |
| the same from exact errors | {EXACT_EXPONENT} |
| learned constants against conditional means, standard normal deviate | {CONSTANTS_U} uniform, {CONSTANTS_O} optimal |
| the same against β at the centres | {CENTRES_U}, {CENTRES_O} |

The exponent is 1/3, not 1/4 or 2/5. What is learned is the conditional mean; the values at the centres differ from it
measurably at m = 16, most where optimal segments are long.

## E2. The error against m, and the factor 1/12

Question: is the error coefficient / (12 m²)? Known constants on known cuts, no noise; each point the mean over fresh
test inputs.

![Test error of s6 against m; error times m squared over the coefficient for seven settings](figures/error-against-m.svg)

Inverse factor at m = 1024, to be compared with 12:

{E2_TABLE}

All together: {FACTOR}. Exact errors are met at every m; the high-rate lines are left at small m, where a
segment is as long as the features of β (E5).

## E3. The best number of segments

Question: does the excess risk have the shape A/m² + σ²m/n with its minimum at m* = (2An/σ²)^⅓? Setting s6; m* measured
is from that law fitted to the measured excess risk of each repetition, 16 ≤ m ≤ n/10.

![Excess risk against m for several n and noise levels, with predicted and measured best m](figures/best-number.svg)

{E3_TABLE}

Lines are the exact risk, met by the measured one at every m, also left of and right of the valley. The formula misses
by a few percent where m* is near m₅% (optimal segments, n = 1,000: segments beside the extrema are not small), which
costs at most the last column.

## E4. The price of learning the constants

Question: is the estimation error Σ Pᵢ (vᵢ h(n, Pᵢ) + (1 − Pᵢ)ⁿ bᵢ), for each answer to empty segments, for any n / m?
Setting s4: a tail where segments stay empty.

![Estimation error against samples a segment, five policies; measured over exact](figures/estimation-error.svg)

Exact value; measured:

{E4_TABLE}

- Noise alone, m = 8 equal segments: n E / σ² = {LAW_FEW} with n = 80,
  {LAW_MANY} with n = 800. The law says 8; (m ± 1) / n in its place is excluded in both.
- Unbiased given samples: largest deviate over n = {UNBIASED}. Answering 0 in empty segments makes the mean
  cᵢ(1 − (1 − Pᵢ)ⁿ), as measured: largest deviate {BIASED}.
- Consistent: error ∝ n to the power {SLOPE} from n = 6,300 to 40,000.
- The law Σvᵢ/n says nothing below about ten samples a segment: there the answer to empty segments decides, nearest or
  parent being the best by far.

## E5. Where the high-rate form breaks

Question: from which m on is the error within 5 % of coefficient / (12 m²), and can that be told beforehand? The
estimate is from the next order (uniform) or from the zeros of λ* (optimal); "measured": the last m measured outside, +1.

![Relative gap between error and high-rate form against m](figures/break-condition.svg)

{E5_TABLE}

The estimates are within a factor of two. No estimate: s4 uniform, where p′²/p is not integrable and the term of order
m⁻⁴ does not exist. s7's plateaus count with the square of the mean of their neighbouring segment, and s5's ends as
zeros of high order: from its next order the estimate would be {STEEP}, true only once λ* at the ends (e⁻¹¹ of its
largest) is resolved.

## E6. When optimal cuts pay, and when they do not

Question: how much lower is the excess risk of optimal cuts when each takes its own best m? High rate promises ∛(O/U).

![Excess risk over that of uniform cuts, for nine settings and three n](figures/optimal-against-uniform.svg)

{E6_TABLE}

t1 is β = {T1}, t2 is β = {T2}, both with x of {TAIL}.

With p and β known, optimal cuts are never worse (largest exact ratio: {WORST}), and at n = 100,000 gain what high rate
promises, within 0.02, on s2, s3, s5, s6, s7. They do not pay

- where pβ′² is even (s1), and
- where β is steep in a tail with few samples (s4 in part; t1 and t2 wholly): the gain is promised for segments that
  hold no samples, and what decides there is the answer to empty segments;
- where the cuts are learned from too few of the same data (`zcmoe_segment_compander_from_data`, at the m that is best for
  known p and β): against uniform cuts a loss on {LOSERS} of s1–s7 at n = 1,000, the largest {LOSS} %, and the risk
  times {TAIL_LOW} to {TAIL_HIGH} in t1 and t2. `zcmoe_plan` compares segmentations by their own curves and on
  held-out rows: let it choose.

## E7. The automatic m

Question: how much does `zcmoe_plan` lose by not knowing p, β and σ? "best m": least excess risk on average over
samples, by exact risk for uniform cuts, by trying for cuts learned from the data. f1–f4 are used nowhere else.

![Excess risk with the automatic m over that with the best m](figures/automatic-number.svg)

{E7_AVERAGES}

{E7_TABLE}

## E8. The price of learning the cuts

Question: what does a table lose whose cuts `zcmoe_segment_optimal_from_data` places by the rows of its constants? It is
compared, at equal m, with the best partition of the true relation, which dynamic programming finds among 1,024 places
of equal mass. "Raw rows": the best partition of the rows themselves in bins, which follows their noise. Settings: smooth
s3, plateaus s7, jumps j1, heavy tails h1, σ = 0.3.

![Excess risk over that on known cuts against n and m; effective parameters a segment on noise alone](figures/learned-cuts.svg)

{E8_TABLE}

j1 is β = {J1}, uniform x.
h1 is β = {H1}, x of {HEAVY}: in shares of the inputs it is
s3, and best partitions depend on nothing else, so its exact numbers are those of s3.

- On known cuts the estimation error is the exact one of E4, near σ²m/n where the noise outweighs the spread of β in the
  segments.
- Where β is smooth learned cuts cost nothing that shows, and some 5 to 20 % beside plateaus (expected: 1, held within 0.2):
  the pilot that places them has few parameters. With the best m and more, raw rows cost two to five times as much, near
  `zcmoe_theory_learned_cuts`.
- A jump of 2σ whose levels are known is placed with a loss of {JUMP_COST} σ²/n, by simulation of the two random walks
  beside it: with the best m each jump of j1 is expected to cost that. With more segments than levels the loss is larger
  (m = 12, not held against theory). The bins of raw rows are 500; up to m = 12 they are n, at most 4,000,
  which limits them at jumps when n is large.

Noise alone, n = 1,000, 500 bins, effective parameters a segment: excess risk in units of σ²m/n.

{E8_NOISE}

The law holds for cuts on raw rows, and says nothing of learned ones, which stay near the price of known cuts.

## E9. Constants, lines and interpolation

Question: what do kinds of experts reach at equal numbers of stored values, and at equal n, and where does the best m
move? Constants store one value a segment and lines two; "shared values" are the lines between values at the edges that
least squares gives (`ZCMOE_EXPERTS_INTERPOLATE`), "interpolated means" the lines between the constants
(`zcmoe_model_interpolate`), which store one. s3 is the sine; e1 is β = exp 3x with p = {E1_P}, σ = 1; e2 is
β = {E2}, uniform x, σ = 0.3.

![Error without noise against the number of stored values, for four kinds of experts](figures/kinds-of-experts.svg)

Error over that of `zcmoe_theory_expert_law` (exact; measured on test rows), and the error of a step of height 1, times m:

{E9_KINDS}

The laws hold at m = 128 within 0.5 %, 49/2880 of interpolated means included. Exact errors are integrals over what was
learned from rows without noise. At a jump all kinds have errors of order 1/m, but constants and lines have none if it
lies on an edge, while those that are continuous cannot use that.

Stored values at which a kind and constants are equally good (`zcmoe_theory_break_even`), dotted in the figure:

{E9_EVENS}

What errors far beyond say agrees with the law; the kinds cross where segments are as long as the features of β, so the
law tells the place within a factor of two only.

![Best number of segments and excess risk there against n, for four kinds of experts](figures/best-number-of-kinds.svg)

{SLOPES}

{E9_BEST}

m* measured is from the law fitted to the measured excess risks of about 0.5 to 2 m*, on uniform segments of even number.

- Constants want m ∝ n^⅓, lines and shared values n^⅕: at n = 100,000 an eighth of the segments and a fifth of the excess
  risk on the sine. Shared values have about 2^(−4/5) of the excess risk of lines.
- Interpolated means learn from targets that vary with β inside a segment: their estimation error is 2/3 Σ vᵢ / n, not
  2/3 σ²m/n, which counts where β is steep and m is small (n = 1,000).
- On e2 the edge in the middle is at the jump. Shared values and interpolated means lose: m ∝ n^½ and the excess risk falls
  with n^(−½) only. Constants and lines go on as on the sine.

## E10. Product grids of two inputs: the bound and the error

Question: is the paper's bound for several inputs, Σ pᵢ |∇β|² tr Tᵢ (7.1), or Σ pᵢ ∇βᵀ Tᵢ ∇β (7.2) the error, where Tᵢ is
the integral of (x − centre)(x − centre)ᵀ over cell i? And has the risk at fixed n its minimum at m* = (A n/σ²)^½, which
A/m + σ²m/n asks for? k × k equal cells; s8 is β = 2x₁ + x₂/2 and s9 β = sin 2πx₁ cos πx₂, both with uniform inputs; s10 is
β = exp(−8((x₁ − 0.4)² + (x₂ − 0.6)²)) with normal inputs cut to the square. Sⱼ = ∫ p (∂ⱼβ)².

![Error against the number of cells beside bound and high-rate error; their ratio; excess risk at fixed n](figures/product-grids.svg)

{E10_ERRORS}

The bound of (7.1) is twice the error of squares, at every m; (7.2) is the error as soon as cells are small (s8: at every m,
since β is linear). Exact errors are met everywhere.

{E10_BESTS}

m* measured is from the law fitted to the measured excess risks from 64 cells to n/10. It lies a few percent below the formula
where inputs are uniform, since what β varies inside a cell counts as noise; for s10 an eighth, since cells of few rows cost
more than σ²/n each. With the bound in place of the error m* would be 1.41 times as large.

## E11. The shapes of segments of two inputs

Question: how does the error of a known function fall with the number of segments of each shape? Squares and boxes fall as
m^(−2/d), oblique cells that are long along the level lines as m^(−4/(d+1)), level sets of a score as 1/m². β =
exp(−8((x₁ − 0.4)² + (x₂ − 0.6)²)), uniform inputs, no noise: companders (`grid`), trees, oblique trees and scores are learned
from rows of β.

![Error against the number of segments for squares, companders, trees, oblique trees, scores and the limit of level sets](figures/shapes-of-segments.svg)

{E11_RATES}

The exponent of scores is that of up to 256 segments. Beyond them the floor shows: inputs are cut into 1,500 segments each,
and what β varies within these no score tells apart. At 64 segments scores are held to be within a tenth of level sets
(`E11.score_over_level_sets`).

## E12. What is learned from rows of several inputs

Question: which kind of model of `zcmoe_learn_sync` has the least error for how many rows, does `auto` find it, and how do
other libraries do? Excess risk over the variance of β, noise of 43 % of that variance, uniform inputs: Friedman's function
of five inputs among ten, sin π(x₁ + x₂x₃), sin 2πx₁ cos 2πx₂, and x₁ with a step of 1 where x₁ + x₂ > 1.

![Error against the number of rows, for kinds of models on four functions](figures/learned-models.svg)

{E12_PEERS}

{E12_MODELS}

- Sums of tables need far fewer rows than a tree where the function is a sum of functions of one and two inputs
  (`E12.tables_over_tree`, Friedman and sin · cos: held to be below half of the tree's error).
- From 10,000 rows on `auto` is held to be within a quarter of the best kind (`E12.auto`). Below, the rows that it holds out
  are few.
- From 1,000 to 100,000 rows the error of every kind falls by half at least (`E12.falls`).

## All checks

A figure holds if it is within 4 standard errors + slack of what theory expects, and farther than that from what it is
told apart from. Slack is what a law that is asymptotic, a grid or a margin of the claim allows; theory that is exact has
at most 0.005 of it. E3's and E10's `formula` and E9's `risk`, `number`, `slope` and `shared_over_lines` are asymptotic laws
themselves, and E12 has bounds for what was learned, hence more than 4.

{CHECKS}
"""

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    RESULTS, DOCS = sys.argv[1:]
    main()
