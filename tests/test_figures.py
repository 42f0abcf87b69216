"""The figures show what they were given, in words that can be read, the same on every run."""

import hashlib
import io
import os
import re
import subprocess
import sys
import warnings

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.collections import LineCollection  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402

from transformer_essentials import figures, timeline  # noqa: E402

WORDS = ["the", "black", "cat", "sleeps"]
FRENCH = ["le", "chat", "noir"]
WEIGHTS = np.array([[0.7, 0.1, 0.1, 0.1], [0.05, 0.15, 0.75, 0.05], [0.02, 0.9, 0.06, 0.02]])

DIAGRAMS = {
    "four steps": lambda: figures.four_steps(),
    "four steps with numbers": lambda: figures.four_steps(example=True),
    "search and merge": lambda: figures.qkv_search_merge(),
    "self-attention": lambda: figures.self_attention(weights=figures.WEIGHTS),
    "heads": lambda: figures.multi_head(3),
    "many heads": lambda: figures.multi_head(12),
    "bottleneck": lambda: figures.encoder_decoder(),
    "six steps": lambda: figures.encoder_decoder(attention=True),
    "two papers": lambda: figures.bahdanau_vs_luong(),
    "transformer": lambda: figures.transformer(),
    "corruptions": lambda: figures.corruptions(TORN),
    "transformer with numbers": lambda: figures.transformer(numbered=True),
    "residual stream": lambda: figures.residual_stream(),
}
CHARTS = {
    "heatmap": lambda: figures.heatmap(WEIGHTS, FRENCH, WORDS, title="Weights"),
    "masked": lambda: figures.heatmap(np.eye(3), mask=np.tri(3, dtype=bool), numbers=False),
    "alignment": lambda: figures.alignment(WEIGHTS, WORDS, FRENCH, gold={(0, 0), (2, 1), (1, 2)}),
    "Chinese": lambda: figures.alignment(np.eye(5), "5 May", "5月5日年"),
    "masks": lambda: figures.masks({"causal": np.tri(4, dtype=bool)}),
    "grid": lambda: figures.grid(WEIGHTS, FRENCH, WORDS, highlight=[(1, None)]),
    "arcs": lambda: figures.arcs(WEIGHTS[1], WORDS, 2),
    "links": lambda: figures.links(WEIGHTS, WORDS, FRENCH),
    "bars": lambda: figures.bars([0.5, -1.25], ["up", "down"], highlight=0),
    "curves": lambda: figures.curves(["short", "long"], {"with": [9, 8], "without": [9, 1]}),
    "timeline": lambda: figures.timeline(timeline.MODELS),
}
TORN = {"whole": [("the", 0.1), ("cat", 0.1), ("barks", 0.3)], "torn": [("▢", None), ("cat", 0.1)]}
ALL = {**CHARTS, **DIAGRAMS}


@pytest.fixture(autouse=True)
def house_style():
    with matplotlib.rc_context():
        figures.style()
        yield
    plt.close("all")


def figure_of(drawn):
    return np.atleast_1d(drawn)[0].figure


def texts(drawn):
    """All that is written in a figure, as one list."""
    found = figure_of(drawn).findobj(matplotlib.text.Text)
    return [t.get_text() for t in found if t.get_visible() and t.get_text()]


