"""The rule table of the domain text read a second time, plainly, for well-shaped facts.

Shares no code with the table or its evaluator: where both agree, neither has misread a row.
"""

from datetime import date


def age_of(facts):
    born, on = facts.get("birth_date"), date.fromisoformat(facts["as_of"])
    if born is None or born > facts["as_of"]:
        return None
    born = date.fromisoformat(born)
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def second_reading(facts):
    on = date.fromisoformat(facts["as_of"])
    conditions = facts.get("conditions")
    has = set(conditions or [])
    ht, dm, copd = "hypertension" in has, "diabetes_t2" in has, "copd" in has
    age = age_of(facts)

    def days(text):
        gone = (on - date.fromisoformat(text)).days if text else -1
        return gone if gone >= 0 else 10**6

    def got(name, key, window):
        record = facts.get(name)
        return record.get(key) if record and days(record["date"]) <= window else None

    def num(name, key, window):
        value = got(name, key, window)
        return float("nan") if value is None else value  # compares false with everything

    bp = []
    for item in sorted(facts.get("bp") or [], key=lambda item: item["date"], reverse=True):
        s, d = item["sbp"], item["dbp"]
        s = s if s is not None and 50 <= s <= 300 else None
        d = d if d is not None and 20 <= d <= 200 else None
        if days(item["date"]) > 730 or (s and d and d >= s):
            continue
        if (s and d) or (s and (s >= 180 or s < 90)) or (d and d >= 110):
            bp.append((days(item["date"]), s, d))
    full = [item for item in bp if item[1] and item[2]]

    def glucose(name):
        kept = [
            (days(item["date"]), item["mmol_l"])
            for item in facts.get(name) or []
            if item["mmol_l"] is not None
        ]
        return sorted(item for item in kept if 0.6 <= item[1] <= 50 and item[0] < 10**6)

    fpg, rbg = glucose("fpg"), glucose("rbg")
    newest = min([item[0] for item in fpg + rbg], default=10**6)
    fast = [value for day, value in fpg if day == newest <= 365]
    rand = [value for day, value in rbg if day == newest <= 365]
    target = (140, 90) if dm or "ckd" in has or age is None or age < 65 else (150, 90)

    def twice(s, d):
        if len(full) < 2 or full[0][0] > 100 or full[1][0] > 200:
            return False
        return all(item[1] >= s or item[2] >= d for item in full[:2])

    def fpg_twice(limit):
        near = len(fpg) > 1 and fpg[0][0] <= 100 and fpg[1][0] <= 200
        return near and fpg[0][1] >= limit and fpg[1][1] >= limit

    last = bp[0] if bp and bp[0][0] <= 365 else (0, None, None)
    o2, hr, t, nrs = (
        num("spo2", "pct", 30),
        num("pulse", "bpm", 30),
        num("temp", "c", 30),
        num("pain", "nrs", 30),
    )
    adl, ltc, stage = num("adl", "score", 400), num("ltc", "level", 730), num("skin", "stage", 90)
    out = days((facts.get("discharge") or {}).get("date"))
    major = has & {"chd", "stroke", "heart_failure", "ckd", "copd", "malignancy", "smi"}
    years = -1 if age is None else age
    alone = facts.get("lives_alone") is True
    fall = days(got("falls", "last_fall_date", 400))
    fresh_bp, fresh_fpg = bool(full) and full[0][0] <= 100, bool(fpg) and fpg[0][0] <= 100
    fired = [
        (1, "symptom", "RED_FLAG_SYMPTOM", 14, bool(got("red_flags", "codes", 365))),
        (2, "bp", "BP_EMERGENCY", 14, (last[1] or 0) >= 180 or (last[2] or 0) >= 110),
        (3, "bp", "BP_LOW", 14, (last[1] or 999) < 90),
        (4, "glucose", "GLU_HIGH_EMERGENCY", 14, any(v >= 16.7 for v in fast + rand)),
        (
            5,
            "glucose",
            "GLU_LOW_EMERGENCY",
            14,
            any(v <= 3.9 if dm or conditions is None else v < 2.8 for v in fast + rand),
        ),
        (6, "spo2", "SPO2_LOW", 14, o2 < (88 if copd else 90)),
        (
            7,
            "pulse",
            "PULSE_EMERGENCY",
            14,
            hr >= 130 or hr < 40 or (dm and hr > 100 and got("pulse", "persistent", 30) is True),
        ),
        (8, "temp", "TEMP_EMERGENCY", 14, t > 39.0 or t < 35.0),
        (9, "mood", "SUICIDE_RISK", 14, got("depression", "suicidal", 365) is True),
        (10, "complication", "COMPLICATION_NEW", 14, got("complication", "new_or_worse", 100) is True),
        (11, "bp", "BP_TWICE_GRADE2", 14, ht and twice(160, 100)),
        (12, "glucose", "GLU_TWICE_HIGH", 14, dm and fpg_twice(13.9)),
        (13, "function", "ADL_DEPENDENT", 30, adl >= 19),
        (14, "ltc", "LTC_SEVERE", 30, ltc >= 3),
        (15, "hospice", "HOSPICE", 7, facts.get("hospice") is True),
        (16, "home_bed", "HOME_BED", 7, facts.get("home_bed_open") is True),
        (17, "tube", "TUBE_CARE", 14, bool(facts.get("tubes"))),
        (18, "skin", "PRESSURE_INJURY_SEVERE", 7, stage >= 3),
        (19, "pain", "PAIN_SEVERE", 7, nrs >= 7),
        (20, "discharge", "DISCHARGE_HIGH_RISK", 7, out <= 14 and (bool(major) or years >= 80 or adl >= 9)),
        (21, "falls", "FALL_INJURY", 30, got("falls", "injurious", 400) is True and fall <= 90),
        (22, "cognition", "DEMENTIA_ALONE", 30, "dementia" in has and alone),
        (30, "bp", "BP_UNCONTROLLED_TWICE", 14, ht and twice(*target)),
        (
            31,
            "bp",
            "BP_UNCONTROLLED",
            14,
            ht and fresh_bp and (full[0][1] >= target[0] or full[0][2] >= target[1]),
        ),
        (
            32,
            "bp",
            "BP_SUSPECT",
            28,
            not ht and bool(full) and full[0][0] <= 400 and (full[0][1] >= 140 or full[0][2] >= 90),
        ),
        (33, "bp", "DATA_STALE_BP", 14, ht and not fresh_bp),
        (34, "glucose", "GLU_UNCONTROLLED_TWICE", 14, dm and fpg_twice(7.0)),
        (35, "glucose", "GLU_UNCONTROLLED", 14, dm and fresh_fpg and fpg[0][1] >= 7.0),
        (
            36,
            "glucose",
            "GLU_SUSPECT",
            28,
            not dm and (any(v >= 7.0 for v in fast) or any(v >= 11.1 for v in rand)),
        ),
        (
            37,
            "glucose",
            "GLU_LOW_CHECK",
            14,
            conditions is not None and not dm and any(2.8 <= v <= 3.9 for v in fast + rand),
        ),
        (38, "glucose", "DATA_STALE_FPG", 14, dm and not fresh_fpg),
        (39, "adverse", "ADVERSE_REACTION", 14, got("adverse", "present", 100) is True),
        (40, "adherence", "NONADHERENCE", 30, got("adherence", "code", 100) in (2, 3)),
        (41, "spo2", "SPO2_BORDERLINE", 14, 88 <= o2 <= 89 if copd else 90 <= o2 <= 93),
        (42, "pulse", "PULSE_ABNORMAL", 14, 101 <= hr <= 129 or 40 <= hr <= 49),
        (43, "temp", "TEMP_RAISED", 7, 37.3 <= t <= 39.0),
        (44, "function", "ADL_PARTIAL", 60, 4 <= adl <= 18),
        (45, "ltc", "LTC_MILD_MODERATE", 60, 1 <= ltc <= 2),
        (46, "cognition", "DEMENTIA", 60, "dementia" in has),
        (47, "cognition", "COGNITION_POSITIVE", 30, got("cognition", "positive", 400) is True),
        (48, "mood", "DEPRESSION_POSITIVE", 30, got("depression", "positive", 400) is True),
        (49, "skin", "PRESSURE_INJURY_EARLY", 14, 1 <= stage <= 2),
        (50, "pain", "PAIN_MODERATE", 14, 4 <= nrs <= 6),
        (51, "discharge", "DISCHARGE_RECENT", 14, out <= 30),
        (
            52,
            "falls",
            "FALL_RISK",
            60,
            num("falls", "count_12m", 400) >= 1 or got("falls", "risk_high", 400) is True,
        ),
        (53, "comorbidity", "MAJOR_DISEASE", 60, bool(major)),
        (54, "comorbidity", "MULTI_CHRONIC", 60, len(has) >= 3),
        (55, "age", "ADVANCED_AGE", 60, years >= 80),
        (56, "social", "LIVES_ALONE", 60, alone and years >= 75),
    ]
    first = {}
    for rule in (rule for rule in fired if rule[4]):
        first.setdefault(rule[1], rule)
    reasons = list(first.values())
    screened = age is None or age >= 65
    missing = [
        key
        for key, absent in (
            ("conditions", conditions is None),
            ("bp", not full or full[0][0] > (100 if ht else 400)),
            ("fpg", dm and not fresh_fpg),
            ("adl", screened and got("adl", "score", 400) is None),
            ("cognition", screened and got("cognition", "positive", 400) is None),
            ("depression", screened and got("depression", "positive", 400) is None),
            ("falls", screened and got("falls", "count_12m", 400) is None),
        )
        if absent
    ]
    blocked = {"conditions", "bp", "adl"} & set(missing)
    if reasons:
        colour = "red" if any(rule[0] <= 22 for rule in reasons) else "yellow"
    else:
        colour = "unrated" if blocked else "green"
    base = {"red": 30, "yellow": 60, "unrated": 30, "green": 90 if ht or dm else 180}[colour]
    return {
        "colour": colour,
        "emergency": any(rule[0] <= 9 for rule in reasons),
        "reasons": [rule[2] for rule in reasons],
        "missing": missing,
        "due_in_days": min([base, *(rule[3] for rule in reasons)]),
    }
