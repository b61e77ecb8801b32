"""The paper that plots are drawn on: size, colours, and the way to PNG.

Owns the look that all plots share. Figures are made one by one, without the state that pyplot keeps.
"""

from __future__ import annotations

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

WIDTH_IN = 7.0
_DOTS_PER_INCH = 120

# Okabe & Ito, "Color universal design", 2008: told apart with any kind of colour vision.
BLUE, ORANGE, GREEN, PINK, SKY, BLACK, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#000000",
    "#767676",
)


def new_figure(height_in: float, *, width_in: float = WIDTH_IN) -> Figure:
    """Return an empty figure that draws itself without a screen."""
    figure = Figure(figsize=(width_in, height_in), dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def label_axes(axes: Axes, *, x: str, y: str, title: str = "") -> None:
    """Name both axes, units included, and draw a light grid behind the data."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, fontsize="medium")
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def to_png(figure: Figure) -> bytes:
    """Return the figure as PNG, the same bytes for the same figure."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
