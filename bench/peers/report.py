#!/usr/bin/env python3
"""Turns peers.json into peers.md and four plots, and, with --readme, into the marked blocks of README.md and
bench/README.md: no number there is typed by hand."""
import argparse
import json
import os
import statistics
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BEGIN, END = "<!-- peers: begin (scripts/bench-peers --report) -->", "<!-- peers: end -->"

# Goal, operation, peer, threads of both, factor wanted.
GOALS = [
    (5, "predict", "s_plus_tree", 1, 5),
    (5, "predict", "batched", 1, 10),
    (5, "predict", "std", 1, 70),
    (6, "predict", "numpy_1.24", 1, 100),
    (6, "predict", "numpy", 1, 100),
    (6, "predict", "sklearn_tree", 1, 150),
    (6, "predict", "xgboost", 1, 200),
    (6, "predict", "thrust_tbb", 2, 60),
    (10, "fit", "boost_histogram", 1, 30),
    (10, "fit", "numpy", 1, 40),
    (10, "fit", "thrust_tbb", 2, 40),
]
GOAL_SEGMENTS = [64, 256, 1024, 4096]

# Colour, line, marker. Limits are grey, zcmoe is thick.
STYLES = {
    "copy": ("0.35", "--", ""), "read": ("0.35", "--", ""), "zcmoe": ("#c8102e", "-", "o"),
    "zcmoe_whole": ("#e78a97", "-", "o"),
    "s_plus_tree": ("#1b7837", "-", "^"), "batched_gather": ("#5aae61", "-", "v"), "batched": ("#a6dba0", "-", "v"),
    "std": ("#00441b", "-", "s"), "boost_histogram": ("#8c510a", "-", "D"), "thrust_cpp": ("#c51b7d", "-", "P"),
    "thrust_tbb": ("#c51b7d", "-.", "P"), "thrust_omp": ("#de77ae", "-.", "P"), "numpy": ("#08519c", "-", "o"),
    "numpy_1.24": ("#6baed6", "-", "o"), "numpy_sort": ("#6baed6", "-", "s"), "sklearn_tree": ("#e66101", "-", "^"),
    "sklearn_bins": ("#fdb863", "-", "v"), "xgboost": ("#542788", "-", "^"), "lightgbm": ("#998ec3", "-", "v"),
    "pandas": ("#01665e", "-", "X"), "polars": ("#35978f", "-", "X"), "scipy": ("#80cdc1", "-", "s"),
    "torch": ("#bf812d", "-", "P"),
}


def human(m):
    """1024 as 1,024, larger powers as 64 Ki or 1 Mi."""
    if m >= 2**20 and m % 2**20 == 0:
        return f"{m // 2**20} Mi"
    return f"{m // 1024} Ki" if m > 9999 and m % 1024 == 0 else f"{m:,}"


def number(value):
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


