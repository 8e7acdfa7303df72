"""Draws a model. Of one input its segments over the data, residuals, counts, and the risk for other numbers of segments; of
several how much each matters, what each adds to the answers, pairs as heat maps, and where the model errs.

Run by `zcmoe plot`, which reads and samples the table:

    plot.py MODEL svg|png|pdf COLUMNS ROWS ROWS_IN_ALL X_NAME Y_NAME < numbers > picture
    plot.py svg|png|pdf ROWS Y_NAME < numbers and JSON > picture

The second is for models of several inputs: float64 answers and targets of ROWS rows, then what `zcmoe inspect --json`
tells, as UTF-8. The first is for those of one input: float64, COLUMNS (0, 2 or 3: x, y, weights) runs of ROWS numbers, one
column after the other; then the risks of other tables, each its number of segments and its leave-one-out error. Its model
file is read here, without the safetensors package. On failure the last line of standard error says why; exit status 3: a
package is missing. Needs numpy and matplotlib 3.6 or later.
"""
import json
import math
import sys

try:
    import numpy as np
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.colors import LogNorm
except ImportError as error:
    print(f"Python has no {error.name or 'matplotlib'} ({sys.executable}: {error})", file=sys.stderr)
    sys.exit(3)

DATA, MODEL, ACCENT, FAINT = "#1f4e79", "#c23b22", "#2e7d32", "#8a8a8a"
SHADES = "Blues"
MAX_LINES = 150  # segments whose edges are drawn as lines
EDGE_SHARE = 0.002  # of the rows at each end that may lie outside the axes where they would squeeze the rest
SQUEEZED = 4  # times the range of the others


class Model:
    """The arrays and policies of a model file; docs/model-file.md. zcmoe has checked it before."""

    def __init__(self, path):
        with open(path, "rb") as file:
            content = file.read()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8:8 + length])
        self.metadata = header.pop("__metadata__")
        kinds = {"F64": "<f8", "I64": "<i8"}

        def array(name):
            begin, end = header[name]["data_offsets"]
            return np.frombuffer(content[8 + length + begin:8 + length + end], kinds[header[name]["dtype"]])

        self.edges = array("boundaries")
        self.segments = len(self.edges) - 1
        self.values, self.counts = array("values"), array("counts")
        self.variances, self.errors = array("variance"), array("standard_error")
        self.lo, self.hi = self.edges[0], self.edges[-1]
        self.right_closed = self.metadata["closed_side"] == "right"
        self.weighted = self.metadata["weighted"] == "true"
        self.of_row = ", weight 1" if self.weighted and self.metadata.get("weights_kind") == "precision" else ""
        self.kind = "smooth " if self.metadata.get("constants") == "smooth" else ""
        self.lines = array("lines").reshape(-1, 4) if "lines" in header else None  # from, to, value, slope

    def answers(self, x):
        """What predict answers; NaN where it is outside every segment."""
        side = "left" if self.right_closed else "right"
        slot = np.clip(np.searchsorted(self.edges[1:-1], x, side), 0, self.segments - 1)
        y = self.along_line(slot, x) if self.lines is not None else self.values[slot]
        policy = self.metadata["range_policy"]
        below, above = x < self.lo, x > self.hi
        if self.metadata["include_outer_edge"] != "true":
            below |= self.right_closed & (x == self.lo)
            above |= (not self.right_closed) & (x == self.hi)
        if policy == "nan":
            y[below | above] = math.nan
        elif policy == "value":
            y[below | above] = float(self.metadata["range_value"])
        elif policy == "segments":
            y[below], y[above] = self.values[self.segments + 1], self.values[self.segments + 2]
        return y


    def along_line(self, slot, x):
        """What the lines of segments answer."""
        start, end, value, slope = self.lines[slot].T
        return value + slope * (np.clip(x, start, end) - start)

    def drawn_lines(self):
        """Points along the lines of all segments, apart by a NaN, and the segment of each."""
        few = 16 if self.segments <= 1000 else 0  # they are curves where the axis is not linear
        slot = np.repeat(np.arange(self.segments), few + 5)
        left, right = self.edges[:-1, None], self.edges[1:, None]
        inside = np.sort(np.hstack([left, left + (right - left) * np.linspace(0, 1, few + 2)[1:-1], right,
                                    np.clip(self.lines[:self.segments, :2], left, right)]), axis=1)
        x = np.hstack([inside, right]).ravel()
        y = self.along_line(slot, x)
        y[few + 4::few + 5] = math.nan
        return x, y, slot


