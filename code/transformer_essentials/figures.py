"""Every drawing of the book, in one house style.

Call `style()` once at the top of a notebook. Each function draws into the `ax` that it is
given, or into a new figure, and returns the Axes (`masks` an array of them). Weights are laid out
as everywhere in the book: a row for each query or target word, a column for each source word.
Numbers may be NumPy arrays, nested lists or PyTorch tensors.

One family of blues carries quantity, from paper white to navy in steps of equal lightness, so
that it reads the same in grey; one warm colour, always with a shape of its own, points.
"""

from importlib.util import find_spec
from pathlib import Path as File
from typing import NamedTuple
import sys

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

PAPER, INK, QUIET, RULE, WASH = "#ffffff", "#1c2733", "#5b6672", "#c3ccd6", "#e8f1f9"
DEEP, ACCENT, POINT = "#14447a", "#2a77bb", "#b8500f"
BLUES = LinearSegmentedColormap.from_list(  # CIE lightness 98, 88, … 18
    "essentials", ["#f8fafc", "#c5e3f7", "#95c9ef", "#6aafe4", "#4693d2", "#2a77bb",
                   "#1a5d9d", "#14447a", "#122d53"])  # fmt: skip
LINES = list(zip([DEEP, POINT, ACCENT, QUIET, INK, POINT],
                 ["-", (0, (5, 2)), (0, (6, 2, 1, 2)), (0, (1, 1.5)), (0, (9, 2)), (0, (2, 2))],
                 "os^DvP"))  # fmt: skip
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
    if not any("mplfonts" in font.fname for font in fontManager.ttflist):
        folder = File(package.submodule_search_locations[0]) / "fonts"
        fontManager.addfont(folder / "NotoSansCJKsc-Regular.otf")
        fontManager.ttflist.insert(0, fontManager.ttflist.pop())  # before the machine's own
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
        "image.cmap": "gray", "hatch.color": RULE, "hatch.linewidth": 0.8,
        "legend.frameon": False, "lines.linewidth": 1.8,
    })  # fmt: skip
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
        from matplotlib_inline.config import InlineBackend

        backend = InlineBackend.instance()
        backend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": METADATA}
        backend.figure_formats = {"svg"}


# ---------------------------------------------------------------- numbers, words and colours


def _numbers(values, rows=None, columns=None):
    """The values as a float matrix, of the shape that the names ask for (None asks nothing)."""
    values = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, float)
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
    """Dark or white ink, whichever has the higher contrast on the colour."""
    behind = luminance(color) + 0.05
    return INK if behind / (luminance(INK) + 0.05) > 1.05 / behind else PAPER


def _width(text, size=10):
    """Width of a text in inches."""
    return text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)[0] / 72