def tick_words(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def svg(drawn):
    out = io.BytesIO()
    figure_of(drawn).savefig(out, format="svg", metadata=figures.METADATA)
    return out.getvalue()


# ---------------------------------------------------------------- every figure


@pytest.mark.parametrize("name", ALL)
def test_drawn_without_a_warning_small_and_legible(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph warns
        drawn = ALL[name]()
        file = svg(drawn)
    assert b"<dc:date>" not in file and len(file) < 80_000
    figure = figure_of(drawn)
    assert figure.get_tightbbox().width <= 7  # inches
    sizes = [t.get_size() for t in figure.findobj(matplotlib.text.Text) if t.get_text().strip()]
    assert min(sizes) >= 9


@pytest.mark.parametrize("name", DIAGRAMS)
def test_labels_of_a_diagram_do_not_overlap_or_leave_it(name):
    ax = DIAGRAMS[name]()
    renderer = ax.figure.canvas.get_renderer()
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in ax.texts if t.get_text()]
    for n, (text, box) in enumerate(boxes):
        assert ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1, text
        assert ax.bbox.y0 - 4 <= box.y0 and box.y1 <= ax.bbox.y1 + 4, text
        for other, second in boxes[n + 1 :]:
            apart = box.x1 <= second.x0 or second.x1 <= box.x0 or (
                box.y1 <= second.y0 or second.y1 <= box.y0)
            assert apart, f"{text!r} lies on {other!r}"


STABLE = ["masked", "Chinese", "alignment", "curves", "bottleneck"]


def digest():
    return hashlib.sha256(b"".join(svg(ALL[name]()) for name in STABLE)).hexdigest()


def test_the_same_bytes_in_two_runs():
    code = "import test_figures as t; t.figures.style(); print(t.digest())"
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                         env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": path})
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == digest()


# ---------------------------------------------------------------- style


def test_chinese_comes_from_the_package_and_no_box_is_drawn():
    found = matplotlib.font_manager.findfont("Noto Sans CJK SC", fallback_to_default=False)
    assert "mplfonts" in found and found.endswith("NotoSansCJKsc-Regular.otf")
    ax = figures.alignment(np.eye(3), "abc", "年月日")
    assert tick_words(ax.yaxis) == ["年", "月", "日"]
    assert b"NotoSansCJK" in svg(ax)
    plt.rcParams["font.family"] = ["DejaVu Sans"]  # so the test of warnings above means something
    with pytest.warns(UserWarning, match="missing from font"):
        svg(figures.alignment(np.eye(3), "abc", "年月日"))


def test_missing_font_package_is_named(monkeypatch):
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="mplfonts.*pip install"):
        figures.style()


def test_the_blues_read_the_same_in_grey():
    light = np.array([figures.luminance(figures.BLUES(n)) for n in range(0, 256, 5)])
    lightness = 116 * np.cbrt(light) - 16  # CIE L*, good above L* = 8
    steps = -np.diff(lightness)
    assert lightness[0] > 97 and lightness[-1] < 20
    assert steps.min() > 0.8 * steps.mean() and steps.max() < 1.2 * steps.mean()


def test_ink_has_contrast_on_every_shade():
    for x in np.linspace(0, 1, 101):
        shade = figures.BLUES(x)
        pair = sorted([figures.luminance(figures.ink_on(shade)), figures.luminance(shade)])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4
    assert figures.ink_on("#ffffff") == figures.INK and figures.ink_on("#000000") == figures.PAPER
    for color, _, _ in figures.LINES:  # names of lines are written in their colours
        assert 1.05 / (figures.luminance(color) + 0.05) >= 4.5


# ---------------------------------------------------------------- matrices


def test_heatmap_holds_the_matrix_its_words_and_its_numbers():
    ax = figures.heatmap(torch.tensor(WEIGHTS, requires_grad=True), FRENCH, WORDS, title="Weights")
    np.testing.assert_array_equal(ax.images[0].get_array(), WEIGHTS)
    assert tick_words(ax.xaxis) == WORDS and tick_words(ax.yaxis) == FRENCH
    cells = {tuple(t.get_position()): t for t in ax.texts}
    assert cells[2, 1].get_text() == "0.75" and cells[0, 0].get_text() == "0.70"
    assert cells[2, 1].get_color() == figures.PAPER and cells[3, 2].get_color() == figures.INK
    assert ax.get_title(loc="left") == "Weights"
    assert ax.yaxis_inverted()  # the first row on top


