"""Our ES modules, joined: many small files to write in, few to send (docs/decisions/0031).

Not a bundler for anybody's JavaScript. It knows the shapes our own files have, formatted as the house formats
them, and refuses what it does not know: a module that cannot be joined fails the tests, not a phone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
# A remark after code. One with quotes in it may be part of a text, and stays.
_BESIDE = re.compile(r"\s+// [^'\"`]*$")
_LEFT_OVER = re.compile(r"^(?:import|export)\b.*", re.M)


class CannotJoin(Exception):
    """A module is written in a way that cannot be joined."""


def bare(text: str) -> str:
    """Without the lines that are comments or empty, and without indentation: most of what a file weighs.

    Knows comments on lines of their own or at the end of one, and no text over several lines, which ours have
    not: tests/app/pwa/test_first_load.py has a real parser compare both forms.
    """
    lines, inside = [], False
    for line in text.split("\n"):
        line = line.strip()
        if inside or line.startswith("/*"):
            inside = not line.endswith("*/")
        elif line and not line.startswith("//"):
            lines.append(_BESIDE.sub("", line))
    return "\n".join(lines) + "\n"


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


def joined(addresses: list[str], home: dict[str, str], own: str = "") -> str:
    """The text of one file with these modules in it.

    `home` says in which file each module of the program lies, `own` which file this one is. What it does not
    name is imported from where it is.
    """
    outside: dict[str, list[str]] = {}
    plain: list[str] = []
    for address in addresses:
        for needed in module(address).needs:
            if needed in addresses or variable(needed) in outside.get(home.get(needed, ""), ()):
                continue
            if needed in home:
                outside.setdefault(home[needed], []).append(variable(needed))
            elif needed not in plain:
                plain.append(needed)
    parts = [f"import{{{','.join(names)}}}from'{file}';\n" for file, names in outside.items()]
    parts += [f"import*as {variable(address)} from'{address}';\n" for address in plain]
    for address in addresses:
        one = module(address)
        body = _LATER.sub(lambda found: _fetched(found[1], home), one.body)
        given = f"return{{{','.join(one.gives)}}};" if one.gives else ""
        parts.append(f"const {one.name}=(()=>{{\n{''.join(one.takes)}\n{body}{given}}})();\n")
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