class Samples:
    def __init__(self, columns, rows_in_all):
        keep = np.all(np.isfinite(columns), axis=0)
        columns = columns[:, keep]
        order = np.argsort(columns[0], kind="stable")
        self.x, self.y = columns[0][order], columns[1][order]
        self.weights = columns[2][order] if len(columns) == 3 else np.ones(len(self.x))
        self.weighted = len(columns) == 3
        self.rows, self.rows_in_all = len(self.x), rows_in_all


def number(value):
    """Few digits, for people."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    return f"{value:.3g}"


def ends(low, high):
    """Both ends of a range, with digits enough to tell them apart to a thousandth of their distance."""
    if low == int(low) and high == int(high) and max(abs(low), abs(high)) < 1e15:
        return f"{int(low):,} to {int(high):,}"
    for digits in range(3, 18):
        shown = [f"{value:.{digits}g}" for value in (low, high)]
        if all(abs(float(text) - value) <= (high - low) / 1000 for text, value in zip(shown, (low, high))):
            break
    return " to ".join(shown)


def limits(values, constants=()):
    """Axis limits: all values and constants, but for a few that are so far away that they would squeeze the rest."""
    values = values[np.isfinite(values)]
    constants = np.asarray([c for c in constants if math.isfinite(c)])
    if len(values) == 0:
        values = constants if len(constants) else np.zeros(1)
    low, high = values.min(), values.max()
    if len(values) > 20:
        inner_low, inner_high = np.quantile(values, [EDGE_SHARE, 1 - EDGE_SHARE])
        inner = inner_high - inner_low
        if inner > 0 and inner_low - low > SQUEEZED * inner:
            low = inner_low - inner / 4
        if inner > 0 and high - inner_high > SQUEEZED * inner:
            high = inner_high + inner / 4
    reach = SQUEEZED * (high - low) or math.inf
    near = constants[(constants >= low - reach) & (constants <= high + reach)]
    if len(near):
        low, high = min(low, near.min()), max(high, near.max())
    margin = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def note_outliers(axes, x, y, constants=()):
    """Says how much lies outside the axes."""
    (x_low, x_high), (y_low, y_high) = axes.get_xlim(), axes.get_ylim()
    rows = int(np.count_nonzero((x < x_low) | (x > x_high) | (y < y_low) | (y > y_high)))
    segments = int(np.count_nonzero((constants < y_low) | (constants > y_high))) if len(constants) else 0
    parts = ([f"{rows:,} of {len(x):,} rows"] if rows else []) + ([f"{segments:,} constants"] if segments else [])
    if parts:
        axes.text(0.995, 0.985, f"{' and '.join(parts)} beyond the axes", transform=axes.transAxes, ha="right", va="top",
                  fontsize=8, color=FAINT, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})


def shade(axes, x, y, weights, log_x, bins):
    """Rows as a density: grey where few, dark where many. Few rows are dots."""
    if len(x) <= 3000:
        axes.plot(x, y, "o", color=DATA, alpha=0.55, markersize=4 if len(x) <= 300 else 2.2, markeredgewidth=0,
                  rasterized=True)
        return
    (x_low, x_high), (y_low, y_high) = axes.get_xlim(), axes.get_ylim()
    grid = np.geomspace(x_low, x_high, bins[0] + 1) if log_x else np.linspace(x_low, x_high, bins[0] + 1)
    counts, _, _ = np.histogram2d(x, y, [grid, np.linspace(y_low, y_high, bins[1] + 1)], weights=weights)
    counts = np.ma.masked_less_equal(counts.T, 0)
    if counts.count():
        norm = LogNorm(max(counts.min() / 3, counts.max() * 1e-6), counts.max() * 1.3)
        axes.pcolormesh(grid, np.linspace(y_low, y_high, bins[1] + 1), counts, cmap=SHADES, norm=norm, rasterized=True,
                        zorder=0)


def titled(axes, title, x_label, y_label):
    axes.set_title(title, fontsize=10, loc="left", fontweight="bold")
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def say(axes, words):
    """A panel that has nothing to show says why."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=9, color=FAINT)
    axes.set_xticks([])
    axes.set_yticks([])