def test_heatmap_scale():
    assert figures.heatmap(WEIGHTS).images[0].get_clim() == (0.0, 0.9)
    assert figures.heatmap([[-2.0, 1.0]]).images[0].get_clim() == (-2.0, 1.0)
    assert figures.heatmap(WEIGHTS, vmin=0, vmax=1).images[0].get_clim() == (0, 1)
    assert figures.heatmap(np.zeros((2, 2))).images[0].get_clim() == (0.0, 1.0)
    assert figures.heatmap(WEIGHTS).child_axes == []  # numbers: no bar needed
    assert len(figures.heatmap(np.ones((40, 40))).child_axes) == 1  # too small for numbers


def test_heatmap_hides_what_the_mask_hides():
    ax = figures.heatmap(np.full((3, 3), 0.5), mask=torch.ones(3, 3, dtype=torch.bool).tril())
    hidden = np.ma.getmaskarray(ax.images[0].get_array())
    np.testing.assert_array_equal(hidden, ~np.tri(3, dtype=bool))
    assert len(ax.texts) == 6 and {t.get_text() for t in ax.texts} == {"0.50"}
    assert [p.get_hatch() for p in ax.patches] == ["////"]
    assert figures.heatmap(np.eye(2)).patches[:] == []


@pytest.mark.parametrize("rows, columns", [(FRENCH, WORDS[:3]), (WORDS, WORDS)])
def test_names_that_do_not_fit_are_refused(rows, columns):
    with pytest.raises(ValueError, match=rf"\(3, 4\).*\({len(rows)}, {len(columns)}\)"):
        figures.heatmap(WEIGHTS, rows, columns)


def test_alignment_has_source_across_target_down_and_gold_outlined():
    ax = figures.alignment(WEIGHTS, WORDS, FRENCH, gold={(2, 1), (1, 2)})
    assert tick_words(ax.xaxis) == WORDS and tick_words(ax.yaxis) == FRENCH
    assert ax.xaxis.get_ticks_position() == "top"
    np.testing.assert_array_equal(ax.images[0].get_array(), WEIGHTS)
    assert ax.images[0].get_clim() == (0, 1)
    centres = {tuple(np.round(p.get_center(), 6)) for p in ax.patches}
    assert centres == {(2.0, 1.0), (1.0, 2.0)}  # x is the source, y the target


def test_alignment_of_sixty_characters():
    source, target = "Wednesday, 14 September 2022 " * 2 + "ab", "mercredi 14 septembre 2022, " * 3
    ax = figures.alignment(np.eye(60), source, target[:60])
    assert len(tick_words(ax.xaxis)) == len(tick_words(ax.yaxis)) == 60
    assert tick_words(ax.xaxis)[9:13] == [",", "·", "1", "4"]  # a space can be seen
    assert {t.get_rotation() for t in ax.get_xticklabels()} == {0.0}
    assert min(t.get_size() for t in ax.get_xticklabels()) >= 7
    assert ax.figure.get_tightbbox().width <= 7


def test_long_words_are_slanted_and_short_ones_stand_level():
    level = figures.heatmap(np.eye(3), FRENCH, FRENCH)
    slanted = figures.heatmap(np.eye(3), FRENCH, ["neighbour", "a", "b"])
    assert {t.get_rotation() for t in level.get_xticklabels()} == {0.0}
    assert {t.get_rotation() for t in slanted.get_xticklabels()} == {45.0}


def test_dollar_signs_in_words_stay():
    ax = figures.heatmap(np.eye(2), ["$a$", "b"], ["c", "d"])
    assert not ax.get_yticklabels()[0].get_parse_math()


def test_masks_show_each_pattern():
    patterns = {"all": np.ones((3, 3), bool), "causal": np.tri(3, dtype=bool)}
    axes = figures.masks(patterns, words=FRENCH)
    for ax, (name, mask) in zip(axes, patterns.items(), strict=True):
        np.testing.assert_array_equal(~np.ma.getmaskarray(ax.images[0].get_array()), mask)
        assert ax.get_title(loc="left") == name and tick_words(ax.xaxis) == FRENCH