class Report:
    def __init__(self, numbers):
        self.context, self.results, self.skipped = numbers["context"], numbers["results"], numbers["skipped"]

    def lines(self, study, op, types=("f32",)):
        """{(peer, threads, type): [entries by m or n]} in the order of measurement."""
        found = {}
        for entry in self.results:
            if entry["study"] == study and entry["op"] == op and entry["type"] in types:
                found.setdefault((entry["peer"], entry["threads"], entry["type"]), []).append(entry)
        by = "n" if study == "scaling_n" else "m"
        return {key: sorted(entries, key=lambda entry: entry[by]) for key, entries in found.items()}

    def entry(self, op, peer, threads, m, kind="f32"):
        for entry in self.results:
            if (entry["study"], entry["op"], entry["peer"], entry["threads"], entry["m"], entry["type"]) == (
                    "peers", op, peer, threads, m, kind):
                return entry
        return None

    @staticmethod
    def ratio(slow, fast):
        """How many times as fast: the median over rounds where both were timed in turn, else of medians."""
        if slow["run"] == fast["run"] and len(slow["samples"]) == len(fast["samples"]):
            return statistics.median(a / b for a, b in zip(slow["samples"], fast["samples"]))
        return slow["ns"] / fast["ns"]

    def ratio_at(self, op, peer, threads, m):
        slow, fast = self.entry(op, peer, threads, m), self.entry(op, "zcmoe", threads, m)
        return self.ratio(slow, fast) if slow and fast else None

    def goals(self):
        """[{goal, op, peer, label, threads, wanted, ratios {m: ratio}, met}]; met is None where an m was not measured."""
        result = []
        for goal, op, peer, threads, wanted in GOALS:
            ratios = {m: self.ratio_at(op, peer, threads, m) for m in GOAL_SEGMENTS}
            ratios = {m: ratio for m, ratio in ratios.items() if ratio is not None}
            labels = [entry["label"] for entry in self.results if (entry["op"], entry["peer"]) == (op, peer)]
            label = labels[0] if labels else peer
            result.append({"goal": goal, "op": op, "peer": peer, "label": label, "threads": threads, "wanted": wanted,
                           "ratios": ratios, "met": None if len(ratios) < len(GOAL_SEGMENTS) else min(ratios.values()) >= wanted})
        return result

    # ------------------------------------------------------------------ text

    def machine(self):
        context = self.context
        lines = [f"{context['date'][:10]}, {context['cpu']}, {context['cores']} cores, last-level cache "
                 f"{context['last_level_cache'] // 2**20} MiB; {context['build']}; Python {context['python']}, "
                 + ", ".join(f"{name} {version}" for name, version in context["versions"].items()
                             if name != "numpy_1.24") + "."]
        if context["quick"]:
            lines.append("**A quick run: it shows that everything works, the times mean nothing.**")
        rounds = sorted({entry["rounds"] for entry in self.results if entry["study"] == "peers"})
        if rounds and rounds[0] < 11:
            lines.append(f"**Rounds: {rounds[0]} instead of 11. A preview, not a measurement.**")
        if context["load_average"] > 0.5 * context["cores"]:
            lines.append(f"Load average {context['load_average']:.1f} at the start: other work shared the machine.")
        if len({entry["run"] for entry in self.results}) > 1:
            lines.append("Rows of more than one run: ratios across runs are of medians, not of rounds.")
        return "\n".join(lines)

    def agreement(self):
        checked = [entry for entry in self.results if "agrees" in entry]
        wrong = [entry for entry in checked if not entry["agrees"]]
        compared = sum(entry["compared"] for entry in checked)
        text = (f"{len(checked)} results were compared with the exact answers before they were timed, "
                f"{compared:,} rows in all: ")
        if wrong:
            return text + "**" + ", ".join(sorted({entry["label"] for entry in wrong})) + " did not agree.**"
        return text + "all agree."

    def table(self, op):
        lines = self.lines("peers", op, ("f32", "f64"))
        segments = sorted({entry["m"] for entries in lines.values() for entry in entries})
        rows = ["| | threads | rows a sample | " + " | ".join(f"m = {human(m)}" for m in segments) + " |",
                "|---|---|---|" + "---|" * len(segments)]
        for (peer, threads, _), entries in lines.items():
            cells = {entry["m"]: f"{number(entry['ns'])} ± {100 * entry['spread']:.0f} %" for entry in entries}
            counts = sorted({entry["n"] for entry in entries})
            count = human(counts[0]) + (f" to {human(counts[-1])}" if len(counts) > 1 else "")
            label = entries[0]["label"]
            rows.append(f"| {'**' + label + '**' if peer == 'zcmoe' else label} | {threads} | {count} | "
                        + " | ".join(cells.get(m, "–") for m in segments) + " |")
        return "\n".join(rows)

    def goal_table(self):
        rows = ["| goal | | zcmoe is to be | " + " | ".join(f"m = {human(m)}" for m in GOAL_SEGMENTS) + " | met |",
                "|---|---|---|" + "---|" * (len(GOAL_SEGMENTS) + 1)]
        for goal in self.goals():
            cells = [f"{number(goal['ratios'][m])} ×" if m in goal["ratios"] else "–" for m in GOAL_SEGMENTS]
            met = {None: "not measured", True: "yes", False: "no"}[goal["met"]]
            threads = f"{goal['threads']} thread" + ("s each" if goal["threads"] > 1 else "")
            rows.append(f"| {goal['goal']} | {goal['op']}, {threads} | ≥ {goal['wanted']} × {goal['label']} | "
                        + " | ".join(cells) + f" | {met} |")
        return "\n".join(rows)

    def markdown(self):
        parts = ["# zcmoe beside its peers", "Made by `scripts/bench-peers`; how is said in `bench/README.md`.",
                 self.machine(), self.agreement(),
                 "Nanoseconds a row: the median of the rounds ± the distance between the quartiles."]
        for op in ["predict", "fit"]:
            parts += [f"## {op.capitalize()}", f"![ns a row over m](peers_{op}.svg)", self.table(op)]
        parts += ["## Scaling", "![in n](scaling_n.svg)", "![in m](scaling_m.svg)", "## Goals",
                  "A goal is met where every column meets it.", self.goal_table()]
        if self.skipped:
            parts += ["## Left out", "\n".join(f"- {entry['op']} {entry['peer']}, {entry['threads']} threads: "
                                               f"{entry['reason']}" for entry in self.skipped)]
        return "\n\n".join(parts) + "\n"

    def sentence(self, op, m, peers):
        """zcmoe's time at m and its ratio to some peers, one thread."""
        own = self.entry(op, "zcmoe", 1, m)
        if not own:
            return ""
        found = [(label, self.ratio_at(op, peer, 1, m)) for peer, label in peers]
        said = ", ".join(f"{number(ratio)} × {label}" for label, ratio in found if ratio)
        limit = self.entry(op, "copy" if op == "predict" else "read", 1, m)
        share = f" ({number(100 * limit['ns'] / own['ns'])} % of the speed of memory)" if limit else ""
        return f"- {op}: {number(own['ns'])} ns a row{share}; as a multiple of the others' speed: {said}"

    def readme_block(self):
        """For README.md."""
        m = 1024
        predict = self.sentence("predict", m, [
            ("s_plus_tree", "S+-tree"), ("std", "`std::upper_bound`"), ("numpy", "numpy"), ("xgboost", "XGBoost"),
            ("sklearn_tree", "scikit-learn tree")])
        fit = self.sentence("fit", m, [("std", "plain sums"), ("boost_histogram", "Boost.Histogram"),
                                       ("numpy", "numpy bincounts"), ("pandas", "pandas"), ("scipy", "scipy")])
        return "\n".join(["![predict: ns a row over the number of segments](bench/results/peers_predict.svg)", "",
                          f"At m = {human(m)}, one thread, {self.context['cpu']}:", predict, fit, "",
                          *self.machine().split("\n")[1:]]).rstrip()

    def bench_block(self):
        """For bench/README.md."""
        parts = [self.machine(), self.agreement(), "All numbers: `results/peers.md`, `results/peers.json`.",
                 "![predict](results/peers_predict.svg)", "![fit](results/peers_fit.svg)",
                 "![in n](results/scaling_n.svg)", "![in m](results/scaling_m.svg)",
                 "A goal is met where every column meets it:", self.goal_table()]
        return "\n\n".join(parts)

    # ----------------------------------------------------------------- plots

    def plots(self, folder):
        import matplotlib
        matplotlib.use("svg")
        matplotlib.rcParams.update({"svg.hashsalt": "zcmoe", "font.size": 9, "axes.spines.top": False,
                                    "axes.spines.right": False})
        import matplotlib.pyplot as pyplot

        def save(figure, name):
            for kind in FIGURE_KINDS:
                figure.savefig(os.path.join(folder, f"{name}.{kind}"), dpi=110, bbox_inches="tight",
                               metadata={"Date": None} if kind == "svg" else None)
            pyplot.close(figure)

        for op in ["predict", "fit"]:
            figure, axes = pyplot.subplots(figsize=(6.2, 4.6))
            if self.panel(axes, self.chosen(op), "m", f"{op}, float32, random x"):
                save(figure, f"peers_{op}")
        for study, by in [("scaling_n", "n"), ("scaling_m", "m")]:
            figure, panels = pyplot.subplots(2, 1, figsize=(7.5, 7))
            drawn = [self.panel(axes, self.lines(study, op), by,
                                op + (", float32, m = 1,024" if by == "n" else ", float32, random x"))
                     for axes, op in zip(panels, ["predict", "fit"])]
            figure.tight_layout(h_pad=2)
            if any(drawn):
                save(figure, study)

    def chosen(self, op):
        """One line a peer, but both thread counts of zcmoe and the limit."""
        lines = self.lines("peers", op)
        fewest = {}
        for peer, threads, _ in lines:
            fewest[peer] = min(threads, fewest.get(peer, threads))
        return {key: entries for key, entries in lines.items()
                if key[1] == fewest[key[0]] or key[0] in ("zcmoe", "copy", "read")}

    @staticmethod
    def panel(axes, lines, by, title):
        """Draws lines with a legend in the order in which they lie; False if there is nothing to draw."""
        if not lines:
            axes.set_visible(False)
            return False
        for (peer, threads, _), entries in lines.items():
            colour, dashes, marker = STYLES[peer]
            own = peer in ("zcmoe", "copy", "read")
            label = entries[0]["label"] + (f", {threads} threads" if threads > 1 else "")
            second = own and threads > 1  # beside the same with one thread: dotted, hollow
            width = 1.2 if peer != "zcmoe" else 1.6 if second else 2.4
            axes.plot([entry[by] for entry in entries], [entry["ns"] for entry in entries], label=label, color=colour,
                      linestyle=":" if second else dashes, marker=marker, markerfacecolor="white" if second else colour,
                      linewidth=width, markersize=4, zorder=3 if peer == "zcmoe" else 2)
        axes.set_xscale("log", base=2 if by == "m" else 10)
        axes.set_yscale("log")
        axes.set_xticks(ticks(sorted({entry[by] for entries in lines.values() for entry in entries})))
        axes.tick_params(axis="x", which="minor", bottom=False)
        axes.set_xlabel("segments m" if by == "m" else "rows n")
        axes.set_ylabel("ns a row")
        axes.set_title(title, loc="left")
        axes.grid(which="major", color="0.9")
        # From top to bottom as at the point that most lines have.
        points = [entry[by] for entries in lines.values() for entry in entries]
        common = max(set(points), key=lambda point: (points.count(point), point))
        height = {line.get_label(): dict(zip(line.get_xdata(), line.get_ydata())) for line in axes.get_lines()}
        handles, labels = axes.get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda i: -height[labels[i]].get(common, min(height[labels[i]].values())))
        axes.legend([handles[i] for i in order], [labels[i] for i in order], loc="center left",
                    bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False, handlelength=3.2, labelspacing=0.45)
        return True


