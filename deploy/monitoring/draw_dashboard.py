"""Draw the dashboard's panels as a picture, from the same queries that Grafana asks.

    python -m deploy.monitoring.draw_dashboard --prometheus http://127.0.0.1:9090 --minutes 15 dashboard.png

Owns how a panel looks on paper; what is asked stands in ``grafana/dashboards/fishgate.json`` alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np
import requests
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

DASHBOARD = Path(__file__).resolve().parent / "grafana" / "dashboards" / "fishgate.json"
COLUMNS = 24
_CELL_IN = (0.75, 0.36)  # width and height of a cell of Grafana's grid
_POINTS = 240
_UNITS = {"s": " s", "ms": " ms", "reqps": " /s", "cps": " /s", "none": "", "short": ""}


@dataclass(frozen=True)
class Series:
    """One line of a panel: times in seconds since 1970, values with NaN where there is none."""

    name: str
    times_s: NDArray[np.float64]
    values: NDArray[np.float64]


class Source:
    """A Prometheus, and the stretch of time that is drawn."""

    def __init__(self, url: str, *, minutes: float) -> None:
        self._url = url.rstrip("/")
        self.end_s = time.time()
        self.start_s = self.end_s - 60.0 * minutes

    def series(self, expression: str, legend: str) -> list[Series]:
        """Return what an expression gives over the time; raises ValueError if Prometheus refuses it."""
        step_s = max(1.0, (self.end_s - self.start_s) / _POINTS)
        asked: dict[str, str | float] = {"query": expression, "start": self.start_s, "end": self.end_s, "step": step_s}
        reply = requests.get(f"{self._url}/api/v1/query_range", params=asked, timeout=60).json()
        if reply["status"] != "success":
            raise ValueError(f"Prometheus refuses {expression!r}: {reply.get('error')}")
        return [_series(one, legend) for one in reply["data"]["result"]]


def draw(source: Source, panels: Sequence[dict[str, Any]], target: Path) -> list[str]:
    """Draw all panels at their places; return the titles of those without any data."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = plt.figure(figsize=(COLUMNS * _CELL_IN[0], rows * _CELL_IN[1]), dpi=80, facecolor="white")
    empty = []
    for panel in panels:
        if panel["type"] == "row":
            _draw_heading(figure, panel, rows)
        elif not _draw_panel(figure, panel, rows, source):
            empty.append(panel["title"])
    figure.savefig(target)
    plt.close(figure)
    return empty


def _series(one: dict[str, Any], legend: str) -> Series:
    points = np.array(one["values"], dtype=np.float64)
    name = re.sub(r"\{\{(\w+)\}\}", lambda match: one["metric"].get(match[1], ""), legend)
    return Series(name.strip(), points[:, 0], points[:, 1])


def _draw_heading(figure: Figure, panel: dict[str, Any], rows: int) -> None:
    place = panel["gridPos"]
    figure.text(0.01, 1 - (place["y"] + 0.75) / rows, panel["title"], fontsize=14, fontweight="bold", color="#204060")


def _draw_panel(figure: Figure, panel: dict[str, Any], rows: int, source: Source) -> bool:
    """Draw one panel; return whether it has data."""
    series = [one for target in panel["targets"] for one in source.series(target["expr"], target["legendFormat"])]
    place = panel["gridPos"]
    left, top = (place["x"] + 0.8) / COLUMNS, (place["y"] + 1.1) / rows
    width, height = (place["w"] - 1.1) / COLUMNS, (place["h"] - 2.2) / rows
    axes = figure.add_axes((left, 1 - top - height, width, height))
    axes.set_title(panel["title"], fontsize=10, loc="left")
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] == "stat":
        _draw_number(axes, series, defaults)
    else:
        _draw_lines(axes, series, defaults, source)
    return any(np.isfinite(one.values).any() for one in series)


def _draw_number(axes: Axes, series: list[Series], defaults: dict[str, Any]) -> None:
    value = series[0].values[-1] if series else float("nan")
    steps = defaults["thresholds"]["steps"]
    colour = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    axes.set_facecolor({"green": "#c8e6c9", "red": "#ffcdd2", "yellow": "#fff3c4", "blue": "#d3e3f5"}[colour])
    axes.text(0.5, 0.5, _with_unit(value, defaults["unit"]), fontsize=20, ha="center", va="center")
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_lines(axes: Axes, series: list[Series], defaults: dict[str, Any], source: Source) -> None:
    is_stacked = "stacking" in defaults["custom"]
    below: NDArray[np.float64] | float = 0.0
    axis_s = np.linspace(source.start_s, source.end_s, _POINTS)
    for number, one in enumerate(series):
        colour = f"C{number % 10}"
        if is_stacked:
            own = np.nan_to_num(np.interp(axis_s, one.times_s, one.values, left=0.0, right=0.0))
            axes.fill_between(axis_s, below, below + own, color=colour, alpha=0.7, label=one.name, linewidth=0)
            below = below + own
        else:
            axes.plot(one.times_s, one.values, color=colour, label=one.name, linewidth=1.4)
    _draw_limit(axes, defaults)
    _dress(axes, defaults, source, has_legend=any(one.name for one in series))


def _draw_limit(axes: Axes, defaults: dict[str, Any]) -> None:
    for step in defaults.get("thresholds", {}).get("steps", ()):
        if step["value"] is not None:
            axes.axhline(step["value"], color="#c62828", linewidth=1.0, linestyle="--")


def _dress(axes: Axes, defaults: dict[str, Any], source: Source, *, has_legend: bool) -> None:
    axes.set_xlim(source.start_s, source.end_s)
    highest = max(axes.get_ylim()[1], 1e-9)
    axes.set_ylim(defaults.get("min", 0), defaults["max"] * 1.05 if "max" in defaults else highest * 1.05)
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda at, _: _with_unit(at, defaults["unit"])))
    axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda at, _: _clock(at)))
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25)
    if has_legend:
        axes.legend(fontsize=7, loc="best", framealpha=0.7)


def _with_unit(value: float, unit: str) -> str:
    if not np.isfinite(value):
        return "no data"
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "bytes":
        return f"{value / 1e6:.0f} MB"
    return f"{value:.3g}{_UNITS[unit]}"


def _clock(at_s: float) -> str:
    return time.strftime("%H:%M", time.gmtime(at_s))


def main() -> int:
    """Draw; the exit status is 1 if a panel has no data at all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL", help="the one to ask")
    parser.add_argument("--minutes", type=float, default=60.0, help="how much of the past to draw (60)")
    parser.add_argument("target", type=Path, help="the picture to write")
    options = parser.parse_args()
    source = Source(options.prometheus, minutes=options.minutes)
    empty = draw(source, json.loads(DASHBOARD.read_text())["panels"], options.target)
    for title in empty:
        print(f"no data: {title}", file=sys.stderr)
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
