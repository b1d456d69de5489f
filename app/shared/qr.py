"""QR codes as SVG."""

from __future__ import annotations

import segno


def svg(text: str) -> str:
    """An SVG that carries no style: our own sheet gives it its size."""
    drawn = segno.make(text, error="m").svg_inline(
        omitsize=True, border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None
    )
    return str(drawn)
