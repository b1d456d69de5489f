"""Random people for grading: facts that like thresholds, window edges, leap days and, if asked, nonsense."""

import random
from datetime import date, timedelta

CONDITIONS = [
    "hypertension", "diabetes_t2", "chd", "stroke", "heart_failure", "ckd", "copd", "malignancy", "smi",
    "dementia", "osteoporosis", "other_gout", "constructor",
]  # fmt: skip
WINDOW_EDGES = [0, 1, 3, 14, 30, 90, 100, 200, 365, 400, 730]
EDGES = {
    "sbp": [49, 50, 90, 130, 140, 150, 160, 180, 300],
    "dbp": [19, 20, 80, 90, 100, 110, 200],
    "mmol_l": [0.6, 2.8, 3.9, 7.0, 11.1, 13.9, 16.7, 50],
    "pct": [88, 90, 94],
    "bpm": [40, 50, 101, 130],
    "c": [35.0, 37.3, 39.0, 39.1],
    "nrs": [0, 4, 7],
    "score": [0, 4, 9, 19, 37],
    "level": [0, 1, 3, 5],
    "stage": [0, 1, 3, 5, 6],
    "count_12m": [0, 1],
    "code": [1, 2, 3],
}
ODD = [
    None,
    True,
    False,
    1,
    0,
    -1,
    1.5,
    "",
    "7",
    "2026-02-20",
    [],
    [1],
    {},
    {"date": "2026-02-20"},
    1e9,
    5e-5,
]
FLAGS = ["persistent", "positive", "suicidal", "injurious", "risk_high", "new_or_worse", "present"]
RECORDS = {
    "spo2": ["pct"], "pulse": ["bpm", "persistent"], "temp": ["c"], "pain": ["nrs"],
    "depression": ["positive", "suicidal"], "cognition": ["positive"], "adl": ["score"], "ltc": ["level"],
    "falls": ["count_12m", "injurious", "last_fall_date", "risk_high"], "skin": ["stage"],
    "complication": ["new_or_worse"], "adverse": ["present"], "adherence": ["code"], "discharge": [],
}  # fmt: skip
# Often recorded, else hardly anybody would be green.
USUAL = {"depression", "cognition", "adl", "falls"}


class Maker:
    """Random facts that like thresholds, window edges and leap days. odd: share of wrong shapes."""

    def __init__(self, seed: int, odd: float) -> None:
        self.random = random.Random(seed)
        self.odd = odd
        self.as_of = date(2026, 3, 1)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def maybe_odd(self, value):
        return self.random.choice(ODD) if self.chance(self.odd) else value

    def day(self):
        days = self.random.choice(WINDOW_EDGES) + self.random.choice([-1, 0, 0, 1])
        return self.maybe_odd((self.as_of - timedelta(days=days)).isoformat())

    def value(self, key: str):
        if key == "last_fall_date":
            return self.day()
        if key in FLAGS:
            return self.maybe_odd(self.random.choice([True, False, False, None]))
        step = 0.1 if key in ("mmol_l", "c") else 1
        near = self.random.choice(EDGES[key]) + self.random.choice([-step, 0, 0, step])
        return self.maybe_odd(round(near, 1) if step == 0.1 else near)

    def record(self, *keys: str):
        return self.maybe_odd({"date": self.day(), **{key: self.value(key) for key in keys}})

    def records(self, most: int, *keys: str):
        made = [self.record(*keys) for _ in range(self.random.randint(0, most))]
        if not self.odd:  # one reading a day, as the shape demands
            made = list({item["date"]: item for item in made}.values())
        return self.maybe_odd(made)

    def birth_date(self):
        if self.chance(0.1):
            return self.random.choice([None, "1948-02-29", "1952-02-29", "1964-02-29", "2030-01-01"])
        years = self.random.choice([60, 65, 70, 75, 80])
        day = self.random.choice([date(1900, 2, 28), date(1900, 3, 1), date(1900, 3, 2), self.as_of])
        return self.maybe_odd(f"{self.as_of.year - years}-{day.month:02}-{min(day.day, 28):02}")

    def facts(self):
        self.as_of = self.random.choice(
            [date(2026, 3, 1), date(2027, 2, 28), date(2028, 2, 29), date(2027, 3, 1)]
        )
        known = self.random.sample(CONDITIONS, self.random.choice([0, 0, 1, 1, 2, 3]))
        made = {
            "as_of": self.as_of.isoformat()
            if self.chance(1 - self.odd / 10)
            else self.maybe_odd("2026-02-30"),
            "birth_date": self.birth_date(),
            "conditions": self.maybe_odd(None if self.chance(0.1) else known),
            "bp": self.records(3, "sbp", "dbp"),
        }
        for key in ("fpg", "rbg"):
            if self.chance(0.5):
                made[key] = self.records(3, "mmol_l")
        for name, keys in RECORDS.items():
            if self.chance(0.8 if name in USUAL else 0.1):
                made[name] = self.record(*keys)
        if self.chance(0.1):
            made["red_flags"] = self.maybe_odd(
                {"date": self.day(), "codes": self.random.choice([[], ["syncope", "toString"]])}
            )
        if self.chance(0.1):
            made["tubes"] = self.maybe_odd(self.random.choice([[], ["1"], [2, 2.0, "x"]]))
        for name in ("hospice", "home_bed_open", "lives_alone"):
            if self.chance(0.2):
                made[name] = self.maybe_odd(self.random.choice([True, False, None]))
        return made