def draw_segments(axes, model, samples, log_x, names):
    constants, errors = model.values[:model.segments], model.errors[:model.segments]
    with_bands = np.concatenate([constants - 2 * errors, constants, constants + 2 * errors])
    y_low, y_high = limits(samples.y if samples else with_bands, constants)
    axes.set_ylim(y_low, y_high)
    if samples:
        shade(axes, samples.x, samples.y, samples.weights, log_x, (260, 130))
    if model.segments <= MAX_LINES:
        axes.vlines(model.edges, y_low, y_high, color=FAINT, linewidth=0.4, alpha=0.6, zorder=1)
    else:
        axes.plot(model.edges, np.full(len(model.edges), y_low), "|", color=FAINT, markersize=10, alpha=0.5, zorder=1,
                  rasterized=len(model.edges) > 5000, clip_on=True)
    if np.any(np.isfinite(errors) & (errors > 0.004 * (y_high - y_low))):
        band = np.where(np.isfinite(errors), 2 * errors, 0)
        if model.lines is not None:
            x, y, slot = model.drawn_lines()
            axes.fill_between(x, y - band[slot], y + band[slot], color=MODEL, alpha=0.2, linewidth=0, zorder=2,
                              label="line ± 2 standard errors, on average over its rows")
        else:
            axes.stairs(constants + band, model.edges, baseline=constants - band, fill=True, color=MODEL, alpha=0.2,
                        linewidth=0, zorder=2, label="constant ± 2 standard errors")
    thick = 2.2 if model.segments <= 40 else 1.4 if model.segments <= 400 else 0.9
    if model.lines is not None:
        x, y, _ = model.drawn_lines()
        axes.plot(x, y, color=MODEL, linewidth=thick, zorder=3,
                  label="lines of the segments" if model.segments > 1 else "line")
    else:
        axes.stairs(constants, model.edges, baseline=None, color=MODEL, linewidth=thick, zorder=3,
                    label=f"{model.kind}constants of the segments" if model.segments > 1 else "constant")
    gaps = np.flatnonzero(np.isnan(constants))
    for k, i in enumerate(gaps[:200]):
        axes.axvspan(model.edges[i], model.edges[i + 1], facecolor="none", edgecolor=FAINT, hatch="////", linewidth=0,
                     zorder=1, label="no answer (NaN)" if k == 0 else None)
    if samples:
        note_outliers(axes, samples.x, samples.y, constants)
    rows = ""
    if samples:
        rows = f", over {samples.rows_in_all:,} rows" if samples.rows == samples.rows_in_all else \
            f", over a sample of {samples.rows:,} of {samples.rows_in_all:,} rows"
    count = f"{model.segments:,} segments" if model.segments > 1 else "1 segment"
    titled(axes, f"{count} from {ends(model.lo, model.hi)}{rows}", names[0], names[1])
    axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1.005, 0.995), ncols=3, frameon=False, borderpad=0)


