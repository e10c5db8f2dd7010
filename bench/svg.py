"""Drawing charts as SVG with nothing but the standard library."""

from __future__ import annotations

import math
from html import escape

_STYLE = ("text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:13px}.small{font-size:11px}"
          ".grid{stroke:#ddd}.axis{stroke:#444}")


class Scale:
    """Maps values to pixels, logarithmically if wanted."""

    def __init__(self, low: float, high: float, start: float, end: float, *, log: bool = False) -> None:
        self._log = log
        self._low, self._high = self._of(low), self._of(high)
        self._start, self._end = start, end

    def _of(self, value: float) -> float:
        return math.log10(value) if self._log else value

    def __call__(self, value: float) -> float:
        part = (self._of(value) - self._low) / (self._high - self._low)
        return self._start + part * (self._end - self._start)


class Svg:
    """One picture with a white ground."""

    def __init__(self, width: int, height: int, label: str) -> None:
        self._parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                       f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">',
                       f"<style>{_STYLE}</style>", f'<rect width="{width}" height="{height}" fill="#fff"/>']

    def text(self, x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> None:
        """`anchor` is start, middle or end."""
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, *, kind: str = "", color: str = "",
             width: float = 1) -> None:
        """A line of a class or a color."""
        stroke = f'stroke="{color}" ' if color else ""
        self._parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {stroke}'
                           f'stroke-width="{width}" class="{kind}"/>')

    def path(self, points: list[tuple[float, float]], color: str) -> None:
        """A line through points."""
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{joined}" fill="none" stroke="{color}" stroke-width="2"/>')

    def dot(self, x: float, y: float, color: str, radius: float = 2.5) -> None:
        """A filled circle."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{color}" fill-opacity="0.75"/>')

    def finish(self) -> str:
        """The text of the file."""
        return "\n".join([*self._parts, "</svg>", ""])
