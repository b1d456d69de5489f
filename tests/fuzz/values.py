"""What is put into a field: drawn, and the same again for the same seed."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from app.patients.identity import CHECK_CHARS, WEIGHTS
from tests import hostile
from tests.hostile import Raw

TWICE = Raw("the key a second time")
# Where surprises live: ASCII, controls, Latin, combining, Arabic, CJK, full width, private use, astral.
RANGES = (
    (0x20, 0x7E), (0x00, 0x1F), (0x80, 0x24F), (0x300, 0x36F), (0x600, 0x6FF), (0x2000, 0x206F),
    (0x4E00, 0x9FFF), (0xFF00, 0xFFEF), (0xE000, 0xE0FF), (0xFFF0, 0xFFFF), (0x1F300, 0x1F9FF),
    (0x20000, 0x2A6DF), (0xD800, 0xDFFF),
)  # fmt: skip
TRAVERSALS = [
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "file:///etc/passwd",
    "C:\\NUL",
    "a\u2215b",
    "%2e%2e%2f",
]
HEADERS = ["a\r\nSet-Cookie: x=1", "a\nLocation: //evil.example", "\u560d\u560aX: y"]
CELLS = ["=1+1", "\t=1+1", "\r=cmd|'/c calc'!A1", "-2+3", "@SUM(A1)", "＝1+1", "|calc"]
QUERIES = [
    "1; SELECT pg_sleep(9)--",
    "\\'; DROP TABLE visits;--",
    "x' UNION SELECT * FROM users--",
    "%' --",
    "$1",
    ":id",
]
TEMPLATES = [
    "{{config}}",
    "{{ ''.__class__.__mro__ }}",
    "{% include '/etc/passwd' %}",
    "${{7*7}}",
    "#{7*7}",
    "%s%n%x",
]
SPEAKING = [*TRAVERSALS, *HEADERS, *CELLS, *QUERIES, *TEMPLATES]


class Values:
    def __init__(self, random: Random) -> None:
        self.random = random

    def json(self, name: str, valid: Any) -> Any:
        """For a member called `name` of JSON text; `valid` is what would be right, None if unknown."""
        draw = self.random.random()
        if draw < 0.03:
            return TWICE
        if draw < 0.13:
            return self.number_text()
        if draw < 0.25:
            return self.shape()
        if draw < 0.5:
            return self.random.choice(hostile.EVERYTHING)
        return self.spoiled(name, valid)

    def posted(self, name: str, valid: str) -> str:
        """For a field of a page's form: text, without what no browser can send."""
        draw = self.random.random()
        if draw < 0.45:
            value = self.random.choice(hostile.POSTED)
        elif draw < 0.55:
            value = str(self.number_text())
        else:
            value = self.spoiled(name, valid)
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        return text.encode("utf-8", "replace").decode()

    def spoiled(self, name: str, valid: Any) -> Any:
        """A near miss, where most mistakes of a reader are."""
        near = self._named(name)
        if near is not None and self.random.random() < 0.6:
            return near
        if isinstance(valid, bool):
            return self.random.choice([int(valid), str(valid), str(valid).lower(), "on", not valid])
        if isinstance(valid, int | float):
            return self._number_near(valid)
        if isinstance(valid, str) and self.random.random() < 0.6:
            return self._text_near(valid)
        if isinstance(valid, dict | list) and self.random.random() < 0.5:
            return self._container_near(valid)
        return self.text()

    def _named(self, name: str) -> str | None:
        if name in ("id_card",):
            return self.card()
        if "phone" in name:
            return self._text_near(self.random.choice(["13800138000", "0632-8811234", "+8613900001234"]))
        if name.endswith(("_at", "recorded_at")) or name == "at":
            return self.moment()
        if name.endswith(("_on", "date", "since")):
            return self.day()
        return None

    def text(self) -> str:
        draw = self.random.random()
        if draw < 0.3:
            return self.random.choice(SPEAKING)
        length = self.random.choice([0, 1, 2, 5, 20, 50, 51, 200, 201, 500, 501, 3000])
        if draw < 0.45:
            return self.random.choice("字x €\u0301𠮷") * length
        return "".join(self._character() for _ in range(min(length, 300)))

    def _character(self) -> str:
        low, high = self.random.choice(RANGES[:-1] if self.random.random() < 0.97 else RANGES)
        return chr(self.random.randint(low, high))

    def _text_near(self, valid: str) -> str:
        place = self.random.randint(0, len(valid))
        odd = self._character()
        return self.random.choice(
            [
                valid[:place] + odd + valid[place:],
                valid[:place] + odd + valid[place + 1 :],
                valid[:place],
                valid[place:],
                valid * 2,
                valid * 40,
                valid + self.random.choice(["\x00", "\n", " ", "\u200b", "\u202e", "'", '"', "%", "\\"]),
                self.random.choice([" ", "\ufeff", "\t", "+", "-", "0"]) + valid,
                valid.upper(),
                valid.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789:-"}),
                valid.translate({ord(c): 0x0660 + int(c) for c in "0123456789"}),
            ]
        )

    def _number_near(self, valid: float) -> Any:
        return self.random.choice(
            [
                -valid, valid + 0.5, valid * 10, valid * 1000, valid - 1000, str(valid), float(valid), [valid],
                valid + 1e-9, valid * 1e300, 2**self.random.randint(30, 54), Raw(f"{valid}e400"), Raw(f"-{valid}e-400"),
            ]
        )  # fmt: skip

    def _container_near(self, valid: Any) -> Any:
        if isinstance(valid, list):
            return self.random.choice(
                [[valid], [*valid, *valid], [*valid, None], valid * 100, {"0": valid}, str(valid)]
            )
        return self.random.choice(
            [[valid], {**valid, "": 1}, {**valid, "__proto__": {}}, list(valid), str(valid), {}]
        )

    def number_text(self) -> Raw:
        """Numbers as JSON text, which Python's own writer would not write."""
        digits = "".join(self.random.choices("0123456789", k=self.random.choice([1, 3, 17, 21, 400])))
        digits = digits.lstrip("0") or "0"
        tail = self.random.choice(["", ".5", "e400", "e-400", "E+99", ".000000000000000000001", "e0"])
        sign = self.random.choice(["", "", "-"])
        return self.random.choice(
            [*hostile.BROKEN_NUMBERS, Raw(sign + digits + tail), Raw(sign + digits + tail)]
        )

    def shape(self) -> Any:
        depth = self.random.choice([1, 2, 13, 15, 16, 17, 40])
        nested: Any = self.random.choice([1, None, "x"])
        for _ in range(depth):
            nested = [nested] if self.random.random() < 0.5 else {"a": nested}
        doubled = Raw('{"a":1,"a":2}')
        wide = {f"k{n}": n for n in range(self.random.choice([3, 600]))}
        return self.random.choice(
            [*hostile.SHAPES, nested, nested, doubled, wide, [0] * 600, {"\ud800": 1}, {"\x00": 1}]
        )

    def day(self) -> str:
        r = self.random
        year = r.choice([0, 1, 1582, 1899, 1900, 1969, 2000, 2025, 2026, 2027, 2100, 9999, 10000])
        return r.choice(
            [
                f"{year:04d}-{r.randint(0, 14):02d}-{r.randint(0, 33):02d}",
                f"{year}/{r.randint(1, 12)}/{r.randint(1, 28)}",
                f"{year}年{r.randint(1, 12)}月{r.randint(1, 28)}日",
                f"{year:04d}-{r.choice(['04-31', '02-30', '02-29', '06-31', '13-01', '00-10'])}",
                f"{r.randint(1, 28):02d}-{r.randint(1, 12):02d}-{year:04d}",
            ]
        )

    def moment(self) -> str:
        r = self.random
        time = f"{r.randint(0, 26):02d}:{r.randint(0, 63):02d}:{r.randint(0, 63):02d}"
        offset = r.choice(
            ["+08:00", "Z", "", "+8", "+0800", "+24:00", "-99:99", "z", " +08:00", "[Asia/Shanghai]"]
        )
        return (
            f"{self.day()}{r.choice(['T', 'T', 'T', ' ', 't'])}{time}{r.choice(['', '', '.5', ',5'])}{offset}"
        )

    def card(self) -> str:
        """An identity number that is wrong in one way: digit, day, future, length."""
        r = self.random
        day = r.choice(
            ["19500230", "19490229", "20991231", "18991231", "19500001", "00000000", "19501301", "19500101"]
        )
        body = f"370406{day}{r.randint(0, 999):03d}"
        right = CHECK_CHARS[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]
        wrong = r.choice([c for c in "0123456789XxAΧ" if c != right])
        return r.choice(
            [body + wrong, body + wrong, body + right if day != "19500101" else body, body, body[:15]]
        )