def _axes(ax, width, height):
    """The given Axes, or new ones of exactly this size in inches (labels hang outside)."""
    return ax or plt.figure(figsize=(width, height), layout="none").add_axes((0, 0, 1, 1))


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
        words = ["·" if word == " " else word for word in words]
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
    """  # fmt: skip
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
    for i, j in np.argwhere(shown.mask if shown.mask.ndim else []):
        ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, hatch="////", lw=0, ec=RULE))
    if numbers:
        for (i, j), text in np.ndenumerate(_written(shown, digits)):
            if not np.ma.getmaskarray(shown)[i, j]:
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
    if not numbers if bar is None else bar:
        scale = ax.inset_axes((1.04, 0, 0.035, 1))
        scale.imshow(np.linspace(vmin, vmax, 64)[:, None], BLUES, aspect="auto", origin="lower",
                     extent=(0, 1, vmin, vmax), interpolation="none")  # fmt: skip
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
                 title=title, ax=ax)  # fmt: skip
    for j, i in sorted(gold or ()):
        ax.add_patch(Rectangle((j - 0.42, i - 0.42), 0.84, 0.84, fill=False, ec=POINT, lw=1.6,
                               path_effects=[withStroke(linewidth=3.2, foreground=PAPER)]))
    return ax


def masks(patterns, words=None):
    """Masks side by side: {name: (T, S) bool}, True (blue) may be attended to, False is hatched."""
    fig, axes = plt.subplots(1, len(patterns), figsize=(1.85 * len(patterns), 2.3), squeeze=False)
    for ax, (name, mask) in zip(axes[0], patterns.items()):
        names = words or [str(i + 1) for i in range(np.shape(mask)[-1])]
        heatmap(np.full(np.shape(mask), 0.45), names[: len(mask)], names, mask=mask, numbers=False,
                vmax=1, bar=False, title=name, ax=ax)  # fmt: skip
    return axes[0]


def grid(values, rows=None, columns=None, *, highlight=(), title=None, digits=2, ax=None):
    """A matrix as cells with its numbers, for work by hand.

    values (R, C); rows and columns: names. highlight: cells (i, j) to tint; None in place of
    i or j stands for all of them.
    """
    values = _numbers(values, rows, columns)
    width = max([0.5] + [_width(name) + 0.12 for name in columns or ()])
    ax = _canvas(ax, width * values.shape[1], 0.32 * len(values))
    _cells(ax, 0, 0.32 * len(values), values, (width, 0.32), rows, columns,
           highlight=highlight, digits=digits, size=10)  # fmt: skip
    ax.set_title(title, pad=24 if columns else 9)
    return ax


# ---------------------------------------------------------------- weights and curves


def arcs(weights, words, row, *, title=None, ax=None):
    """What one word looks at: arcs from word number `row`, wider and darker with the weight.

    weights (T, S), of which the row is taken; the numbers stand below the words.
    """
    weights = _numbers(weights, None, words)[row]
    widths = [max(_width(word, 11), 0.36) + 0.22 for word in words]
    x = np.cumsum(widths) - np.array(widths) / 2
    reach = max(abs(x - x[row]))
    ax = _canvas(ax, sum(widths), 0.65 + min(0.6 * reach, 1.5))
    for j in np.argsort(weights):
        away = abs(x[j] - x[row])
        top = 0.6 + (0.8 * away if 0.6 * reach < 1.5 else 2 * away / reach)
        curve = [(x[row], 0.6), (x[row], top), (x[j], top), (x[j], 0.6)]
        if j == row:
            curve = [(x[j], 0.6), (x[j] - 0.3, 1.05), (x[j] + 0.3, 1.05), (x[j], 0.6)]
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
    values = _numbers(np.atleast_2d(values), None, labels)[0]
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
                         f"xs has), given {[len(ys) for ys in series.values()]}")  # fmt: skip
    ax = _axes(ax, 4.2, 2.7)
    named = isinstance(xs[0], str)
    at = np.arange(len(xs)) if named else np.asarray(xs)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale="log" if "x" in log else "linear",
           yscale="log" if "y" in log else "linear")  # fmt: skip
    for (name, ys), (color, dash, marker) in zip(series.items(), LINES):
        ax.plot(at[: len(ys)], ys, color=color, ls=dash, marker=marker, ms=5, label=name,
                markevery=max(1, len(ys) // 8))  # fmt: skip
        if name in (band or {}):
            ax.fill_between(at[: len(ys)], *band[name], color=color, alpha=0.14, lw=0)
    if named:
        ax.set_xticks(at, xs)
    ax.grid(axis="y")
    _name_ends(ax, len(series))
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
                    path_effects=[withStroke(linewidth=2.5, foreground=PAPER)])  # fmt: skip


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
    ax = _axes(ax, width + 0.06, height + 0.06)
    ax.set(xlim=(-0.03, width + 0.03), ylim=(-0.03, height + 0.03), aspect="equal")
    ax.set_axis_off()
    return ax


def _label(ax, x, y, text, *, size=10, color=INK, ha="center", va="center"):
    """A text; mathematics is written $between two$ dollar signs."""
    ax.text(x, y, text, size=size, color=color, ha=ha, va=va, linespacing=1.3,
            parse_math=text.count("$") > 1, zorder=5)  # fmt: skip


def _box(ax, x, y, text, w=1.0, h=0.36, *, fill=WASH, size=10):
    """A rounded box around (x, y) with a text; returns where it is."""
    ax.add_patch(FancyBboxPatch((x - w / 2, y - h / 2), w, h, fc=fill, ec=DEEP, lw=0.9, zorder=3,
                                boxstyle="round,pad=0,rounding_size=0.07"))  # fmt: skip
    _label(ax, x, y, text, size=size, color=ink_on(fill))
    return _Box(x, y, w, h)


def _arrow(ax, *points, color=QUIET, dash="-", head="-|>", width=1.1):
    """An arrow through the points."""
    ax.add_patch(FancyArrowPatch(path=Path(points), arrowstyle=head, mutation_scale=9, lw=width,
                                 color=color, ls=dash, joinstyle="round", capstyle="butt"))


def _stroke(weight):
    """How a line shows a weight from 0 to 1: by its width and its darkness."""
    return {"lw": 0.6 + 6 * float(weight), "color": BLUES(0.3 + 0.5 * float(weight))}


def _badge(ax, x, y, text, note="", dx=0.0, dy=0.26, **place):
    """A numbered step, with a note beside it; returns where it is."""
    ax.add_patch(Circle((x, y), 0.115, fc=DEEP, ec=DEEP, zorder=4))
    _label(ax, x, y - 0.005, str(text), size=9, color=PAPER)
    _label(ax, x + dx, y + dy, note, size=9, **place)
    return _Box(x, y, 0.25, 0.25)


def _cells(ax, left, top, values, cell=(0.3, 0.28), rows=None, columns=None, *, highlight=(),
           digits=2, size=9, blank=False, tint=False):  # fmt: skip
    """A matrix of cells with its numbers (or blank), its top left corner at (left, top)."""
    values, (w, h) = np.atleast_2d(values).astype(float), cell
    for (i, j), text in np.ndenumerate(_written(values, digits)):
        lit = any(a in (None, i) and b in (None, j) for a, b in highlight)
        fill = BLUES(values[i, j]) if tint else BLUES(0.12) if lit else PAPER
        x, y = left + w * j, top - h * (i + 1)
        ax.add_patch(Rectangle((x, y), w, h, fc=fill, ec=DEEP if lit else "#8fa3b8", lw=0.8,
                               zorder=2.5 if lit else 2))  # fmt: skip
        _label(ax, x + w / 2, y + h / 2, "" if blank else text, size=size, color=ink_on(fill))
    for i, name in enumerate(rows or ()):
        _label(ax, left - 0.08, top - h * (i + 0.5), name, ha="right")
    for j, name in enumerate(columns or ()):
        _label(ax, left + w * (j + 0.5), top + 0.09, name, va="baseline")
    n, m = values.shape
    return _Box(left + m * w / 2, top - n * h / 2, m * w, n * h)


def _stack(ax, x, y, steps, w, rise=0.56, h=0.36, **look):
    """Boxes around x one after the other, from y upwards (rise > 0) or downwards, with arrows."""
    boxes = [_box(ax, x, y + rise * n, text, w, h, **look) for n, text in enumerate(steps)]
    for a, b in zip(boxes, boxes[1:]):
        _arrow(ax, *((a.top, b.bottom) if rise > 0 else (a.bottom, b.top)))
    return boxes


# ---------------------------------------------------------------- the book's diagrams


def four_steps(example=False, ax=None):
    """The general attention model in its four labelled steps; example: with numbers written in.

    The numbers are the running example's: four words, q = (2, 1, 0, 0), scaled dot scores.
    """
    rows = [SOURCE if example else [f"${letter}_{n}$" for n in range(1, 5)] for letter in "fk"]
    look, note = {"blank": not example, "digits": 3}, {"size": 9, "color": QUIET}
    ax = _canvas(ax, 5.75, 4.2)
    f = _cells(ax, 2.33, 4.0, FEATURES, (0.26, 0.26), rows[0], **look)
    k = _cells(ax, 0.5, 2.2, FEATURES, (0.26, 0.26), rows[1], **look)
    q = _cells(ax, 0.5, 0.46, QUERY, (0.26, 0.26), **look)
    e = _cells(ax, 2.2, 2.2, SCORES[:, None], (0.32, 0.26), **look)
    a = _cells(ax, 3.19, 2.2, WEIGHTS[:, None], (0.46, 0.26), tint=True, **look)
    v = _cells(ax, 3.95, 2.2, FEATURES, (0.45, 0.26), **look)
    c = _cells(ax, 3.95, 0.46, WEIGHTS @ FEATURES, (0.45, 0.26), highlight=[(None, None)], **look)
    one, two, three, four = (_badge(ax, *place) for place in (
        (f.x, 2.66, 1), (1.87, k.y, 2), (2.86, k.y, 3), (v.x, 0.84, 4)))  # fmt: skip
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
                        (a, "weights $a$"), (v, "values $V$"), (q, "query $q$")):  # fmt: skip
        wide = cells.w > 0.5
        _label(ax, cells.x - wide * cells.w / 2, cells.y + cells.h / 2 + 0.09, name,
               ha="left" if wide else "center", va="baseline")  # fmt: skip
    _label(ax, c.x - c.w / 2 - 0.1, c.y, "context $c$", ha="right")
    _label(ax, two.x, two.y + 0.27, "similarity", **note)
    _label(ax, three.x, three.y + 0.27, "alignment", **note)
    _label(ax, four.x + 0.2, four.y, "weighted sum", ha="left", **note)
    if example:
        _label(ax, two.x + 0.08, two.y - 0.75, r"$q \cdot k\,/\sqrt{4}$", ha="left", **note)
        _label(ax, three.x, three.y - 0.27, "softmax", **note)
    return ax


def qkv_search_merge(words=SOURCE, weights=WEIGHTS, ax=None):
    """Queries, keys and values as a search, which gives weights (S,), and then a merge."""
    weights = _numbers(np.atleast_2d(weights), None, words)[0]
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
        _label(ax, 2.9, y + 0.12, _written([weight])[0], size=9)
        ax.plot(*zip(value.right, c.left), solid_capstyle="butt", **_stroke(weight))
    for x, text in ((2.1, "keys"), (2.9, "weights"), (3.5, "values")):
        _label(ax, x, top + 0.08, text, color=QUIET, va="baseline")
    for x, n, text in ((0.35, 1, "search: who can answer?"), (3.3, 2, "merge: take what they give")):
        _badge(ax, x, top + 0.55, n, text, 0.2, 0, ha="left")
    return ax


def self_attention(words=SOURCE, row=2, weights=None, ax=None):
    """One word's way through self-attention: its query, all keys and values, its new vector.

    weights (S,) tints and labels the cells; without them they stay blank.
    """
    blank = weights is None
    weights = _numbers(np.atleast_2d(np.zeros(len(words)) if blank else weights), None, words)[0]
    pitch = 1.3
    ax = _canvas(ax, pitch * len(words), 4.1)
    new = _box(ax, pitch * (row + 0.5), 3.9, f"new vector of “{words[row]}”", 2.1, fill=DEEP)
    mix = _badge(ax, new.x, 3.35, "Σ")
    _arrow(ax, mix.top, new.bottom)
    for j, (word, weight) in enumerate(zip(words, weights)):
        x = pitch * (j + 0.5)
        source = _box(ax, x, 0.2, word, 1.0, fill=DEEP if j == row else WASH)
        a = _cells(ax, x - 0.23, 2.32, weight, (0.46, 0.3), blank=blank, tint=True)
        k = _box(ax, x - 0.4 * (j == row), 0.95, f"$k_{j + 1}$", 0.36, 0.32, fill=PAPER)
    return ax