def draw_residuals(axes, model, samples, log_x, names):
    if samples is None:
        spread = np.sqrt(model.variances[:model.segments])
        titled(axes, "Spread within segments", names[0], f"standard deviation of {names[1]}{model.of_row}")
        if np.all(np.isnan(spread)):
            say(axes, "no spread is known:\na model of known constants")
            return
        axes.stairs(np.nan_to_num(spread), model.edges, color=MODEL, fill=True, alpha=0.35)
        axes.set_ylim(0, np.nanmax(spread) * 1.05 or 1)
        return
    residuals = samples.y - model.answers(samples.x)
    titled(axes, "Residuals", names[0], f"{names[1]} − answer")
    good = np.isfinite(residuals)
    if not np.any(good):
        say(axes, "the model answers none of the rows")
        return
    low, high = limits(residuals[good])
    reach = max(abs(low), abs(high)) if low < 0 < high and 1 / 3 < -low / high < 3 else None
    axes.set_ylim((-reach, reach) if reach else (low, high))
    shade(axes, samples.x[good], residuals[good], samples.weights[good], log_x, (110, 90))
    axes.axhline(0, color=MODEL, linewidth=1)
    rms = math.sqrt(np.average(residuals[good] ** 2, weights=samples.weights[good]))
    axes.set_title(f"Residuals, rms {number(rms)}", fontsize=10, loc="left", fontweight="bold")
    note_outliers(axes, samples.x[good], residuals[good])
    unanswered = len(residuals) - np.count_nonzero(good)
    if unanswered:
        axes.text(0.01, 0.985, f"{unanswered:,} rows without an answer", transform=axes.transAxes, va="top", fontsize=8,
                  color=FAINT)


def draw_counts(axes, model, samples, names):
    counts = model.counts[:model.segments].astype(float)
    title, label = "Rows in each segment, when fitted", "rows"
    if not np.any(counts) and samples:
        side = "left" if model.right_closed else "right"
        slot = np.clip(np.searchsorted(model.edges[1:-1], samples.x, side), 0, model.segments - 1)
        counts = np.bincount(slot, minlength=model.segments).astype(float)
        title = "Rows in each segment, of the data"
    titled(axes, title, names[0], label)
    if not np.any(counts):
        say(axes, "no rows are known:\na model of known constants")
        return
    axes.stairs(counts, model.edges, color=DATA, fill=True, alpha=0.6)
    filled = counts[counts > 0]
    if filled.max() > 30 * filled.min():
        axes.set_yscale("log")
        axes.set_ylim(max(0.7, filled.min() * 0.7), filled.max() * 1.6)
    else:
        axes.set_ylim(0, counts.max() * 1.08)
    empty = int(np.count_nonzero(counts == 0))
    if empty:
        axes.text(0.99, 0.985, f"{empty:,} empty", transform=axes.transAxes, ha="right", va="top", fontsize=8,
                  color=MODEL)


def draw_risk(axes, model, samples, risks, names):
    titled(axes, "Error for other numbers of segments", "segments", f"rms error of {names[1]}")
    if samples is None:
        say(axes, "needs --data")
        return None
    if len(risks) == 0:
        say(axes, "too few rows in the range")
        return None
    m, first = np.unique(risks[:, 0].astype(int), return_index=True)
    error = np.sqrt(risks[first, 1])
    best = int(np.argmin(error))
    axes.plot(m, error, "-o", color=DATA, markersize=3.5, linewidth=1.3, label="leave-one-out, optimal cuts")
    axes.axvline(m[best], color=ACCENT, linewidth=1, linestyle="--",
                 label=f"m* ≈ {m[best]:,}, error {number(error[best])}")
    residuals = samples.y - model.answers(samples.x)
    good = np.isfinite(residuals)
    own = math.nan
    if np.any(good):
        own = math.sqrt(np.average(residuals[good] ** 2, weights=samples.weights[good]))
        axes.plot([model.segments], [own], "D", color=MODEL, markersize=6, zorder=4,
                  label=f"this model on these rows: {number(own)}")
    axes.set_xscale("log", base=2)
    ticks = [1 << k for k in range(0, 31) if 1 << k <= max(m[-1], model.segments)]
    step = 1 + len(ticks) // 7
    axes.set_xticks(ticks[::step])
    axes.set_xticklabels([f"{t:,}" if t < 10000 else f"$2^{{{t.bit_length() - 1}}}$" for t in ticks[::step]])
    axes.minorticks_off()
    shown = np.append(error, own if math.isfinite(own) else error[best])
    low, high = np.nanmin(shown), np.nanmax(shown)
    if low > 0 and high > 8 * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.25, high * (high / low) ** 0.45)
    else:
        axes.set_ylim(low - 0.08 * (high - low) - 1e-12 * abs(low), high + 0.55 * (high - low) + 1e-12 * abs(high))
    axes.legend(fontsize=7.5, loc="upper right", framealpha=0.85)
    return m[best], error[best]


