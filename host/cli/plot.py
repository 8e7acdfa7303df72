"""Draws a model file: its segments over the data, residuals, counts, and the risk for other numbers of segments.

Run by `zcmoe plot`, which reads and samples the table:

    plot.py MODEL svg|png|pdf COLUMNS ROWS ROWS_IN_ALL X_NAME Y_NAME < numbers > picture

Standard input is float64: COLUMNS (0, 2 or 3: x, y, weights) runs of ROWS numbers, one column after the other; then the
risks of other tables, each its number of segments and its leave-one-out error. On failure the last line of standard
error says why; exit status 3: a package is missing. Needs numpy and matplotlib 3.6 or later; the model
file is read here, without the safetensors package.
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
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "zcmoe", "font.size": 9,
                            "axes.formatter.limits": (-4, 6), "axes.formatter.useoffset": True})
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


def main():
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
    figure.savefig(sys.stdout.buffer, format=kind, metadata={"Date": None} if kind == "svg" else None)
    sys.stdout.flush()
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
