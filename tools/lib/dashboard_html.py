"""Draws a Grafana dashboard as HTML, with the data of a real Prometheus. Not as Grafana does: its queries and layout only."""

from __future__ import annotations

import json
import math
import pathlib
from html import escape
from typing import Any, Protocol

_COLUMN = 56
_ROW = 34
_COLOURS = ("#3274d9", "#e0752d", "#299c46", "#a352cc", "#c4162a", "#806eb7", "#0a8f8f", "#8f6f0a")
_STYLE = """body{margin:0;background:#f4f5f5;font:13px sans-serif;color:#222;position:relative}
h1{font-size:18px;margin:0;padding:10px 12px}
.panel{position:absolute;background:#fff;border:1px solid #ddd;border-radius:3px;overflow:hidden}
.panel h2{font-size:13px;margin:0;padding:5px 8px}.row{position:absolute;font-weight:bold;padding:9px 8px}
.stat{font-size:30px;text-align:center;padding:14px}.none{color:#888;text-align:center;padding:14px}
td{padding:2px 10px}svg text{font:11px sans-serif;fill:#555}.legend{font-size:11px;padding:0 8px}"""


class Source(Protocol):
    """A Prometheus."""

    def api(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its HTTP API."""


def _number(value: float, unit: str) -> str:
    if math.isnan(value):
        return "-"
    if unit == "s":
        for limit, factor, name in ((1e-3, 1e6, "µs"), (1, 1e3, "ms"), (120, 1, "s"), (7200, 1 / 60, "min"),
                                    (172800, 1 / 3600, "h")):
            if abs(value) < limit:
                return f"{value * factor:.3g} {name}"
        return f"{value / 86400:.3g} d"
    if unit == "Bps":
        return f"{value / 1e6:.3g} MB/s"
    suffix = {"ops": "/s", "reqps": "/s"}.get(unit, "")
    return f"{value:.3g}{suffix}"


def _legend(template: str, metric: dict[str, str]) -> str:
    for key, value in metric.items():
        template = template.replace("{{" + key + "}}", value)
    return "" if template == "__auto" else template


class Dashboard:
    """One dashboard over a stretch of time."""

    def __init__(self, path: pathlib.Path, source: Source, variables: dict[str, str], begin: float, end: float) -> None:
        self._json: dict[str, Any] = json.loads(path.read_text())
        self._source = source
        self._variables = variables
        self._begin, self._end = begin, end

    def _query(self, expression: str, *, over_time: bool) -> list[dict[str, Any]]:
        for name, value in self._variables.items():
            expression = expression.replace(name, value)
        if over_time:
            found = self._source.api("query_range", query=expression, start=str(self._begin), end=str(self._end), step="1")
        else:
            found = self._source.api("query", query=expression, time=str(self._end))
        result: list[dict[str, Any]] = found["result"]
        return result

    def _chart(self, panel: dict[str, Any], width: int, height: int, unit: str) -> str:
        lines: list[tuple[str, list[tuple[float, float]]]] = []
        for target in panel["targets"]:
            for series in self._query(target["expr"], over_time=True):
                points = [(float(at), float(value)) for at, value in series["values"] if value != "NaN"]
                lines.append((_legend(target.get("legendFormat", ""), series["metric"]), points))
        lines = [line for line in lines if line[1]]
        if not lines:
            return '<div class="none">No data</div>'
        top = max(value for _, points in lines for _, value in points) * 1.1 or 1.0
        left, bottom = 62, height - 18

        def place(at: float, value: float) -> str:
            x = left + (at - self._begin) / (self._end - self._begin) * (width - left - 8)
            return f"{x:.1f},{bottom - value / top * (bottom - 8):.1f}"
        out = [f'<svg width="{width}" height="{height}">']
        for part in (0.0, 0.5, 1.0):
            y = bottom - part * (bottom - 8)
            out.append(f'<line x1="{left}" y1="{y}" x2="{width - 8}" y2="{y}" stroke="#e5e5e5"/>'
                       f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{_number(top * part, unit)}</text>')
        for index, (_, points) in enumerate(lines):
            joined = " ".join(place(at, value) for at, value in points)
            out.append(f'<polyline points="{joined}" fill="none" stroke="{_COLOURS[index % len(_COLOURS)]}" '
                       'stroke-width="1.6"/>')
        out.append("</svg>")
        names = " ".join(f'<span style="color:{_COLOURS[index % len(_COLOURS)]}">&#9644; {escape(name)}</span>'
                         for index, (name, _) in enumerate(lines) if name)
        return f'{"".join(out)}<div class="legend">{names}</div>'

    def _now(self, panel: dict[str, Any], unit: str) -> str:
        rows = [(_legend(target.get("legendFormat", ""), series["metric"]), _number(float(series["value"][1]), unit))
                for target in panel["targets"] for series in self._query(target["expr"], over_time=False)]
        if not rows:
            return '<div class="none">None</div>'
        if panel["type"] == "stat":
            return f'<div class="stat">{escape(rows[0][1])}</div>'
        cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<table>{cells}</table>"

    def html(self) -> tuple[str, int]:
        """The page, and how high it is."""
        out = [f'<!DOCTYPE html><meta charset="utf-8"><style>{_STYLE}</style><h1>{escape(self._json["title"])}</h1>']
        bottom = 0
        for panel in self._json["panels"]:
            place = panel["gridPos"]
            x, y = place["x"] * _COLUMN + 8, place["y"] * _ROW + 44
            width, height = place["w"] * _COLUMN - 8, place["h"] * _ROW - 8
            bottom = max(bottom, y + height)
            title = escape(panel["title"])
            if panel["type"] == "row":
                out.append(f'<div class="row" style="left:{x}px;top:{y - 4}px">{title}</div>')
                continue
            unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "")
            body = (self._now(panel, unit) if panel["type"] in ("stat", "table", "bargauge")
                    else self._chart(panel, width, height - 58, "" if panel["type"] == "heatmap" else unit))
            out.append(f'<div class="panel" style="left:{x}px;top:{y}px;width:{width}px;height:{height}px">'
                       f"<h2>{title}</h2>{body}</div>")
        return "".join(out), bottom + 12
