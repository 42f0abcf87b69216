"""Every drawing of the book, in one house style.

Call `style()` once at the top of a notebook. Each function draws into the `ax` that it is
given, or into a new figure, and returns the Axes (`masks` an array of them). Weights are laid out
as everywhere in the book: a row for each query or target word, a column for each source word.
Numbers may be NumPy arrays, nested lists or PyTorch tensors.

One family of blues carries quantity, from paper white to navy in steps of equal lightness, so
that it reads the same in grey; one warm colour, always with a shape of its own, points.
"""

import sys
from importlib.util import find_spec
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.textpath import text_to_path

PAPER, INK, QUIET, RULE, WASH = "#ffffff", "#121a23", "#5b6672", "#c3ccd6", "#e8f1f9"
DEEP, ACCENT, POINT = "#14447a", "#2a77bb", "#b8500f"
BLUES = LinearSegmentedColormap.from_list(  # CIE lightness 98, 88, … 18
    "essentials", ["#f8fafc", "#c5e3f7", "#95c9ef", "#6aafe4", "#4693d2", "#2a77bb", "#1a5d9d",
                   "#14447a", "#122d53"])
LINES = list(zip([DEEP, POINT, ACCENT, QUIET, INK, POINT],
                 ["-", (0, (5, 2)), (0, (6, 2, 1, 2)), (0, (1, 1.5)), (0, (9, 2)), (0, (2, 2))],
                 "os^DvP"))
METADATA = dict.fromkeys(["Creator", "Date", "Format", "Type"])  # nothing that changes

# The running example: four words and their features, a query, scaled dot scores, weights.
SOURCE, TARGET = ("the", "black", "cat", "sleeps"), ("le", "chat", "noir", "dort")
FEATURES = np.array([[0, 0, 0, 2], [0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 2, 0]])
QUERY = np.array([2, 1, 0, 0])
SCORES = FEATURES @ QUERY / 2
WEIGHTS = np.exp(SCORES) / np.exp(SCORES).sum()


def style():
    """Set the house style: fonts (Chinese included), colours, and SVG in notebooks.

    Raises ImportError if the package mplfonts, which brings the Chinese font, is missing.
    """
    package = find_spec("mplfonts")
    if package is None:
        raise ImportError("The figures need the Chinese font of the package mplfonts, which is "
                          "not installed: run `pip install -r requirements.txt`.")
    font = f"{package.submodule_search_locations[0]}/fonts/NotoSansCJKsc-Regular.otf"
    if fontManager.ttflist[0].fname != font:
        fontManager.addfont(font)
        fontManager.ttflist.sort(key=lambda entry: entry.fname != font)  # before any other copy
    mpl.rcParams.update({
        "font.family": ["DejaVu Sans", "Noto Sans CJK SC"], "font.size": 10,
        "mathtext.fontset": "dejavusans",
        "figure.facecolor": PAPER, "savefig.facecolor": PAPER, "axes.facecolor": PAPER,
        "figure.figsize": (5.6, 3.2), "savefig.bbox": "tight", "savefig.dpi": 200,
        "svg.fonttype": "path", "svg.hashsalt": "transformer-essentials",
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": QUIET,
        "xtick.color": QUIET, "ytick.color": QUIET,
        "xtick.labelcolor": INK, "ytick.labelcolor": INK,
        "axes.titlesize": 11, "axes.titlelocation": "left", "axes.titlepad": 9,
        "axes.spines.top": False, "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=[line[0] for line in LINES]),
        "axes.axisbelow": True, "grid.color": RULE, "grid.linewidth": 0.6,
        "hatch.color": RULE, "hatch.linewidth": 0.8,
        "legend.frameon": False, "lines.linewidth": 1.8,
    })
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
        from matplotlib_inline.config import InlineBackend

        backend = InlineBackend.instance()
        backend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": METADATA}
        backend.figure_formats = {"svg"}


# ---------------------------------------------------------------- numbers, words and colours


def _numbers(values, rows=None, columns=None):
    """The values as a float matrix (a vector is one row), of the shape that the names ask for."""
    values = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, float)
    values = np.atleast_2d(values)
    for axis, names in enumerate((rows, columns)):
        if values.ndim != 2 or (names is not None and values.shape[axis] != len(names)):
            wanted = tuple("any" if n is None else len(n) for n in (rows, columns))
            raise ValueError(f"the values have shape {values.shape}, the names ask for {wanted}")
    return values


def _written(values, digits=2):
    """Each number as text, in one form: bare if all are whole, else with `digits` decimals."""
    values = np.ma.masked_invalid(values)
    digits = 0 if np.all(values == np.round(values)) else digits
    rounded = np.round(values.data, digits) + 0.0  # no minus before a zero
    texts = [f"{value:.{digits}f}".replace("-", "−") for value in rounded.flat]
    return np.array(texts, object).reshape(values.shape)


