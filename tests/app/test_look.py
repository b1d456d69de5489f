"""The look keeps its promises: contrast, size, whole icons, no inline script or style."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from jinja2 import Environment, FileSystemLoader

ROOT = Path(__file__).resolve().parents[2]
CSS = ROOT / "static" / "css"
TEMPLATES = ROOT / "templates"
ROLES = (
    "doctor",
    "nurse",
    "manager",
    "village",
    "dispatcher",
    "provider",
    "family",
    "supervisor",
    "admin",
)

TEXT = [
    *[
        ("ink", ground)
        for ground in (
            "card",
            "paper",
            "sunk",
            "seg",
            "red-soft",
            "accent-soft",
            "yellow-soft",
        )
    ],
    *[("quiet", ground) for ground in ("card", "paper", "sunk", "none-soft", "accent-soft")],
    *[("accent", ground) for ground in ("card", "paper", "sunk", "accent-soft", "seg")],
    *[(tone, ground) for tone in ("red", "yellow", "green") for ground in ("card", "paper", f"{tone}-soft")],
    *[("ink", f"band-{tone}") for tone in ("red", "yellow", "green")],
    ("none", "none-soft"),
    ("on-accent", "accent"),
    ("on-alarm", "alarm"),
    ("on-alert", "alert"),
]


def tokens(theme: str) -> dict[str, str]:
    """Colours by name; the dark theme is laid over the light one, as the cascade does."""
    sheet = (CSS / "tokens.css").read_text("utf-8")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9A-F]{6});", sheet[: sheet.index("@media")]))
    if theme != "light":
        start = sheet.index("@media" if theme == "dark by system" else ':root[data-theme="dark"]')
        colours |= dict(re.findall(r"--([a-z-]+): (#[0-9A-F]{6});", sheet[start : sheet.index("}", start)]))
    return colours


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two #RRGGBB colours by WCAG 2.1."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark by system", "dark by choice"])
def test_every_text_colour_reads_on_every_ground_it_stands_on(theme: str) -> None:
    colours = tokens(theme)
    weak = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in TEXT}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
    assert min(contrast(colours["edge"], colours[ground]) for ground in ("card", "paper")) >= 3


def test_both_ways_into_the_dark_theme_give_the_same_colours() -> None:
    assert tokens("dark by system") == tokens("dark by choice")


def test_style_sheets_stay_light() -> None:
    assert sum((CSS / f"{name}.css").stat().st_size for name in ("tokens", "base", "components")) < 42_000


@pytest.fixture(scope="module")
def pages() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_at_most_four_places_and_one_is_active(pages: Environment, role: str) -> None:
    person = SimpleNamespace(id="u1", role=role, is_authenticated=True, care_mode=False)
    html = pages.get_template("base.html").render(current_user=person, tab="me", page_rev="r1")
    assert 1 <= html.count('class="tab"') <= 4
    assert html.count('aria-current="page"') == 1
    assert f'data-user="u1" data-role="{role}"' in html
    assert '<meta name="nx-page" content="r1">' in html


def test_nobody_signed_in_means_no_tabs_and_no_name(pages: Environment) -> None:
    html = pages.get_template("base.html").render()
    assert 'class="tab"' not in html
    assert "data-user" not in html
    assert html.index('id="strip"') < html.index('class="skip"') < html.index("<main")


def test_the_offline_page_names_nobody_even_when_somebody_is_signed_in(
    pages: Environment,
) -> None:
    person = SimpleNamespace(id="u1", role="doctor", is_authenticated=True, care_mode=True)
    html = pages.get_template("pwa/offline.html").render(current_user=person)
    assert "data-user" not in html
    assert 'data-state="offline"' in html


def test_care_mode_of_the_person_is_set_on_the_page(pages: Environment) -> None:
    person = SimpleNamespace(id="u1", role="family", is_authenticated=True, care_mode=True)
    assert '<html lang="zh-CN" data-care>' in pages.get_template("base.html").render(current_user=person)


def test_sign_in_escapes_what_was_typed_and_names_the_fault(pages: Environment) -> None:
    html = pages.get_template("accounts/sign_in.html").render(
        username='"><b>', next="/today", errors={"username": "账号或密码不对"}
    )
    assert "&#34;&gt;&lt;b&gt;" in html
    assert 'role="alert"' in html
    assert "账号或密码不对" in html


@pytest.mark.parametrize(
    ("colour", "emergency", "words"),
    [
        ("red", True, "危急"),
        ("red", False, "红"),
        ("yellow", False, "黄"),
        ("green", False, "绿"),
        (None, False, "待评"),
    ],
)
def test_a_grade_is_colour_and_shape_and_word(
    pages: Environment, colour: str | None, emergency: bool, words: str
) -> None:
    tile = str(pages.get_template("macros/ui.html").module.tile(colour, emergency))  # type: ignore[attr-defined]
    assert f'data-grade="{colour or "unrated"}"' in tile
    assert 'class="shape"' in tile
    assert f"<span>{words}</span>" in tile


def test_no_form_but_the_sign_in_lets_the_browser_remember_what_is_typed() -> None:
    """The browser writes what stands in fields into files of its own, past the lock, unless told not to."""
    remembered = {
        str(path.relative_to(TEMPLATES)): form
        for path in TEMPLATES.rglob("*.html")
        for form in re.findall(r"<form\b.*?>", path.read_text("utf-8"), re.DOTALL)
        if 'autocomplete="off"' not in form
    }
    assert list(remembered) == ["accounts/sign_in.html"], remembered


def test_no_field_but_those_of_the_sign_in_is_filled_in_by_the_browser() -> None:
    """A field's own word wins over its form's."""
    words = {
        (str(path.relative_to(TEMPLATES)), word)
        for path in TEMPLATES.rglob("*.html")
        for word in re.findall(r'\bautocomplete="([^"]*)"', path.read_text("utf-8"))
        if word != "off"
    }
    assert words == {
        ("accounts/sign_in.html", "username"),
        ("accounts/sign_in.html", "current-password"),
        # One's own account, and nobody's health: the password store and the text message may help.
        ("accounts/_fields.html", "{{ 'new-password' if fresh else 'current-password' }}"),
        ("accounts/_fields.html", "one-time-code"),
        ("accounts/password.html", "username"),
        ("accounts/sign_in_sms.html", "tel-national"),
        ("accounts/two_step.html", "username"),
        ("family/join.html", "name"),
        ("family/join.html", "tel-national"),
        ("family/join.html", "new-password"),
    }


def test_templates_carry_no_inline_script_style_or_handler() -> None:
    found = []
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text("utf-8")
        found += [
            f"{path.relative_to(TEMPLATES)}: {hit}"
            for hit in re.findall(r"<style|\sstyle=|\son[a-z]+=|hx-on|js:|user-scalable", text)
        ]
        found += [
            f"{path.relative_to(TEMPLATES)}: {tag}"
            for tag in re.findall(r"<script[^>]*>", text)
            if "src=" not in tag and "application/json" not in tag
        ]
    assert found == []


def sprite_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sprite", ROOT / "tools" / "make_sprite.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_icon_named_on_a_page_is_in_the_sprite() -> None:
    tool = sprite_tool()
    used, framed = set(), set()
    for path in [*TEMPLATES.rglob("*.html"), *(ROOT / "static" / "js").rglob("*.js")]:
        text = path.read_text("utf-8")
        named = set(re.findall(r"""\bicon\(["']([a-z0-9-]+)["']""", text))
        used |= named | set(re.findall(r"sprite\.svg#([a-z0-9-]+)", text))
        framed |= set(re.findall(r"frame\.svg#([a-z0-9-]+)", text))
        if path.suffix == ".js" and path.name != "messages.js":  # which has a function of its own
            framed |= named
    assert used - set(tool.NAMES) == set() and framed - set(tool.FRAME) == set()


def test_the_icons_of_the_first_pages_are_in_a_sheet_of_their_own() -> None:
    tool = sprite_tool()
    [listed] = re.findall(r'set FRAME = "([^"]+)"', (TEMPLATES / "macros" / "ui.html").read_text("utf-8"))
    assert tuple(listed.split()) == tool.FRAME and set(tool.FRAME) <= set(tool.NAMES)
    for sheet, names in tool.SHEETS.items():
        text = (ROOT / "static" / "vendor" / sheet).read_text("utf-8")
        assert tuple(re.findall(r'id="([a-z0-9-]+)"', text)) == names, sheet


def test_a_symbol_keeps_the_drawing_and_leaves_the_stroke_to_the_page() -> None:
    source = '<!-- x -->\n<svg\n stroke="currentColor"\n>\n  <path d="M1 1" />\n  <circle r="2" />\n</svg>\n'
    assert sprite_tool().symbol("dot", source) == (
        '<symbol id="dot" viewBox="0 0 24 24"><path d="M1 1"/><circle r="2"/></symbol>'
    )


def test_scripts_write_text_not_markup() -> None:
    """What comes from a record or the server is put in as text; `innerHTML` and the like are nowhere."""
    ways = re.compile(
        r"\.(innerHTML|outerHTML)\s*[+=]|insertAdjacentHTML|document\.write|\beval\(|new Function\("
    )
    for path in [*ROOT.glob("static/js/**/*.js"), *ROOT.glob("service_worker/*.js")]:
        assert not ways.search(path.read_text(encoding="utf-8")), path


def test_htmx_is_never_loaded_without_the_settings_that_keep_it_from_running_text() -> None:
    loading = [path for path in TEMPLATES.rglob("*.html") if "htmx.min.js" in path.read_text("utf-8")]
    assert [path.name for path in loading] == ["_htmx.html"]
    text = loading[0].read_text("utf-8")
    assert '"allowEval":false' in text and '"allowScriptTags":false' in text
    assert '"selfRequestsOnly":true' in text and '"includeIndicatorStyles":false' in text


def test_passwords_are_masked_and_may_be_pasted() -> None:
    fields = re.compile(r"<input[^>]*name=\"[^\"]*(?:password|current|new|again)[^\"]*\"[^>]*>", re.DOTALL)
    for path in ROOT.glob("templates/accounts/*.html"):
        text = path.read_text(encoding="utf-8")
        assert all('type="password"' in field for field in fields.findall(text)), path
        assert "onpaste" not in text
    for path in ROOT.glob("static/js/**/*.js"):
        assert not re.search(r"""['"](paste|copy)['"]""", path.read_text(encoding="utf-8")), path