FIGURE_KINDS = ["svg"]


def ticks(points):
    """All points, or every third where they are too many to label."""
    return points if len(points) <= 10 else points[::3]


def replace_block(path, text):
    """Puts text between the two marks of a file."""
    with open(path, encoding="utf-8") as file:
        old = file.read()
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        raise SystemExit(f"{path} needs {BEGIN} and {END}, once each")
    before, rest = old.split(BEGIN)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help="folder with peers.json; the rest is written there")
    parser.add_argument("--readme", action="store_true", help="rewrite the marked blocks of the two READMEs")
    parser.add_argument("--png", action="store_true", help="the plots as PNG too")
    options = parser.parse_args()
    if options.png:
        FIGURE_KINDS.append("png")
    with open(os.path.join(options.results, "peers.json"), encoding="utf-8") as file:
        report = Report(json.load(file))
    with open(os.path.join(options.results, "peers.md"), "w", encoding="utf-8") as file:
        file.write(report.markdown())
    try:
        report.plots(options.results)
    except ImportError as failure:
        print(f"no plots: {failure}", file=sys.stderr)
    if options.readme:
        replace_block(os.path.join(ROOT, "README.md"), report.readme_block())
        replace_block(os.path.join(ROOT, "bench", "README.md"), report.bench_block())
    print(report.goal_table())
    print()
    print(report.agreement())


if __name__ == "__main__":
    main()