def luminance(color):
    """Relative luminance of a colour (WCAG 2.2), from 0 for black to 1 for white."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def ink_on(color):
    """White wherever its contrast on the colour is at least 4, else dark ink."""
    return PAPER if 1.05 / (luminance(color) + 0.05) >= 4 else INK


def _width(text, size=10):
    """Width of a text in inches."""
    font = FontProperties(size=size)
    return text_to_path.get_text_width_height_descent(str(text), font, ismath=False)[0] / 72


def _axes(ax, width, height):
    """The given Axes, or new ones of exactly this size in inches (labels hang outside)."""
    return ax or plt.figure(figsize=(width, height)).add_axes((0, 0, 1, 1))


def _name(ax, rows, columns):
    """Write the words on the axes, columns on top; slanted where they don't fit level."""
    ax.apply_aspect()
    extent = ax.get_window_extent()
    for axis, words, room in ((ax.xaxis, columns, extent.width), (ax.yaxis, rows, extent.height)):
        axis.set_tick_params(length=0, pad=3)
        if words is None:
            continue
        room = room / ax.figure.dpi / len(words)
        size = float(np.clip(72 * room, 7.5, 10))
        words = ["·" if word == " " else str(word) for word in words]
        axis.set_ticks(range(len(words)), words, size=size, parse_math=False)
        tight = max(_width(word, size) for word in words) > 0.95 * room
        if axis is ax.xaxis and tight and max(map(len, words)) > 1:
            plt.setp(axis.get_ticklabels(), rotation=45, ha="left", rotation_mode="anchor")


# ---------------------------------------------------------------- matrices


def heatmap(matrix, rows=None, columns=None, *, title=None, xlabel=None, ylabel=None,
            numbers="auto", digits=2, vmin=None, vmax=None, mask=None, bar=None, ax=None):
    """A matrix as shades of blue, the first row on top.

    matrix (R, C); rows and columns: names, or None for plain indices. numbers: write them into
    the cells (auto: where they fit). The scale runs from vmin (default: the least value, at
    most 0) to vmax (default: the greatest). mask (R, C) bool as in `attention`: True may be
    attended to, False is hidden and hatched. bar: a scale beside (default: where no numbers are).
    """
    matrix = _numbers(matrix, rows, columns)
    hidden = np.isnan(matrix) if mask is None else ~np.asarray(mask, bool)
    shown = np.ma.masked_where(np.broadcast_to(hidden, matrix.shape), matrix)
    n_rows, n_columns = matrix.shape
    longest = max(matrix.shape)
    cell = min(0.52, min(6.2, max(4.8, 0.16 * longest)) / longest)
    if numbers == "auto":
        numbers = cell > 0.4
    vmin = min(0.0, shown.min()) if vmin is None else vmin
    vmax = shown.max() if vmax is None else vmax
    vmax = vmax if vmax > vmin else vmin + 1
    ax = _axes(ax, cell * n_columns, cell * n_rows)
    image = ax.imshow(shown, BLUES, vmin=vmin, vmax=vmax, interpolation="none")
    if np.ma.is_masked(shown):  # hidden cells are holes in the image, hatched behind
        ax.add_patch(Rectangle((-0.5, -0.5), n_columns, n_rows, fill=False, hatch="////", ec=RULE,
                               lw=0, zorder=-1))
    if numbers:
        for (i, j), text in np.ndenumerate(_written(shown, digits)):
            if shown[i, j] is not np.ma.masked:
                ink = ink_on(BLUES(image.norm(shown[i, j])))
                ax.text(j, i, text, ha="center", va="center", size=9, color=ink)
    if longest <= 24:
        ax.vlines(np.arange(1, n_columns) - 0.5, -0.5, n_rows - 0.5, PAPER, lw=1.2)
        ax.hlines(np.arange(1, n_rows) - 0.5, -0.5, n_columns - 0.5, PAPER, lw=1.2)
    ax.spines[:].set(visible=True, color=RULE)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    _name(ax, rows, columns)
    if bar or (bar is None and not numbers):
        scale = ax.inset_axes((1.04, 0, 0.035, 1))
        scale.imshow(np.linspace(vmin, vmax, 64)[:, None], BLUES, aspect="auto", origin="lower",
                     extent=(0, 1, vmin, vmax), interpolation="none")
        scale.spines[:].set(visible=True, color=RULE)
        scale.set_xticks([])
        scale.yaxis.tick_right()
    return ax


def alignment(weights, source, target, *, gold=None, title=None, ax=None):
    """Who looks at whom: source words across the top, target words down the side.

    weights (T, S) between 0 (white) and 1 (navy); gold: pairs (source index, target index),
    outlined. Words may be single characters, of any script.
    """
    ax = heatmap(weights, target, source, numbers=False, vmin=0, vmax=1, bar=False,
                 title=title, ax=ax)
    for j, i in sorted(gold or ()):
        ax.add_patch(Rectangle((j - 0.42, i - 0.42), 0.84, 0.84, fill=False, ec=POINT, lw=1.6,
                               path_effects=[withStroke(linewidth=3.2, foreground=PAPER)]))
    return ax


def masks(patterns, words=None):
    """Masks side by side: {name: (T, S) bool}, True (blue) may be attended to, False is hatched."""
    fig, axes = plt.subplots(1, len(patterns), figsize=(1.85 * len(patterns), 2.3),
                             squeeze=False, layout="constrained")
    for ax, (name, mask) in zip(axes[0], patterns.items()):
        names = words or [str(i + 1) for i in range(np.shape(mask)[-1])]
        heatmap(np.full(np.shape(mask), 0.45), names[: len(mask)], names, mask=mask, numbers=False,
                vmax=1, bar=False, ax=ax)
        ax.set_title(name, size=10)
    return axes[0]


def grid(values, rows=None, columns=None, *, highlight=(), title=None, digits=2, ax=None):
    """A matrix as cells with its numbers, for work by hand.

    values (R, C), or (C,) for one row; rows and columns: names. highlight: cells (i, j) to
    tint; None in place of i or j stands for all of them.
    """
    values = _numbers(values, rows, columns)
    width = max([0.5] + [_width(name) + 0.12 for name in columns or ()])
    ax = _canvas(ax, width * values.shape[1], 0.32 * len(values))
    _cells(ax, 0, 0.32 * len(values), values, (width, 0.32), rows, columns,
           highlight=highlight, digits=digits, size=10)
    ax.set_title(title, pad=24 if columns else 9)
    return ax


