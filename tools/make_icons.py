"""Draw the PNG app icons from our own SVGs with Chromium. The results are committed.

Run after changing static/icons/*.svg: `.venv/bin/python tools/make_icons.py`
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ICONS = Path(__file__).resolve().parent.parent / "static" / "icons"

# file name -> (drawing, edge in pixels). Maskable and Apple icons fill the square, because the
# system cuts its own shape out of them; the badge is a white silhouette for Android notices.
PICTURES = {
    "favicon-32.png": ("icon.svg", 32),
    "icon-192.png": ("icon.svg", 192),
    "icon-512.png": ("icon.svg", 512),
    "maskable-192.png": ("icon-maskable.svg", 192),
    "maskable-512.png": ("icon-maskable.svg", 512),
    "apple-touch-icon.png": ("icon-maskable.svg", 180),
    "badge-96.png": ("icon-mono.svg", 96),
    "monochrome-512.png": ("icon-mono.svg", 512),
}


def main() -> None:
    """Write every picture, transparent where the drawing leaves the ground free."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for name, (drawing, edge) in PICTURES.items():
            page = browser.new_page(viewport={"width": edge, "height": edge})
            svg = (
                (ICONS / drawing)
                .read_text("utf-8")
                .replace("<svg ", f'<svg width="{edge}" height="{edge}" ', 1)
            )
            page.set_content(
                f'<body style="margin:0">{svg.replace("<svg ", "<svg style=display:block ", 1)}</body>'
            )
            page.screenshot(path=ICONS / name, omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