def draw(model, samples, risks, names):
    figure = pyplot.figure(figsize=(11, 8), dpi=130, layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=(1.5, 1))
    top = figure.add_subplot(grid[0, :])
    below = [figure.add_subplot(grid[1, k]) for k in range(3)]
    log_x = model.lo > 0 and model.hi > 1000 * model.lo
    x_low, x_high = model.lo, model.hi
    if samples and samples.rows:
        data_low, data_high = np.quantile(samples.x, [EDGE_SHARE, 1 - EDGE_SHARE])
        # The model's range, and where rows beyond it are more than a few, some of theirs.
        width = x_high - x_low
        x_low, x_high = max(min(x_low, data_low), x_low - width / 4), min(max(x_high, data_high), x_high + width / 4)
    if log_x:
        x_low = max(x_low, model.lo)
        x_low, x_high = x_low / (x_high / x_low) ** 0.01, x_high * (x_high / x_low) ** 0.01
    else:
        margin = 0.01 * (x_high - x_low)
        x_low, x_high = x_low - margin, x_high + margin
    for axes in (top, below[0], below[1]):
        if log_x:
            axes.set_xscale("log")
        axes.set_xlim(x_low, x_high)
    draw_segments(top, model, samples, log_x, names)
    draw_residuals(below[0], model, samples, log_x, names)
    draw_counts(below[1], model, samples, names)
    best = draw_risk(below[2], model, samples, risks, names)
    return figure, best


def shortened(name, size=48):
    name = name.replace("$", r"\$")
    return name if len(name) <= size else name[:size - 1] + "…"


# ---- several inputs

MOST_BARS, MOST_EFFECTS, MOST_CONSTANTS = 12, 6, 3000


class Told:
    """What `zcmoe inspect --json` tells of a model of several inputs by rows; docs/insight.md."""

    def __init__(self, text, answers, targets, y_name):
        self.model = json.loads(text)
        self.rows = self.model["by_rows"]
        self.answers, self.targets, self.y_name = answers, targets, y_name
        self.made = self.rows["made_rows"]

    @staticmethod
    def numbers(values):
        """None is NaN."""
        return np.asarray([math.nan if v is None else v for v in values], float)


def percent(share):
    return f"{100 * share:.1f} %" if share < 0.9995 else f"{100 * share:.0f} %"


