"""Python and JavaScript judge the same answers in the same words, on thousands of random ones."""

import json
import random
import subprocess
from pathlib import Path

from app.forms import engine

ROOT = Path(__file__).parents[3]
ODD = [
    None,
    "",
    " ",
    "x",
    "12",
    True,
    False,
    0,
    1,
    2.5,
    -1,
    1e12,
    0.1 + 0.2,
    [],
    [1],
    ["1", 1],
    {},
    "2026-02-30",
    "a\0",
]


def a_number(random_, field):
    low, high = field["hard"]["min"], field["hard"]["max"]
    edges = [low, high, *(limit["value"] for limit in field.get("soft", []))]
    value = random_.choice(edges) if random_.random() < 0.4 else random_.uniform(low, high)
    if field["type"] == "int":
        return round(value) + random_.choice([0, 0, 0, 1, -1])
    return round(value + random_.choice([0, 0, 0.1, -0.1]), random_.choice([0, 1, 1, 1, 2]))


def an_answer(random_, field):
    if random_.random() < 0.04:
        return random_.choice(ODD)
    kind = field["type"]
    if kind in ("int", "dec1", "dec3"):
        return a_number(random_, field)
    if kind in ("enum", "bool"):
        return random_.choice(field["options"])["code"]
    if kind == "multi":
        codes = [option["code"] for option in field["options"]]
        return random_.sample(codes, random_.choice([0, 1, 1, 2]))
    if kind == "date":
        return f"2026-0{random_.randint(1, 9)}-{random_.randint(1, 31):02d}"
    if kind == "text":
        return random_.choice(["头晕", "痛风、白内障", "字" * 600, "　", "𠀀 ok"])
    return [random_row(random_, field) for _ in range(random_.randint(0, 2))]


def random_row(random_, field):
    return {item["key"]: an_answer(random_, item) for item in field["item"] if random_.random() < 0.7}


def some_answers(random_, form):
    dense = random_.choice([0.1, 0.5, 0.9])
    fields = [*form.fields.values(), *(form.computed[k] for k in form.computed if "hard" in form.computed[k])]
    answers = {field["key"]: an_answer(random_, field) for field in fields if random_.random() < dense}
    if random_.random() < 0.8:
        answers.pop("lost_reason", None)
    if random_.random() < 0.05:
        answers[random_.choice(["zzz", "a/b~c", "constructor", "1"])] = 1
    return answers


def a_context(random_, form):
    last = {
        key: {"value": an_answer(random_, field), "on": random_.choice(["2026-03-01", "2025-01-31", None])}
        for key, field in {**form.fields, "bmi": {"type": "dec1", "hard": {"min": 15, "max": 35}}}.items()
        if field["type"] in ("int", "dec1") and random_.random() < 0.5
    }
    days = [None, "2026-06-10", "2026-06-09", "2026-09-30", "1950-02-28", "2026-13-01"]
    return {
        "visited_on": random_.choice(["2026-06-10", "2026-02-28", None]),
        "today": random_.choice(days),
        "birth_date": random_.choice(["1948-03-01", "1962-02-28", "1960-02-29", None]),
        "previous_visit_on": random_.choice(days),
        "next_visit_on": random_.choice(days),
        "conditions": random_.choice([None, [], ["hypertension"], ["ckd", "copd"]]),
        "same_day_visit": random_.choice([True, False]),
        "last": random_.choice([None, {}, last, last]),
    }


def verdict(case):
    form, answers, context = case["form"], case["answers"], case["context"]
    found = engine.check(form, answers, context)
    return {
        "errors": found.errors,
        "warnings": found.warnings,
        "computed": engine.compute(form, answers, context),
        "facts": engine.facts_from(form, answers, "2026-06-10", context),
        "observations": engine.observations(form, answers, context),
        "summary": engine.summary(form, answers),
    }


def test_both_languages_judge_four_thousand_random_visits_alike():
    random_ = random.Random(20260610)
    forms = list(engine.all_definitions().values())
    cases = []
    for number in range(4000):
        form = forms[number % len(forms)]
        answers, context = some_answers(random_, form), a_context(random_, form)
        cases.append({"form": form.key, "answers": answers, "context": context})
    lines = "\n".join(json.dumps(case) for case in cases)
    script = ROOT / "tests" / "js" / "forms_answers.mjs"
    done = subprocess.run(["node", script], input=lines, capture_output=True, text=True, check=True)
    answers_of_js = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers_of_js) == len(cases)
    for case, theirs in zip(cases, answers_of_js, strict=True):
        assert verdict(case) == theirs, json.dumps(case, ensure_ascii=False)