def test_grid_writes_numbers_in_one_form_and_tints_the_highlighted():
    ax = figures.grid([[0, 2], [-1, 3]], ["a", "b"], ["c", "d"], highlight=[(1, None), (0, 1)])
    assert [t for t in texts(ax) if t not in "abcd"] == ["0", "2", "−1", "3"]
    tinted = [p.get_facecolor() != (1, 1, 1, 1) for p in ax.patches if isinstance(p, Rectangle)]
    assert tinted[:4] == [False, True, True, True]
    assert texts(figures.grid([[0.5, 2, -0.001]]))[:3] == ["0.50", "2.00", "0.00"]
    assert "0.083" in texts(figures.grid([0.0826, 1], digits=3))


# ---------------------------------------------------------------- weights and curves


def test_arcs_are_as_wide_as_the_weights():
    ax = figures.arcs(WEIGHTS, WORDS, 1)
    widths = sorted(p.get_linewidth() for p in ax.patches)
    np.testing.assert_allclose(widths, 0.6 + 6 * np.sort(WEIGHTS[1]))
    assert set(WORDS) | {"0.05", "0.15", "0.75"} <= set(texts(ax))
    one_row = figures.arcs(WEIGHTS[1], WORDS, 1)
    assert sorted(p.get_linewidth() for p in one_row.patches) == widths
    starts = {round(p.get_path().vertices[0, 0], 6) for p in ax.patches}
    word = next(t for t in ax.texts if t.get_text() == "black")
    assert starts == {round(word.get_position()[0], 6)}  # all start above the query word


def test_links_join_target_on_the_left_to_source_on_the_right():
    ax = figures.links(WEIGHTS, WORDS, FRENCH)
    place = {t.get_text(): t.get_position() for t in ax.texts}
    heaviest = max(ax.lines, key=lambda line: line.get_linewidth())
    assert len(ax.lines) == 12 and heaviest.get_linewidth() == pytest.approx(0.6 + 6 * 0.9)
    left, right = heaviest.get_ydata()  # words stand by their baselines, a little lower
    assert abs(left - place["noir"][1]) < 0.06 and abs(right - place["black"][1]) < 0.06
    assert place["noir"][0] < heaviest.get_xdata()[0] < place["black"][0]


def test_bars_are_as_long_as_the_values():
    ax = figures.bars([0.5, -1.25, 0.25], ["up", "down", "flat"], highlight=2)
    assert [bar.get_width() for bar in ax.patches] == [0.5, -1.25, 0.25]
    assert tick_words(ax.yaxis) == ["up", "down", "flat"] and ax.yaxis_inverted()
    assert {"0.50", "−1.25", "0.25"} <= set(texts(ax))
    dark = [figures.luminance(bar.get_facecolor()) for bar in ax.patches]
    assert dark[2] < dark[0] == dark[1]


def test_curves_are_told_apart_and_named_at_their_ends():
    series = {f"line {n}": [n, n + 0.01, 5.0] for n in range(6)}
    ax = figures.curves([1, 10, 100], series, log="x", xlabel="length")
    assert len({(str(line._dash_pattern), line.get_marker()) for line in ax.lines}) == 6
    assert [t.get_text() for t in ax.texts] == list(series)
    ax.figure.canvas.draw()
    ends = sorted(t.get_window_extent().y0 for t in ax.texts)
    assert min(np.diff(ends)) > 12 * ax.figure.dpi / 72  # all six end at 5.0, none on another
    assert ax.get_xscale() == "log" and ax.get_yscale() == "linear"
    np.testing.assert_array_equal(ax.lines[3].get_ydata(), series["line 3"])


def test_curves_with_buckets_a_band_and_a_run_that_ended_early():
    ax = figures.curves(["1–4", "5–9", "10–14"], {"a": [3, 2, 1], "b": [4, 5]},
                        band={"a": ([2, 1, 0], [4, 3, 2])})
    assert tick_words(ax.xaxis) == ["1–4", "5–9", "10–14"]
    assert len(ax.lines[1].get_xdata()) == 2
    np.testing.assert_array_equal(ax.texts[1].xy, [1, 5])
    extent = ax.collections[0].get_datalim(ax.transData)
    assert (extent.y0, extent.y1) == (0, 4)