def inner_limits(values):
    """Axis limits of all values but a thousandth at each end."""
    low, high = np.quantile(values, [0.001, 0.999])
    margin = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def short(value):
    """A number beside an axis."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def bars(axes, names, values, colors, words):
    """Lying bars, the first on top, named inside of the panel."""
    place = np.arange(len(values))
    axes.barh(place, values, color=colors, height=0.75)
    axes.set_ylim(max(len(values), 6) - 0.4, -0.6)
    high = max(max(values, default=0), 0) or 1
    axes.set_xlim(0, 1.02 * high)
    axes.set_yticks(place)
    axes.set_yticklabels([shortened(name, 30) for name in names])
    for k, (value, word) in enumerate(zip(values, words)):
        inside = value > 0.6 * high
        axes.text(value + (-0.01 if inside else 0.01) * high, k, word, va="center", ha="right" if inside else "left",
                  fontsize=7.5, color="white" if inside else "black")


def draw_importance(axes, told):
    lines = [(one["share"] or 0, one["input"], MODEL) for one in told.rows["importance"]]
    lines += [(one["share"] or 0, " × ".join(one["inputs"]), ACCENT) for one in told.rows["pairs"]]
    lines = sorted((line for line in lines if line[0] >= 5e-4), key=lambda line: -line[0])
    shown = lines[:MOST_BARS]
    titled(axes, "What matters", "share of the variance of the answers", "")
    if not shown:
        say(axes, "the answers depend on no input")
        return
    bars(axes, [line[1] for line in shown], [line[0] for line in shown], [line[2] for line in shown],
         [percent(line[0]) for line in shown])
    left_out = len(told.rows["importance"]) - sum(line[2] == MODEL for line in shown)
    if left_out:
        axes.set_xlabel(f"share of the variance of the answers;\n{left_out:,} inputs that matter less are not shown",
                        fontsize=8)


def draw_answers(axes, told):
    titled(axes, "Answers", "answer", told.y_name)
    if told.made:
        say(axes, "needs --data")
        return
    x, y = told.answers, told.targets
    low, high = inner_limits(np.concatenate([x, y]))
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    shade(axes, x, y, np.ones(len(x)), False, (110, 90))
    axes.plot([low, high], [low, high], color=MODEL, linewidth=1)
    rms, explained = told.rows["rmse"], told.rows["r_squared"]
    words = f", R² {explained:.3f}" if explained is not None else ""
    axes.set_title(f"Answers{words}, rms error {number(rms)}", fontsize=10, loc="left", fontweight="bold")
    line = told.rows["straight_line"]["r_squared"]
    if line is not None:
        axes.set_xlabel(f"answer (a straight line has R² {line:.3f})", fontsize=9)
    note_outliers(axes, x, y)


def draw_regions(axes, told):
    titled(axes, "Where it errs", f"rms error of {told.y_name}", "")
    if told.made:
        say(axes, "needs --data")
        return
    worst = sorted(told.rows["regions"], key=lambda one: -(one["excess"] or 0))[:8]
    worst = [one for one in worst if (one["excess"] or 0) > 0]
    if not worst:
        say(axes, "nowhere more than elsewhere")
        return
    places = [f"{short(one['from'])} to {short(one['to'])}" if one["from"] is not None else one["what"] for one in worst]
    bars(axes, [f"{shortened(one['input'], 14)} {place}" for one, place in zip(worst, places)],
         [one["rmse"] for one in worst], DATA, [f"mean error {number(one['bias'])}" for one in worst])
    axes.axvline(told.rows["rmse"], color=MODEL, linewidth=1, linestyle="--")
    axes.set_xlabel(f"rms error of {told.y_name} (dashed: of all rows)", fontsize=8)


def draw_constants(axes, told):
    constants, errors = (Told.numbers(told.model[key]) for key in ("constants", "standard_errors"))
    titled(axes, f"{len(constants):,} constants, sorted", "segments", told.y_name)
    order = np.argsort(constants, kind="stable")
    order = order[np.isfinite(constants[order])]
    if len(order) == 0:
        say(axes, "no constant is a number")
        return
    if len(order) > MOST_CONSTANTS:
        order = order[np.linspace(0, len(order) - 1, MOST_CONSTANTS).astype(int)]
    place = np.arange(len(order)) * (len(constants) / len(order))
    band = np.where(np.isfinite(errors[order]), 2 * errors[order], 0)
    axes.fill_between(place, constants[order] - band, constants[order] + band, step="mid", color=MODEL, alpha=0.25,
                      linewidth=0, label="± 2 standard errors")
    axes.step(place, constants[order], where="mid", color=MODEL, linewidth=1.2)
    axes.set_ylim(*limits(constants[order]))
    axes.legend(fontsize=7.5, loc="upper left", framealpha=0.85)


def draw_joined(axes, told):
    titled(axes, "Error of other numbers of segments", "segments", f"rms error of {told.y_name}")
    risk = told.model.get("risk")
    if risk is None:
        say(axes, "too few rows in the segments")
        return
    m, error = np.asarray(risk["segments"], float), np.sqrt(Told.numbers(risk["leave_one_out"]))
    axes.plot(m, error, "-o", color=DATA, markersize=3.5, linewidth=1.3, label="joined, leave-one-out")
    best, least = risk["best_segments"], math.sqrt(max(risk["best_risk"] or 0, 0))
    if risk["approximation"] is not None and risk["approximation"] > 0 and best > m[-1]:
        further = np.geomspace(m[-1], 4 * best, 50)
        form = risk["noise"] + risk["approximation"] / further ** risk["power"] + risk["noise"] * further / risk["rows"]
        axes.plot(further, np.sqrt(form), ":", color=DATA, linewidth=1.3, label="more of them, by the theory")
    axes.axvline(best, color=ACCENT, linewidth=1, linestyle="--", label=f"m* ≈ {number(round(best))}, error {number(least)}")
    axes.set_xscale("log", base=2)
    if np.nanmin(error) > 0 and np.nanmax(error) > 8 * np.nanmin(error):
        axes.set_yscale("log")
        axes.set_ylim(np.nanmin(error) / 1.3, np.nanmax(error) * 3)
    axes.legend(fontsize=7.5, loc="upper right", framealpha=0.85)


def draw_effect(axes, told, effect):
    edges, parts = np.asarray(effect["edges"], float), Told.numbers(effect["parts"])
    lower, upper, errors = (Told.numbers(effect[key]) for key in ("lower", "upper", "standard_errors"))
    counts = np.asarray(effect["counts"])
    m = len(edges) - 1
    name = shortened(effect["input"], 30)
    titled(axes, name, name, f"adds to {told.y_name}")
    centres = edges[:-1] / 2 + edges[1:] / 2
    low, high = inner_limits(np.repeat(centres, counts[:m])) if counts[:m].any() else edges[[0, -1]]
    axes.set_xlim(max(low, edges[0]), min(high, edges[-1]))
    seen = (edges[1:] >= low) & (edges[:-1] <= high) & np.isfinite(parts[:m])
    if not np.any(seen):
        say(axes, "no answer is a number")
        return
    axes.stairs(upper[:m], edges, baseline=lower[:m], fill=True, color=DATA, alpha=0.18, linewidth=0,
                label="all but a tenth of the rows at each end")
    if not told.made:
        band = np.where(np.isfinite(errors[:m]), 2 * errors[:m], 0)
        axes.stairs(parts[:m] + band, edges, baseline=parts[:m] - band, fill=True, color=MODEL, alpha=0.3, linewidth=0,
                    label="± 2 standard errors of the rows there")
    axes.stairs(parts[:m], edges, baseline=None, color=MODEL, linewidth=1.4)
    both = np.concatenate([lower[:m][seen], upper[:m][seen], parts[:m][seen]])
    y_low, y_high = np.nanmin(both), np.nanmax(both)
    margin = 0.08 * (y_high - y_low) or 0.5 * abs(y_high) or 0.5
    axes.set_ylim(y_low - margin, y_high + margin)
    beside = [f"{word}: {parts[m + k]:+.3g}" for k, word in enumerate(("missing", "below", "above"))
              if np.isfinite(parts[m + k]) and counts[m + k] > 0]
    if beside:
        axes.text(0.99, 0.02, ", ".join(beside), transform=axes.transAxes, ha="right", fontsize=7.5, color=FAINT)


def draw_pair(axes, pair):
    first, second = (np.asarray(pair[key], float) for key in ("edges_first", "edges_second"))
    parts = Told.numbers(pair["parts"]).reshape(len(first) - 1, len(second) - 1)
    names = [shortened(name, 24) for name in pair["inputs"]]
    titled(axes, f"{names[0]} × {names[1]}", names[0], names[1])
    if not np.any(np.isfinite(parts)):
        say(axes, "no answer is a number")
        return
    # Runs have about equally many rows: all are drawn as wide, and named by their edges.
    reach = np.nanquantile(np.abs(parts), 0.98) or np.nanmax(np.abs(parts)) or 1
    mesh = axes.pcolormesh(np.arange(len(first)), np.arange(len(second)), np.ma.masked_invalid(parts.T), cmap="RdBu_r",
                           vmin=-reach, vmax=reach, rasterized=True)
    for edges, set_ticks, set_words in ((first, axes.set_xticks, axes.set_xticklabels),
                                        (second, axes.set_yticks, axes.set_yticklabels)):
        ticks = np.unique(np.linspace(0, len(edges) - 1, 5).astype(int))
        set_ticks(ticks)
        set_words([short(edges[k]) for k in ticks])
    bar = axes.figure.colorbar(mesh, ax=axes, extend="both", label="beyond what each adds alone")
    bar.ax.tick_params(labelsize=7)


def draw_told(told):
    panels = [draw_importance, draw_answers, draw_regions]
    if told.model["segments"]:
        panels += [draw_constants, draw_joined]
    effects = told.rows["effects"][:MOST_EFFECTS]
    pairs = told.rows["pair_effects"]
    lines = -(-(len(panels) + len(effects) + len(pairs)) // 3)
    figure = pyplot.figure(figsize=(11, 2.9 * lines + 0.4), dpi=110, layout="constrained")
    rows = figure.subfigures(lines, 1, squeeze=False)[:, 0]  # each with margins of its own
    places = [row.add_subplot(1, 3, k + 1) for row in rows for k in range(3)]
    kinds = {"tables": "sum of tables", "score": "levels of a score", "tree": "tree", "grid": "product grid"}
    inputs = told.model["num_inputs"]
    words = f"{told.y_name}: {kinds.get(told.model['partition'], 'model')} of {inputs:,} inputs"
    words += ", every segment of each taken as equally frequent" if told.made else \
        f", over {told.rows['rows']:,} rows" + (
            f", a sample of {told.rows['rows_in_all']:,}" if told.rows["rows_in_all"] > told.rows["rows"] else "")
    looked_at = len(told.rows["importance"])
    if looked_at < inputs:
        words += f"; {looked_at:,} inputs are looked at"
    if looked_at > len(effects):
        words += f"; shown are the {len(effects)} that matter most"
    figure.suptitle(words, fontsize=11, x=0.01, ha="left")
    left = iter(places)
    for panel in panels:
        panel(next(left), told)
    for k, effect in enumerate(effects):
        axes = next(left)
        draw_effect(axes, told, effect)
        if k == 0 and axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7, loc="lower right", framealpha=0.85)
    for pair in pairs:
        draw_pair(next(left), pair)
    for axes in left:
        axes.set_axis_off()
    return figure


def main_several(kind, rows, y_name):
    content, rows = sys.stdin.buffer.read(), int(rows)
    answers, targets = np.frombuffer(content[:16 * rows], "<f8").reshape(2, rows)
    told = Told(content[16 * rows:].decode(), answers, targets, shortened(y_name or "y", 30))
    figure = draw_told(told)
    save(figure, kind)
    if not told.made and told.rows["importance"]:
        first = told.rows["importance"][0]
        explained = told.rows["r_squared"]
        print(f"rms error {number(told.rows['rmse'])}"
              + (f", {percent(explained)} of the variance explained" if explained is not None else "")
              + f"; {first['input']} matters most", file=sys.stderr)


def save(figure, kind):
    figure.savefig(sys.stdout.buffer, format=kind, metadata={"Date": None} if kind == "svg" else None)
    sys.stdout.flush()


def main():
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "zcmoe", "font.size": 9,
                            "axes.formatter.limits": (-4, 6), "axes.formatter.useoffset": True})
    if len(sys.argv) == 4:
        main_several(*sys.argv[1:])
        return
    path, kind, columns, rows, rows_in_all, x_name, y_name = sys.argv[1:]
    model = Model(path)
    samples, risks = None, np.zeros((0, 2))
    if int(columns) > 0:
        numbers = np.frombuffer(sys.stdin.buffer.read(), "<f8")
        place = int(columns) * int(rows)
        samples = Samples(numbers[:place].reshape(int(columns), -1), int(rows_in_all))
        risks = numbers[place:].reshape(-1, 2)
    names = (shortened(x_name or model.metadata.get("feature_name") or "x"),
             shortened(y_name or model.metadata.get("target_name") or "y"))
    figure, best = draw(model, samples, risks, names)
    save(figure, kind)
    if best is not None:
        plural = "" if best[0] == 1 else "s"
        print(f"least leave-one-out error {number(best[1])} with {best[0]:,} segment{plural} (optimal cuts)",
              file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # one line for the command line to repeat
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
