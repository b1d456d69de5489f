"""What forms a page has, and what a refused one says."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from app.shared.labels import label_of

VOID = {"input", "img", "br", "hr", "meta", "link", "use", "path", "area", "col", "wbr", "source"}
CHOICES = ("radio", "checkbox", "hidden", "select", "submit")


@dataclass
class Control:
    name: str
    kind: str
    offered: set[str] = field(default_factory=set)
    value: str = ""
    required: bool = False
    label: str = ""


@dataclass
class Form:
    action: str
    controls: dict[str, Control] = field(default_factory=dict)

    def valid(self) -> dict[str, str]:
        """As the page gives it, with the first choice wherever one must be made."""
        made = {}
        for name, control in self.controls.items():
            if control.value or control.kind == "hidden":
                made[name] = control.value
            elif control.required and control.offered - {""}:
                made[name] = min(control.offered - {""})
        return made


class Page(HTMLParser):
    """`forms`, and `faults`: the words of every message of refusal; `marked`: controls shown as wrong."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.faults: list[str] = []
        self.marked: set[str] = set()
        self.links: set[str] = set()
        self._by_id: dict[str, Form] = {}
        self._form: Form | None = None
        self._select: Control | None = None
        self._labels: dict[str, str] = {}
        self._ids: dict[str, list[Control]] = {}
        self._catch: list[tuple[int, str, list[str]]] = []
        self._depth = 0
        self._legend = ""
        self._waiting: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        for tag, given in self._waiting:
            if (form := self._by_id.get(given.get("form", ""))) is not None:
                self._add(form, tag, given)
        for control_id, controls in self._ids.items():
            for control in controls:
                control.label = self._labels.get(control_id) or control.label

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._depth += 1
        classes = given.get("class", "").split()
        if (
            "fault" in classes
            or given.get("role") == "alert"
            or "empty" in classes
            or "form-errors" in classes
        ):
            self._catch.append((self._depth, "fault", []))
        elif tag == "label" or tag == "legend":
            self._catch.append((self._depth, f"{tag}:{given.get('for', '')}", []))
        if tag == "a" and given.get("href", "").startswith("#m-"):
            self.links.add(given["href"][3:])
        if tag == "form":
            self._form = None
            if given.get("method") == "post":
                self._form = Form(given.get("action", ""))
                self.forms.append(self._form)
                self._by_id[given.get("id", "")] = self._form
        elif tag == "option" and self._select is not None:
            self._select.offered.add(given.get("value", ""))
            if "selected" in given:
                self._select.value = given.get("value", "")
        elif tag in ("input", "select", "textarea", "button") and given.get("name"):
            if "form" in given:
                self._waiting.append((tag, given))
            elif self._form is not None:
                self._add(self._form, tag, given)
        if "aria-invalid" in given and given.get("name"):
            self.marked.add(given["name"])
        if given.get("id", "").endswith("-fault"):
            self.marked.add(given["id"].removesuffix("-fault"))

    def _add(self, form: Form, tag: str, given: dict[str, str]) -> None:
        if "__N__" in given["name"]:
            return  # of a row that a script has not made yet
        kind = (
            tag
            if tag in ("select", "textarea")
            else given.get("type", "submit" if tag == "button" else "text")
        )
        control = form.controls.setdefault(given["name"], Control(given["name"], kind, label=self._legend))
        control.required = control.required or "required" in given
        if kind in CHOICES and tag != "select":
            control.offered.add(given.get("value", ""))
        if kind not in ("radio", "checkbox") or "checked" in given:
            control.value = given.get("value", "") or control.value
        if tag == "select":
            self._select = control
        if kind not in ("radio", "checkbox"):  # those are called by their legend
            control.label = given.get("aria-label", control.label)
            self._ids.setdefault(given.get("id", ""), []).append(control)

    def handle_data(self, data: str) -> None:
        for _, _, words in self._catch:
            words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while self._catch and self._catch[-1][0] >= self._depth:
            _, what, words = self._catch.pop()
            said = "".join(words).strip()
            if what == "fault" and said:
                self.faults.append(said)
            elif what.startswith("label:"):
                self._labels[what[6:]] = said
            elif what.startswith("legend:"):
                self._legend = said
        self._depth -= 1
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None

    def names(self, control: Control) -> bool:
        """Whether a refusal shows this control as wrong, or says its name."""
        said = " ".join(self.faults)
        called = {control.label.split("（")[0].strip(), label_of(control.name)} - {""}
        key = control.name.split("-")[0]  # of a row: meds-0-dose
        return bool({control.name, key} & (self.marked | self.links)) or any(
            label in said for label in called
        )
