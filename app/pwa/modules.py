"""Our ES modules, joined: many small files to write in, few to send (docs/decisions/0031).

Not a bundler for anybody's JavaScript. It knows the shapes our own files have, formatted as the house formats
them, and refuses what it does not know: a module that cannot be joined fails the tests, not a phone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.config import ROOT

STATIC = ROOT / "static"
WORKER = ROOT / "service_worker"

_IMPORT = re.compile(
    r"^import (?:\* as (?P<all>\w+) from |\{(?P<names>[^}]*)\} from )?'(?P<path>[^']+)';\n", re.M
)
_PASSED_ON = re.compile(r"^export \{(?P<names>[^}]*)\} from '(?P<path>[^']+)';\n", re.M)
_GIVEN = re.compile(r"(?:^|(?<=;))export ?\{(?P<names>[^}]*)\};\n", re.M)
_DECLARED = re.compile(r"^export (?=(?:async )?function\*? (\w+)|const (\w+) =|class (\w+) )", re.M)
_LATER = re.compile(r"\bimport\('([^']+)'\)")
_TEXT = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`"""
_TEXTS = re.compile(_TEXT)
_BESIDE = re.compile(rf"^((?:{_TEXT}|[^'\"`/])*?)\s+// .*$")  # a remark after code
# Beside these nobody needs a space; beside + and - only where another of them is near.
_SPACED = re.compile(
    rf"(?P<text>{_TEXT})|\s*(?P<sign>[=<>!?:;,{{}}()\[\]&|*%])\s*|(?<![+-]) (?P<sum>[+-]) (?![+-])"
)
# What a property of our own is, and what var() falls back to, is text to a browser.
_SPACED_STYLE = re.compile(
    rf"(?P<text>{_TEXT}|--[\w-]+:[^;}}]*|var\([^(),]+, )|\s*(?P<sign>[{{}};,])\s*|(?P<colon>:) | (?P<bang>!)"
)
_LINE_ENDS = re.compile(r"(?<=[{;,(\[])\n|(?<!\0)\n(?=[}\])])")
_LEFT_OVER = re.compile(r"^(?:import|export)\b.*", re.M)


class CannotJoin(Exception):
    """A module is written in a way that cannot be joined."""


def bare(text: str) -> str:
    """Without the lines that are comments or empty, and without indentation: most of what a file weighs.

    Knows comments on lines of their own or at the end of one, and no text over several lines, which ours have
    not: tests/app/pwa/test_first_load.py has a real parser compare both forms. So with what is tight.
    """
    lines, inside = [], False
    for line in text.split("\n"):
        line = line.strip()
        if inside or line.startswith("/*"):
            inside = not line.endswith("*/")
        elif line and not line.startswith("//"):
            lines.append(_BESIDE.sub(r"\1", line))
    return "\n".join(lines) + "\n"


def tight(text: str) -> str:
    """A bare script without the spaces and line ends that only people need.

    A line with a "/" outside of its texts may hold a regular expression or a remark, and stays as it is.
    """
    return _tightened(text, _SPACED, lambda line: "/" in _TEXTS.sub("", line))


def tight_style(text: str) -> str:
    return _tightened(text, _SPACED_STYLE, lambda _: False)


def _tightened(text: str, spaced: re.Pattern[str], stays: Callable[[str], bool]) -> str:
    lines = [f"{line}\0" if stays(line) else spaced.sub(_tightly, line) for line in text.split("\n")]
    return _LINE_ENDS.sub("", "\n".join(lines)).replace("\0", "")


def _tightly(found: re.Match[str]) -> str:
    return next(part for part in found.groups() if part is not None)


@dataclass(frozen=True)
class Module:
    """One file: what it needs, what it gives, and its text without the words that say so."""

    address: str
    needs: tuple[str, ...]
    takes: tuple[str, ...]  # statements that bring in what it needs
    gives: tuple[str, ...]  # name, or name: where from
    body: str

    @property
    def name(self) -> str:
        return variable(self.address)


def variable(address: str) -> str:
    """What a module is called inside a joined file."""
    return "$" + re.sub(r"\W", "_", address.removeprefix("/static/").removeprefix("js/").removesuffix(".js"))


def path_of(address: str) -> Path:
    if address.startswith("/sw/"):
        return WORKER / address.removeprefix("/sw/")
    return STATIC / address.removeprefix("/static/")