@pytest.mark.parametrize("series", [{"a": [1, 2, 3]}, {str(n): [1] for n in range(7)}])
def test_curves_refuse_what_they_cannot_show(series):
    with pytest.raises(ValueError, match="at most 6 lines of at most 2 points"):
        figures.curves([1, 2], series)


def test_gaze_numbers_the_places_in_their_order():
    image = np.linspace(0, 1, 12).reshape(3, 4)
    ax = figures.gaze(image, [(0, 1), (2, 3), (1, 0)], title="three looks")
    np.testing.assert_array_equal(ax.images[0].get_array(), image)
    assert ax.images[0].get_clim() == (0, 1)
    assert [(t.get_text(), t.xy) for t in ax.texts] == [("1", (1, 0)), ("2", (3, 2)), ("3", (0, 1))]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1, 0], [3, 2], [0, 1]])
    assert figures.gaze(np.full((3, 4, 3), 1.2)).images[0].get_array().max() == 1
    assert len(figures.gaze(image).lines) == 0
    again = figures.gaze(image, [(1, 0), (2, 3), (1, 0)]).texts[2].xy
    assert again == (pytest.approx(0.28), 1)


# ---------------------------------------------------------------- diagrams


def test_corruptions_have_a_box_a_token_told_apart_by_lightness():
    ax = figures.corruptions(TORN)
    assert [t for t in texts(ax) if t not in TORN] == ["the", "cat", "barks", "▢", "cat"]
    light = [figures.luminance(box.get_facecolor()) for box in ax.patches]
    assert light[0] == light[1] == light[4] > light[2] > light[3] + 0.3


def test_four_steps_write_the_running_example():
    weights = np.exp([0, 1, 2, 0]) / np.exp([0, 1, 2, 0]).sum()
    context = weights @ [[0, 0, 0, 2], [0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 2, 0]]
    written = texts(figures.four_steps(example=True))
    for number in [*weights, *context]:
        assert f"{number:.3f}" in written
    assert {"0.083", "0.225", "0.610", "1.221", "0.449", "0.165"} <= set(written)
    assert set(WORDS) | {"1", "2", "3", "4", "softmax"} <= set(written)
    blank = texts(figures.four_steps())
    assert not any(re.search(r"\d\.\d", text) for text in blank) and "1" in blank


def test_search_and_merge_draws_wider_for_a_higher_weight():
    ax = figures.qkv_search_merge(FRENCH, [0.2, 0.7, 0.1])
    assert [line.get_linewidth() for line in ax.lines] == pytest.approx([1.8, 4.8, 1.2])
    assert {*FRENCH, "0.200", "0.700", "0.100", "keys", "values"} <= set(texts(ax))


def test_self_attention_asks_from_the_chosen_word():
    written = texts(figures.self_attention(FRENCH, 1, [0.2, 0.7, 0.1]))
    assert {"new vector of “chat”", "$q_2$", "$k_1$", "$v_3$", "0.700"} <= set(written)
    assert "$q_1$" not in written
    assert not any("0." in text for text in texts(figures.self_attention(FRENCH, 1)))


def test_multi_head_draws_all_or_the_first_two_and_the_last():
    few, many = texts(figures.multi_head(4)), texts(figures.multi_head(12))
    assert [t for t in few if "head " in t] == [f"attention\nhead {n}" for n in (1, 2, 3, 4)]
    assert [t for t in many if "head " in t] == [f"attention\nhead {n}" for n in (1, 2, 12)]
    assert "…" in many and "…" not in few


def test_encoder_decoder_with_and_without_attention():
    plain, attentive = texts(figures.encoder_decoder()), texts(figures.encoder_decoder(True))
    assert {"$c$", "$h_4$", "$s_1$", "<bos>", "dort"} <= set(plain)
    assert {*"123456", "encode", "score", "softmax", "update", "predict", "0.610"} <= set(attentive)