# ---------------------------------------------------------------- weights and curves


def arcs(weights, words, row, *, title=None, ax=None):
    """What one word looks at: arcs from word number `row`, wider and darker with the weight.

    weights (S,), or (T, S) of which that row is taken; the numbers stand below the words.
    """
    weights = _numbers(weights, None, words)
    weights = weights[row if len(weights) > 1 else 0]
    widths = [max(_width(word, 11), 0.36) + 0.22 for word in words]
    x = np.cumsum(widths) - np.array(widths) / 2
    reach = max(abs(x - x[row]))
    ax = _canvas(ax, sum(widths), 0.65 + min(0.6 * reach, 1.5))
    for j in np.argsort(weights):
        away = abs(x[j] - x[row])
        top = 0.6 + (0.8 * away if 0.6 * reach < 1.5 else 2 * away / reach)
        curve = [(x[row], 0.6), (x[row], top), (x[j], top), (x[j], 0.6)]
        if j == row:
            curve = [(x[j], 0.6), (x[j] - 0.5, 1.15), (x[j] + 0.5, 1.15), (x[j], 0.6)]
        path = Path(curve, [Path.MOVETO] + 3 * [Path.CURVE4])
        ax.add_patch(PathPatch(path, fill=False, capstyle="butt", **_stroke(weights[j])))
    for j, text in enumerate(_written(weights)):
        _label(ax, x[j], 0.38, words[j], size=11, color=POINT if j == row else INK, va="baseline")
        _label(ax, x[j], 0.12, text, size=9, color=QUIET, va="baseline")
    ax.set_title(title)
    return ax


def links(weights, source, target, *, title=None, ax=None):
    """All weights (T, S) as lines: target words on the left, the source words they ask right."""
    weights = _numbers(weights, target, source)
    height = 0.34 * max(weights.shape)
    ax = _canvas(ax, 2.4, height)
    left, right = (height * (1 - (np.arange(n) + 0.5) / n) for n in weights.shape)
    for i, j in sorted(np.ndindex(weights.shape), key=lambda ij: weights[ij]):
        ax.plot([0, 2.4], [left[i], right[j]], solid_capstyle="butt", **_stroke(weights[i, j]))
    for x, ys, words, side in ((-0.08, left, target, "right"), (2.48, right, source, "left")):
        for y, word in zip(ys, words):
            _label(ax, x, y, word, ha=side)
    ax.set_title(title)
    return ax


def bars(values, labels, *, highlight=None, xlabel=None, title=None, digits=2, ax=None):
    """Numbers (N,) as labelled level bars, the first on top; highlight: the index of one."""
    values = _numbers(values, None, labels)[0]
    ax = _axes(ax, 4.0, 0.32 * len(labels))
    drawn = ax.barh(range(len(labels)), values, height=0.68, color=BLUES(0.5))
    if highlight is not None:
        drawn[highlight].set(color=DEEP)
    ax.bar_label(drawn, _written(values, digits), padding=4, color=INK)
    ax.set_yticks(range(len(labels)), labels, parse_math=False)
    ax.set(ylim=(len(labels) - 0.5, -0.5), xlabel=xlabel, title=title)
    ax.margins(x=0.18)
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=QUIET, lw=0.8)
    ax.spines["left"].set_visible(False)
    return ax