@cache
def module(address: str) -> Module:
    """Read a module. Raises CannotJoin for what this file does not understand."""
    text = bare(path_of(address).read_text())
    needs: list[str] = []
    takes: list[str] = []
    gives: list[str] = []

    def needed(written: str) -> str:
        found = resolve(address, written)
        if found not in needs:
            needs.append(found)
        return variable(found)

    def take(found: re.Match[str]) -> str:
        name = needed(found["path"])
        if found["all"]:
            takes.append(f"const {found['all']}={name};")
        elif found["names"]:
            takes.append(f"const {{{','.join(_renamed(found['names']))}}}={name};")
        return ""

    def pass_on(found: re.Match[str]) -> str:
        name = needed(found["path"])
        for pair in _pairs(found["names"]):
            gives.append(f"{pair[1]}:{name}.{pair[0]}")
        return ""

    def give(found: re.Match[str]) -> str:
        gives.extend(
            mine if mine == theirs else f"{theirs}:{mine}" for mine, theirs in _pairs(found["names"])
        )
        return ""

    def declare(found: re.Match[str]) -> str:
        gives.append(found[1] or found[2] or found[3])
        return ""

    text = _GIVEN.sub(give, _PASSED_ON.sub(pass_on, _IMPORT.sub(take, text)))
    text = _DECLARED.sub(declare, text)
    if unknown := _LEFT_OVER.search(text):
        raise CannotJoin(f"{address}: {unknown[0]}")
    text = _LATER.sub(lambda found: f"import('{resolve(address, found[1])}')", text)
    return Module(address, tuple(needs), tuple(takes), tuple(gives), text)


def resolve(address: str, written: str) -> str:
    """The address that `written` means in the module at `address`."""
    if written.startswith("/"):
        return written
    parts = address.rpartition("/")[0].split("/")
    for step in written.split("/"):
        if step == "..":
            parts.pop()
        elif step != ".":
            parts.append(step)
    return "/".join(parts)


def _pairs(names: str) -> list[tuple[str, str]]:
    found = [part.split(" as ") for part in re.split(r"[,\s]*,\s*|\n", names.strip()) if part.strip(" ,")]
    return [(pair[0].strip(), pair[-1].strip()) for pair in found]


def _renamed(names: str) -> list[str]:
    return [mine if mine == theirs else f"{mine}:{theirs}" for mine, theirs in _pairs(names)]


def closure(roots: Iterable[str], outside: Iterable[str] = ()) -> list[str]:
    """The modules that `roots` need, each after what it needs itself; those `outside` are elsewhere.

    Raises CannotJoin for modules that need each other.
    """
    done: dict[str, bool] = dict.fromkeys(outside, True)
    order: list[str] = []

    def visit(address: str) -> None:
        if address in done:
            if not done[address]:
                raise CannotJoin(f"{address} needs a module that needs it")
            return
        done[address] = False
        for needed in module(address).needs:
            visit(needed)
        done[address] = True
        order.append(address)

    for root in roots:
        visit(root)
    return order


def joined(addresses: list[str], home: dict[str, str], made: Mapping[str, Mapping[str, object]] = {}) -> str:
    """The text of one file with these modules in it.

    `home` says in which file each module of the program lies, `made` what modules without a source give. What
    neither names is imported from where it is.
    """
    outside: dict[str, list[str]] = {}
    plain: list[str] = []
    for address in addresses:
        for needed in module(address).needs:
            if needed in addresses or needed in made:
                continue
            if variable(needed) in outside.get(home.get(needed, ""), ()):
                continue
            if needed in home:
                outside.setdefault(home[needed], []).append(variable(needed))
            elif needed not in plain:
                plain.append(needed)
    parts = [f"import{{{','.join(names)}}}from'{file}';\n" for file, names in outside.items()]
    parts += [f"import*as {variable(address)} from'{address}';\n" for address in plain]
    for address, given in made.items():
        parts.append(f"const {variable(address)}={json.dumps(given, separators=(',', ':'))};\n")
    for address in addresses:
        one = module(address)
        body = _LATER.sub(lambda found: _fetched(found[1], home), one.body)
        back = f"return{{{','.join(one.gives)}}};" if one.gives else ""
        parts.append(f"const {one.name}=(()=>{{\n{''.join(one.takes)}\n{tight(body)}{back}}})();\n")
    parts.append(f"export{{{','.join(module(address).name for address in addresses)}}};\n")
    return "".join(parts)


def _fetched(address: str, home: dict[str, str]) -> str:
    if address not in home:
        return f"import('{address}')"
    return f"import('{home[address]}').then((file)=>file.{variable(address)})"


def stub(address: str, file: str) -> str:
    """What stands under a module's own address: the same things, out of the file it lies in."""
    names = [given.partition(":")[0] for given in module(address).gives]
    if not names:
        return f"import'{file}';\n"
    name = variable(address)
    return f"import{{{name}}}from'{file}';\nexport const{{{','.join(names)}}}={name};\n"