def test_bahdanau_updates_fourth_and_luong_first():
    written = texts(figures.bahdanau_vs_luong())
    steps = [t.split("\n")[0] for t in written if "\n" in t]
    assert steps == ["1  scores", "2  weights", "3  context", "4  update", "5  predict",
                     "1  update", "2  scores", "3  weights", "4  context", "5  combine",
                     "6  predict"]


def test_transformer_has_every_part():
    written = texts(figures.transformer())
    for part, times in {"self-attention": 1, "masked self-attention": 1, "cross-attention": 1,
                        "feed-forward": 2, "add, normalise": 5, "embedding": 2, "× 6": 2,
                        "positions": 2, "linear": 1, "softmax": 1}.items():
        assert written.count(part) == times, part
    numbered = texts(figures.transformer(numbered=True))
    for number, times in {"1": 2, "2": 2, "3": 3, "4": 2, "5": 5, "6": 1}.items():
        assert written.count(number) == 0 and numbered.count(number) == times, number


def test_residual_stream_normalises_on_it_and_beside_it():
    """Post-norm has its norms on the stream, where the plus signs are; pre-norm on the branches."""
    ax = figures.residual_stream()
    at = {}
    for text in ax.texts:
        at.setdefault(text.get_text(), []).append(round(text.get_position()[0], 2))
    post, pre = sorted(at["post-norm"] + at["pre-norm"])
    assert at["+"].count(post) == at["+"].count(pre) == 2
    assert at["norm"].count(post) == 2 and at["norm"].count(pre) == 0
    assert at["norm"].count(at["attention"][1]) == 2 and at["attention"] == at["feed-forward"]


@pytest.mark.parametrize("name", DIAGRAMS)
def test_no_diagram_needs_colour(name):
    """Whatever is filled is told apart by lightness, and its text has contrast in grey."""
    ax = DIAGRAMS[name]()
    fills = {p.get_facecolor() for p in ax.patches if p.get_fill() and p.get_facecolor()[3] == 1}
    assert len({round(figures.luminance(f[:3]), 3) for f in fills}) == len(fills)
    assert not [c for c in ax.collections if isinstance(c, LineCollection)]


def test_a_figure_in_a_notebook_is_svg_and_stable():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    draw = "figures.bars([1, 2], ['a', 'b']); plt.show()"
    cells = ["import matplotlib.pyplot as plt\nfrom transformer_essentials import figures\n"
             "figures.style()", draw, draw]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(book, kernel_name="python3", timeout=120).execute()
    shown = [cell.outputs for cell in book.cells]
    assert shown[0] == [] and len(shown[1]) == 1 and "image/png" not in shown[1][0].data
    assert shown[1][0].data["image/svg+xml"] == shown[2][0].data["image/svg+xml"]
    assert "<dc:date>" not in shown[1][0].data["image/svg+xml"]


# ---------------------------------------------------------------- timeline


def test_timeline_has_every_model_at_its_date_and_size():
    ax = figures.timeline(timeline.MODELS)
    points = {tuple(point) for line in ax.lines for point in line.get_xydata()}
    assert points == {(m.date, m.parameters) for m in timeline.MODELS}
    assert len({line.get_marker() for line in ax.lines}) == 3  # told apart without colour
    written = texts(ax)
    for label in ("GPT\n117 million", "T5\n11 billion", "GPT-2\n1.54 billion"):
        assert label in written


def test_labels_of_the_timeline_do_not_overlap():
    ax = figures.timeline(timeline.MODELS)
    renderer = ax.figure.canvas.get_renderer()
    boxes = [label.get_window_extent(renderer) for label in ax.texts]
    boxes.append(ax.get_legend().get_window_extent(renderer))
    assert not [1 for n, box in enumerate(boxes) for other in boxes[:n] if box.overlaps(other)]
    assert all(ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1 for box in boxes)