def curves(xs, series, *, xlabel=None, ylabel=None, band=None, log="", title=None, ax=None):
    """Lines told apart by dash and marker, and named at their ends.

    xs: numbers, or names of buckets. series: {name: ys}; a shorter ys belongs to the first xs.
    band: {name: (low, high)} shades a range around a line. log: the logarithmic axes, "x", "y"
    or "xy". At most 6 lines.
    """
    if len(series) > len(LINES) or any(len(ys) > len(xs) for ys in series.values()):
        raise ValueError(f"at most {len(LINES)} lines of at most {len(xs)} points (as many as "
                         f"xs has), given {[len(ys) for ys in series.values()]}")
    ax = _axes(ax, 4.2, 2.7)
    named = isinstance(xs[0], str)
    at = np.arange(len(xs)) if named else np.asarray(xs)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale="log" if "x" in log else "linear",
           yscale="log" if "y" in log else "linear")
    for (name, ys), (color, dash, marker) in zip(series.items(), LINES):
        ax.plot(at[: len(ys)], ys, color=color, ls=dash, marker=marker, ms=5, label=name,
                markevery=max(1, len(ys) // 8))
        if name in (band or {}):
            ax.fill_between(at[: len(ys)], *band[name], color=color, alpha=0.14, lw=0)
    if named or ("x" in log and len(at) < 9):
        ax.set_xticks(at, xs)
        ax.set_xticks([], minor=True)
    ax.grid(axis="y")
    _name_ends(ax, len(series))
    return ax


def timeline(models, *, ax=None):
    """Models by date and size, a marker for each family; models: as in `timeline.MODELS`."""
    ax = _axes(ax, 5.6, 3.3)
    families = list(dict.fromkeys(model.family for model in models))
    for family, (color, _, marker) in zip(families, LINES):
        own = [model for model in models if model.family == family]
        ax.plot([m.date for m in own], [m.parameters for m in own], marker, color=color, ms=8,
                label=family)
    for model in models:
        million = model.parameters / 1e6
        size = f"{million / 1e3:.3g} billion" if million >= 1e3 else f"{million:.0f} million"
        ax.annotate(f"{model.name}\n{size}", (model.date, model.parameters), (9, 0), size=9,
                    textcoords="offset points", va="center", linespacing=1.1)
    first, last = min(m.date for m in models), max(m.date for m in models)
    ax.set(yscale="log", xlim=(first - 0.3, last + 0.75), ylabel="parameters of the largest",
           ylim=(min(m.parameters for m in models) / 2, max(m.parameters for m in models) * 3))
    ax.set_xticks(range(int(first) + (first % 1 > 0.3), int(last) + 1))
    ax.set_yticks([1e8, 1e9, 1e10, 1e11], ["100 million", "1 billion", "10 billion", "100 billion"])
    ax.set_yticks([], minor=True)
    ax.grid(axis="both")
    ax.legend(loc="upper left")
    return ax


def _name_ends(ax, n_lines):
    """Write each line's name behind its last point, pushed apart where names would touch."""
    ax.autoscale_view()
    lines = ax.lines[-n_lines:]
    ends = [line.get_xydata()[np.isfinite(line.get_xydata()[:, 1])][-1] for line in lines]
    heights = 72 / ax.figure.dpi * ax.transData.transform(ends)[:, 1]
    order, places = np.argsort(heights, kind="stable"), heights.copy()
    for below, above in 20 * list(zip(order, order[1:])):
        push = max(0.0, 13 - (places[above] - places[below])) / 2
        places[[below, above]] += -push, push
    for line, end, shift in zip(lines, ends, places - heights):
        ax.annotate(line.get_label(), end, (8, shift), textcoords="offset points", va="center",
                    color=line.get_color(), annotation_clip=False,
                    bbox={"fc": PAPER, "ec": "none", "pad": 0.5, "alpha": 0.75})


# ---------------------------------------------------------------- a small language of diagrams
# Drawn on a canvas whose unit is the inch: boxes do something, cells hold numbers, arrows carry
# them, a numbered badge is a step.


class _Box(NamedTuple):
    """Where something was drawn: its centre and size. The four sides are points for arrows."""

    x: float
    y: float
    w: float
    h: float

    left = property(lambda b: (b.x - b.w / 2, b.y))
    right = property(lambda b: (b.x + b.w / 2, b.y))
    top = property(lambda b: (b.x, b.y + b.h / 2))
    bottom = property(lambda b: (b.x, b.y - b.h / 2))


def _canvas(ax, width, height):
    """Axes without frame or ticks, of this size in inches and a hair around."""
    ax = _axes(ax, width + 0.06, height + 0.06)
    ax.set(xlim=(-0.03, width + 0.03), ylim=(-0.03, height + 0.03), aspect="equal")
    ax.set_axis_off()
    return ax


def _label(ax, x, y, text, *, size=10, color=INK, ha="center", va="center"):
    """A text; mathematics is written $between two$ dollar signs."""
    text = str(text)
    if va == "center" and "\n" not in text:  # by its baseline: neighbours stand level
        y, va = y - 0.36 * size / 72, "baseline"
    ax.text(x, y, text, size=size, color=color, ha=ha, va=va, linespacing=1.3,
            parse_math=text.count("$") > 1, zorder=5)


def _box(ax, x, y, text, w=1.0, h=0.36, *, fill=WASH):
    """A rounded box around (x, y) with a text; returns where it is."""
    ax.add_patch(FancyBboxPatch((x - w / 2, y - h / 2), w, h, fc=fill, ec=DEEP, lw=0.9, zorder=3,
                                boxstyle="round,pad=0,rounding_size=0.07"))
    _label(ax, x, y, text, color=ink_on(fill))
    return _Box(x, y, w, h)


def _arrow(ax, *points, head="-|>"):
    """An arrow through the points."""
    ax.add_patch(FancyArrowPatch(path=Path(points), arrowstyle=head, mutation_scale=9, lw=1.1,
                                 color=QUIET, joinstyle="round", capstyle="butt"))


def _stroke(weight):
    """How a line shows a weight from 0 to 1: by its width and its darkness."""
    return {"lw": 0.6 + 6 * float(weight), "color": BLUES(0.3 + 0.5 * float(weight))}


def _badge(ax, x, y, text, note="", ha="left"):
    """A numbered step, with a note beside it; returns where it is."""
    ax.add_patch(Circle((x, y), 0.115, fc=DEEP, ec=DEEP, zorder=4))
    _label(ax, x, y, text, size=9, color=PAPER)
    _label(ax, x + (0.19 if ha == "left" else -0.19), y, note, size=9, ha=ha)
    return _Box(x, y, 0.25, 0.25)


def _cells(ax, left, top, values, cell, rows=None, columns=None, *, highlight=(),
           digits=2, size=9, blank=False, tint=False):
    """A matrix of cells with its numbers (or blank), its top left corner at (left, top)."""
    values, (w, h) = np.atleast_2d(values).astype(float), cell
    for (i, j), text in np.ndenumerate(_written(values, digits)):
        lit = any(a in (None, i) and b in (None, j) for a, b in highlight)
        fill = BLUES(values[i, j]) if tint else BLUES(0.12) if lit else PAPER
        x, y = left + w * j, top - h * (i + 1)
        ax.add_patch(Rectangle((x, y), w, h, fc=fill, ec=DEEP if lit else "#8fa3b8", lw=0.8,
                               zorder=4 if lit else 3.5))
        if not blank:
            _label(ax, x + w / 2, y + h / 2, text, size=size, color=ink_on(fill))
    for i, name in enumerate(rows or ()):
        _label(ax, left - 0.08, top - h * (i + 0.5), name, ha="right")
    for j, name in enumerate(columns or ()):
        _label(ax, left + w * (j + 0.5), top + 0.09, name, va="baseline")
    n, m = values.shape
    return _Box(left + m * w / 2, top - n * h / 2, m * w, n * h)


def _stack(ax, x, y, steps, w, rise=0.56, h=0.36):
    """Boxes with arrows, one above the other from (x, y) upwards."""
    boxes = [_box(ax, x, y + rise * n, text, w, h) for n, text in enumerate(steps)]
    for below, above in zip(boxes, boxes[1:]):
        _arrow(ax, below.top, above.bottom)
    return boxes


def corruptions(rows, *, title=None, ax=None):
    """Texts below each other, a box for each token: what a corruption leaves of a text.

    rows: {name: tokens}. A token is (text, tint): tint 0 to 1, by which sentences are told apart,
    or None for a mark that stands in the place of words.
    """
    width = max(sum(_width(text) + 0.2 for text, _ in tokens) for tokens in rows.values())
    left = max(map(_width, rows)) + 0.15
    ax = _canvas(ax, left + width, 0.42 * len(rows))
    for n, (name, tokens) in enumerate(rows.items()):
        x, y = left, 0.42 * (len(rows) - n - 0.5)
        _label(ax, left - 0.12, y, name, ha="right")
        for text, tint in tokens:
            w = _width(text) + 0.2
            _box(ax, x + w / 2, y, text, w - 0.05, 0.3, fill=INK if tint is None else BLUES(tint))
            x += w
    ax.set_title(title)
    return ax


# ---------------------------------------------------------------- images and where one looks


def gaze(image, path=(), *, title=None, size=2.4, ax=None):
    """An image with the places looked at, numbered and joined in their order.

    image: (Y, X) from 0 to 1, drawn from white to navy, or (Y, X, 3), red, green, blue.
    path: places (row, column) in pixels; one that comes again is drawn a little to the right.
    size: width in inches, where no ax is given.
    """
    path = [(y, x + 0.07 * len(image[0]) * list(path[:n]).count((y, x)))
            for n, (y, x) in enumerate(path)]
    image = np.clip(np.asarray(image), 0, 1)
    ax = _axes(ax, size, size * image.shape[0] / image.shape[1])
    ax.imshow(image, BLUES, vmin=0, vmax=1, interpolation="none")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color=RULE)
    ax.set_title(title, size=10, pad=5)
    if len(path):
        ys, xs = np.asarray(path, float).T
        ax.plot(xs, ys, color=POINT, lw=1.6,
                path_effects=[withStroke(linewidth=3.2, foreground=PAPER)])
    for n, (y, x) in enumerate(path, 1):
        ax.plot(x, y, "o", ms=12, color=POINT, mec=PAPER, mew=1.2, zorder=4)
        ax.annotate(str(n), (x, y), ha="center", va="center_baseline", size=9, color=PAPER,
                    zorder=5)
    return ax


# ---------------------------------------------------------------- the book's diagrams


def four_steps(example=False, ax=None):
    """The general attention model in its four labelled steps; example: with numbers written in.

    The numbers are the running example's: four words, q = (2, 1, 0, 0), scaled dot scores.
    """
    rows = [SOURCE if example else [f"${letter}_{n}$" for n in range(1, 5)] for letter in "fk"]
    look, note = {"blank": not example, "digits": 3}, {"size": 9, "color": QUIET}
    ax = _canvas(ax, 5.75, 4.0)
    f = _cells(ax, 2.33, 3.8, FEATURES, (0.26, 0.26), rows[0], **look)
    k = _cells(ax, 0.5, 2.0, FEATURES, (0.26, 0.26), rows[1], **look)
    q = _cells(ax, 0.5, 0.26, QUERY, (0.26, 0.26), **look)
    e = _cells(ax, 2.2, 2.0, SCORES[:, None], (0.32, 0.26), **look)
    a = _cells(ax, 3.19, 2.0, WEIGHTS[:, None], (0.46, 0.26), tint=True, **look)
    v = _cells(ax, 3.95, 2.0, FEATURES, (0.45, 0.26), **look)
    c = _cells(ax, 3.95, 0.26, WEIGHTS @ FEATURES, (0.45, 0.26), highlight=[(None, None)], **look)
    one, two, three, four = (_badge(ax, *place) for place in (
        (f.x, 2.46, 1), (1.87, k.y, 2), (2.86, k.y, 3), (v.x, 0.64, 4)))
    _badge(ax, 0.3, q.y, 1)
    _arrow(ax, f.bottom, one.top)
    _arrow(ax, one.left, (k.x, one.y), k.top)
    _arrow(ax, one.right, (v.x, one.y), v.top)
    for start, badge, end in ((k, two, e), (e, three, a)):
        _arrow(ax, start.right, badge.left)
        _arrow(ax, badge.right, end.left)
    _arrow(ax, q.right, (two.x, q.y), two.bottom)
    _arrow(ax, a.bottom, (a.x, four.y), four.left)
    _arrow(ax, v.bottom, four.top)
    _arrow(ax, four.bottom, c.top)
    for cells, name in ((f, "features $F$"), (k, "keys $K$"), (e, "scores $e$"),
                        (a, "weights $a$"), (v, "values $V$"), (q, "query $q$")):
        wide = cells.w > 0.5
        _label(ax, cells.x - wide * cells.w / 2, cells.y + cells.h / 2 + 0.09, name,
               ha="left" if wide else "center", va="baseline")
    _label(ax, c.x - c.w / 2 - 0.1, c.y, "context $c$", ha="right")
    _label(ax, two.x, two.y + 0.27, "similarity", **note)
    _label(ax, three.x, three.y + 0.27, "alignment", **note)
    _label(ax, four.x + 0.2, four.y, "weighted\nsum", ha="left", **note)
    if example:
        _label(ax, two.x + 0.08, two.y - 0.75, r"$q \cdot k\,/\sqrt{4}$", ha="left", **note)
        _label(ax, three.x, three.y - 0.27, "softmax", **note)
    return ax


def qkv_search_merge(words=SOURCE, weights=WEIGHTS, ax=None):
    """Queries, keys and values as a search, which gives weights (S,), and then a merge."""
    weights = _numbers(weights, None, words)[0]
    top = 0.55 * len(words)
    ax = _canvas(ax, 5.5, top + 0.75)
    q = _box(ax, 0.45, top / 2, "query $q$", 0.9, 0.42, fill=DEEP)
    c = _box(ax, 5.0, top / 2, "context $c$", 1.0, 0.42, fill=DEEP)
    for n, (word, weight) in enumerate(zip(words, weights)):
        y = top - 0.55 * (n + 0.5)
        key = _box(ax, 2.1, y, word, 0.95)
        value = _box(ax, 3.5, y, f"$v_{{{n + 1}}}$", 0.5, fill=PAPER)
        _arrow(ax, q.right, key.left)
        _arrow(ax, key.right, value.left)
        _label(ax, 2.9, y + 0.12, _written([weight], 3)[0], size=9)
        ax.plot(*zip(value.right, c.left), solid_capstyle="butt", **_stroke(weight))
    for x, text in ((2.1, "keys"), (2.9, "weights"), (3.5, "values")):
        _label(ax, x, top + 0.08, text, color=QUIET, va="baseline")
    _badge(ax, 0.35, top + 0.55, 1, "search: who can answer?")
    _badge(ax, 3.3, top + 0.55, 2, "merge: take what they give")
    return ax


def self_attention(words=SOURCE, row=2, weights=None, ax=None):
    """One word's way through self-attention: its query, all keys and values, its new vector.

    weights (S,) tints the cells and is written in; without them the cells stay blank.
    """
    blank = weights is None
    weights = _numbers(np.zeros(len(words)) if blank else weights, None, words)[0]
    pitch, left = 1.22, 0.75
    ax = _canvas(ax, left + pitch * len(words), 4.05)
    x = left + pitch * (np.arange(len(words)) + 0.5)
    ask = {"color": DEEP, "lw": 1.6, "zorder": 0.5}
    ax.plot([x[0] - 0.36, x[-1] - 0.36], [1.5, 1.5], **ask)
    new = _box(ax, x.mean(), 3.85, f"new vector of “{words[row]}”", 2.2, fill=DEEP)
    mix = _badge(ax, new.x, 3.3, "Σ")
    _arrow(ax, mix.top, new.bottom)
    for j, weight in enumerate(weights):
        _box(ax, x[j], 0.18, words[j], 1.0, fill=DEEP if j == row else WASH)
        k = _box(ax, x[j] - 0.36, 0.88, f"$k_{j + 1}$", 0.32, 0.32, fill=PAPER)
        v = _box(ax, x[j] + 0.36, 0.88, f"$v_{j + 1}$", 0.32, 0.32, fill=PAPER)
        a = _cells(ax, k.x - 0.23, 2.27, weight, (0.46, 0.28), digits=3, blank=blank, tint=True)
        times, dot = (_badge(ax, *place) for place in ((v.x, a.y, "×"), (k.x, 1.5, "•")))
        ax.plot([v.x] * 2, [1.4, 1.6], color=PAPER, lw=6, zorder=0.7)  # a bridge
        for start, end in ((k.top, dot.bottom), (dot.top, a.bottom), (a.right, times.left),
                           (v.top, times.bottom)):
            _arrow(ax, start, end)
        for box in (k, v):
            _arrow(ax, (box.x, 0.36), box.bottom)
        ax.plot(*zip(times.top, mix.bottom), **_stroke(0.1 if blank else weight))
        if j == row:
            q = _box(ax, x[j], 0.88, f"$q_{j + 1}$", 0.32, 0.32, fill=DEEP)
            _arrow(ax, (q.x, 0.36), q.bottom)
            ax.plot([q.x, q.x], [1.0, 1.5], **ask)
    for y, text in ((0.18, "words"), (0.88, "q, k, v"), (1.5, "scores"), (a.y, "weights"),
                    (3.3, "weighted\nsum")):
        _label(ax, 0, y, text, size=9, color=QUIET, ha="left")
    return ax


def multi_head(n_heads=3, ax=None):
    """Multi-head attention, upwards: small attentions side by side, joined; beside them, shapes.

    T words of width D, H heads; of more than four heads the first two and the last are drawn.
    """
    heads = list(range(1, n_heads + 1)) if n_heads <= 4 else [1, 2, None, n_heads]
    middle = 0.55 * len(heads)
    ax = _canvas(ax, 2 * middle + 1.1, 3.85)
    joined, mixed = _stack(ax, middle, 2.55, ["join the heads", "mix by $W^O$"], 2 * middle - 0.1)
    words = _box(ax, middle, 0.18, "vectors of the words", 2 * middle - 0.1)
    _arrow(ax, mixed.top, (middle, 3.6))
    _label(ax, middle, 3.72, "new vectors of the words")
    for n, head in enumerate(heads):
        x = 1.1 * n + 0.55
        if head is None:
            _label(ax, x, 1.3, "…", size=16)
            continue
        projected, attended = _stack(ax, x, 0.92, [
            f"$Q_{{{head}}}\\ K_{{{head}}}\\ V_{{{head}}}$", f"attention\nhead {head}"],
            0.95, 0.8, 0.46)
        _arrow(ax, (x, words.top[1]), projected.bottom)
        _arrow(ax, attended.top, (x, joined.bottom[1]))
    for y, text in ((0.18, r"$T \times D$"), (1.32, "$T \\times D/H$\neach"),
                    (joined.y, r"$T \times D$"), (mixed.y, r"$T \times D$")):
        _label(ax, 2 * middle + 0.1, y, text, color=QUIET, ha="left")
    return ax


def encoder_decoder(attention=False, ax=None):
    """The recurrent encoder-decoder: unrolled around its bottleneck, or with attention.

    With attention: the six numbered steps that lead to the second French word.
    """
    return _attention_step(ax) if attention else _bottleneck(ax)


def _bottleneck(ax):
    """All that the decoder learns of the sentence is one vector c."""
    ax = _canvas(ax, 6.0, 1.95)
    middle = _box(ax, 3.0, 0.85, "$c$", 0.5, 0.5, fill=DEEP)
    _label(ax, 3.0, 1.37, "the whole\nsentence", size=9)
    for start, letter, below, above, name in (
            (0.32, "h", SOURCE, None, "encoder"),
            (3.76, "s", ("<bos>",) + TARGET[:-1], TARGET, "decoder")):
        cells = [_box(ax, start + 0.64 * n, 0.85, f"${letter}_{n + 1}$", 0.44) for n in range(4)]
        for n, cell in enumerate(cells):
            _label(ax, cell.x, 0.1, below[n])
            _arrow(ax, (cell.x, 0.27), cell.bottom)
            if above:
                _arrow(ax, cell.top, (cell.x, 1.32))
                _label(ax, cell.x, 1.44, above[n])
        chain = cells + [middle] if letter == "h" else [middle] + cells
        for one, other in zip(chain, chain[1:]):
            _arrow(ax, one.right, other.left)
        _label(ax, (cells[0].x + cells[-1].x) / 2, 1.85, name, size=11)
    return ax


def _attention_step(ax):
    """One step of a decoder with attention, upwards, with the running example's weights."""
    ax = _canvas(ax, 5.6, 4.35)
    xs = 1.35 + 0.8 * np.arange(4)
    scores, shares = (_box(ax, xs.mean(), y, "", 3.1, 0.46) for y in (1.5, 2.2))
    context = _box(ax, xs.mean(), 3.15, "context $c_i$", 1.2, fill=DEEP)
    before = _box(ax, 5.05, 1.5, "$s_{i-1}$", 0.9)
    state = _box(ax, 5.05, 3.15, "state $s_i$", 0.9)
    old = _box(ax, 4.4, 2.4, "“le”", 0.5, fill=PAPER)
    new = _box(ax, 5.05, 3.95, "“chat”", 0.9, fill=PAPER)
    states = [_box(ax, x, 0.7, f"$h_{n + 1}$", 0.46) for n, x in enumerate(xs)]
    for n, h in enumerate(states):
        _label(ax, h.x, 0.08, SOURCE[n])
        _arrow(ax, (h.x, 0.25), h.bottom)
        _arrow(ax, h.top, (h.x, scores.bottom[1]))
        _label(ax, h.x, scores.y, f"$e_{{i{n + 1}}}$")
        a = _cells(ax, h.x - 0.26, 2.34, WEIGHTS[n], (0.52, 0.28), digits=3, tint=True)
        ax.plot(*zip(a.top, context.bottom), zorder=3.2, **_stroke(WEIGHTS[n]))
    for one, other in zip(states, states[1:]):
        _arrow(ax, one.right, other.left, head="<|-|>")
    for points in ((scores.top, shares.bottom), (before.left, scores.right),
                   (before.top, state.bottom), (context.right, state.left),
                   (state.top, new.bottom), (context.top, (context.x, new.y), new.left),
                   (old.top, (4.75, state.bottom[1]))):
        _arrow(ax, *points)
    for x, y, n, text in ((0.12, 0.7, 1, "encode"), (0.12, 1.5, 2, "score"),
                          (0.12, 2.2, 3, "softmax"), (0.12, 3.15, 4, "weighted sum\nof the $h_j$"),
                          (3.88, 3.4, 5, "update"), (3.88, 4.2, 6, "predict")):
        _badge(ax, x, y, n, text)
    return ax


def bahdanau_vs_luong(ax=None):
    """The order of the steps in the two papers, downwards, each in its own notation.

    Bahdanau et al. 2015, section 3.1 and appendix A; Luong et al. 2015, section 3.
    """
    ax = _canvas(ax, 5.7, 4.65)
    papers = {"Bahdanau et al. 2015": [
        ("scores", r"$e_{ij} = v_a^\top \tanh(W_a s_{i-1} + U_a h_j)$"),
        ("weights", r"$\alpha_{ij} = \mathrm{softmax}_j(e_{ij})$"),
        ("context", r"$c_i = \Sigma_j\, \alpha_{ij} h_j$"),
        ("update", r"$s_i = f(s_{i-1}, y_{i-1}, c_i)$"),
        ("predict", r"$p(y_i) = g(y_{i-1}, s_i, c_i)$"),
    ], "Luong et al. 2015": [
        ("update", r"$h_t = f(h_{t-1}, [y_{t-1}; \tilde{h}_{t-1}])$"),
        ("scores", r"$\mathrm{score}(h_t, \bar{h}_s)$"),
        ("weights", r"$a_t(s) = \mathrm{softmax}_s\,\mathrm{score}(h_t, \bar{h}_s)$"),
        ("context", r"$c_t = \Sigma_s\, a_t(s)\, \bar{h}_s$"),
        ("combine", r"$\tilde{h}_t = \tanh(W_c [c_t; h_t])$"),
        ("predict", r"$p(y_t) = \mathrm{softmax}(W_s \tilde{h}_t)$"),
    ]}
    for x, (paper, steps) in zip((1.35, 4.35), papers.items()):
        _label(ax, x, 4.55, paper, size=11)
        boxes = []
        for n, (name, formula) in enumerate(steps):
            boxes.append(_box(ax, x, 4.07 - 0.74 * n, f"{n + 1}  {name}\n{formula}", 2.7, 0.54,
                              fill=DEEP if name == "update" else WASH))
            if n:
                _arrow(ax, boxes[-2].bottom, boxes[-1].top)
    return ax


def residual_stream(ax=None):
    """One layer's residual stream, upwards: normalised after each sum, and before each branch.

    Left as in Vaswani et al. 2017, right as in Radford et al. 2019 (GPT-2).
    """
    ax, pitch = _canvas(ax, 6.3, 4.2), 1.4
    for x, name in ((1.05, "post-norm"), (4.4, "pre-norm")):
        post, aside = name == "post-norm", x + 1.25
        start = _box(ax, x, 0.18, "word + place", 1.15, fill=PAPER)
        ax.plot([x, x], [start.top[1], 3.74], color=ACCENT, lw=3.4, zorder=0.5)
        for n, (text, carries) in enumerate((("attention", "what it\nhas read"),
                                             ("feed-forward", "what it\nmakes of it"))):
            y = 0.62 + pitch * n
            part = _box(ax, aside, y + (0.42 if post else 0.7), text, 1.15, 0.32)
            plus = _badge(ax, x, y + (0.76 if post else 1.04), "+")
            if post:
                _arrow(ax, (x, y), (aside, y), part.bottom)
                _box(ax, x, y + 1.09, "norm", 0.62, 0.26, fill=DEEP)
            else:
                norm = _box(ax, aside, y + 0.28, "norm", 0.62, 0.26, fill=DEEP)
                _arrow(ax, (x, y), (aside, y), norm.bottom)
                _arrow(ax, norm.top, part.bottom)
            _arrow(ax, part.top, (aside, plus.y), plus.right)
            _label(ax, x - 0.2, plus.y + 0.02, carries, size=9, color=QUIET, ha="right")
        _arrow(ax, (x, 3.7), (x, 3.9))
        _label(ax, x, 4.05, name, size=11)
    return ax


def transformer(ax=None, numbered=False):
    """The encoder-decoder Transformer of Vaswani et al. 2017 (figure 1), upwards.

    numbered: a badge for each kind of part, 1 embedding, 2 positions, 3 attention, 4 feed-forward,
    5 residual and norm, 6 output.
    """
    ax, tops, parts = _canvas(ax, 5.3, 6.5), {}, {}
    decoder = ["masked self-attention", "cross-attention", "feed-forward"]
    for x, side, outer, inner, words, layers in (
            (1.3, -1, "left", "right", "source words", ["self-attention", "feed-forward"]),
            (4.0, 1, "right", "left", "target words so far", decoder)):
        def mark(part, number, side=side):
            if numbered:
                _badge(ax, part.x - side * part.w / 2, part.y + part.h / 2, number)

        _label(ax, x, 0.05, words)
        embedding = _box(ax, x, 0.5, "embedding", 1.75)
        top = _badge(ax, x, 1.02, "+", "positions", ha=inner)
        mark(embedding, 1)
        if numbered:
            _badge(ax, x - side * 0.36, 1.02, 2)
        _arrow(ax, (x, 0.17), embedding.bottom)
        _arrow(ax, embedding.top, top.bottom)
        for n, layer in enumerate(layers):
            y, edge = 1.85 + 1.22 * n, x + side * 1.02
            part, norm = _stack(ax, x, y, [layer, "add, normalise"], 1.75, 0.5)
            _arrow(ax, top.top, part.bottom)
            _arrow(ax, (x, y - 0.3), (edge, y - 0.3), (edge, norm.y), getattr(norm, outer))
            mark(part, 3 if "attention" in layer else 4)
            mark(norm, 5)
            parts[layer], top = part, norm
        ax.add_patch(FancyBboxPatch((x - 1.14, 1.36), 2.28, top.y - 1.06, fc="none", ec=RULE,
                                    boxstyle="round,pad=0,rounding_size=0.12"))
        _label(ax, x + side * 1.12, top.y + 0.41, "× 6", ha=outer)
        tops[side] = top
    linear, softmax = _stack(ax, x, top.y + 0.68, ["linear", "softmax"], 1.75, 0.5)
    mark(linear, 6)
    _arrow(ax, top.top, linear.bottom)
    _arrow(ax, softmax.top, (x, softmax.y + 0.4))
    _label(ax, x, softmax.y + 0.5, "next target word")
    memory, cross = tops[-1], parts["cross-attention"]
    turn = memory.y + 0.55
    _arrow(ax, memory.top, (memory.x, turn), (2.65, turn), (2.65, cross.y), cross.left)
    _label(ax, memory.x, turn + 0.13, "keys and values", size=9, color=QUIET)
    return ax
