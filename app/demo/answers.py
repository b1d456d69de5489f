"""Filling in a form for somebody of a profile. Every answer is one the forms accept."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from app.demo.people import Person
from app.demo.profiles import DM, HTN, PROFILES, Series
from app.forms import engine

HTN_DRUGS = (("苯磺酸氨氯地平片", 5, "mg", 1), ("缬沙坦胶囊", 80, "mg", 1), ("厄贝沙坦片", 150, "mg", 1))
DM_DRUGS = (("盐酸二甲双胍片", 0.5, "g", 2), ("格列美脲片", 2, "mg", 1), ("阿卡波糖片", 50, "mg", 3))
CRISIS_REASON = "危急值，需急诊处理"
HOSPITAL = "区医院（演示）急诊科"


class Writer:
    """Fills in the forms of one person. `nth` counts visits backwards: 0 is the newest of its form."""

    def __init__(self, person: Person, rng: random.Random) -> None:
        self.person, self.rng, self.profile = person, rng, PROFILES[person.profile]
        self.height = float(rng.randint(148, 160) if person.sex == "2" else rng.randint(158, 174))
        self.bmi = rng.uniform(20.5, 26.5)
        self.smokes = person.sex == "1" and rng.random() < 0.25
        self.measured: dict[date, tuple[int, int]] = {}  # one day, one blood pressure, whatever the form
        self.target = 150 if HTN in person.conditions and DM not in person.conditions else 140

    def fill(self, form: str, nth: int, on: date, context: dict[str, Any]) -> dict[str, Any]:
        """Answers of a visit on that day; `context` as the forms engine wants it."""
        if form == "adl":
            return self._adl(nth)
        answers = self._general(nth, on) if form == "general" else self._follow_up(form, nth, on, context)
        return {key: value for key, value in answers.items() if value is not None}

    def _readings(self, nth: int, on: date) -> tuple[int, int]:
        if on not in self.measured:
            self.measured[on] = self._measure(nth)
        return self.measured[on]

    def _measure(self, nth: int) -> tuple[int, int]:
        sbp = _ranged(self.rng, self.profile.sbp, nth)
        if sbp is None:
            raised = nth > 1 and HTN in self.person.conditions and self.rng.random() < 0.12
            low, high = (self.target, self.target + 8) if raised else (114, self.target - 6)
            sbp = self.rng.randint(low, high)
        dbp = _ranged(self.rng, self.profile.dbp, nth) or min(88, self.rng.randint(62, 74) + (sbp - 112) // 3)
        return sbp, dbp

    def _body(self, nth: int) -> dict[str, Any]:
        weight = round(self.bmi * (self.height / 100) ** 2 + self.rng.uniform(-0.9, 0.9) + nth * 0.05, 1)
        return {"weight": weight, "height": self.height}

    def _follow_up(self, form: str, nth: int, on: date, context: dict[str, Any]) -> dict[str, Any]:
        rng = self.rng
        sbp, dbp = self._readings(nth, on)
        times = rng.choice((0, 3, 5, 7))
        answers: dict[str, Any] = {
            "symptoms": [1] if rng.random() < 0.8 else [2],
            "emergency_flags": [],
            "sbp": sbp,
            "dbp": dbp,
            **self._body(nth),
            "smoke_daily": rng.choice((5, 10, 20)) if self.smokes else 0,
            "drink_daily": 0 if rng.random() < 0.8 else 1,
            "exercise_times_week": times,
            "exercise_min": rng.choice((20, 30, 40)) if times else 0,
            "psych_adjust": rng.choice((1, 1, 1, 2)),
            "compliance_behaviour": rng.choice((1, 1, 2)),
            "meds": self._drugs(HTN_DRUGS if form == "hypertension" else DM_DRUGS),
            "med_adherence": 1,
            "adverse_reaction": 1,
        }
        pulse = rng.randint(64, 88)
        if form == "hypertension":
            answers |= {"heart_rate": pulse, "salt": rng.choice((1, 2, 2, 3))}
        else:
            fpg = _ranged(rng, self.profile.fpg, nth) or rng.randint(52, 68)
            answers |= {
                "pulse": pulse,
                "dorsalis_pedis": 1,
                "staple_food": rng.choice((250, 300, 350)),
                "hypo_reaction": 1,
                "fpg": fpg / 10,
            }
        if nth == 0:
            answers |= self.profile.follow_up
        return self._judged(form, answers, context)

    def _judged(self, form: str, answers: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        """The parts that follow from the rest: reasons, class, referral."""
        if answers["adverse_reaction"] == 2:
            answers["adverse_text"] = "脚踝轻度水肿"
        if answers.get("complication") == 2:
            answers["complication_text"] = "眼底出血，视物模糊"
        found = engine.compute(form, answers, context)
        answers["visit_class"] = found["visit_class_suggested"]
        answers["referral"] = bool(found["emergency"]) or answers.get("complication") == 2
        if answers["referral"]:
            answers["referral_reason"] = CRISIS_REASON if found["emergency"] else "并发症，需专科处理"
            answers["referral_org_dept"] = HOSPITAL
        return answers

    def _drugs(self, drugs: tuple[tuple[str, float, str, int], ...]) -> list[dict[str, Any]]:
        """The same prescription at every visit of the person."""
        name, dose, unit, times = drugs[self.person.number % len(drugs)]
        return [{"drug_name": name, "dose_per_time": dose, "unit": unit, "times_per_day": times}]

    def _general(self, nth: int, on: date) -> dict[str, Any]:
        rng = self.rng
        sbp, dbp = self._readings(nth, on)
        answers: dict[str, Any] = {
            "conditions": list(self.person.conditions) or ["none"],
            "lives_alone": self.person.lives_alone,
            "emergency_flags": [],
            "sbp": sbp,
            "dbp": dbp,
            "pulse": rng.randint(62, 88),
            "temperature": rng.choice((36.2, 36.4, 36.5, 36.7)),
            "spo2": rng.randint(95, 99),
            **self._body(nth),
            "falls_12m": 0,
            "fall_risk_high": False,
            "home_hazards": [] if rng.random() < 0.7 else [rng.choice((1, 2, 3, 4))],
            "cog3_immediate": True,
            "cog3_delayed_n": 3,
            "emo_sad": False,
            "emo_mood": 1,
            "referral": False,
        }
        if nth == 0:
            answers |= self.profile.general
        if sbp >= 180 or dbp >= 110:
            answers |= {"referral": True, "referral_reason": CRISIS_REASON, "referral_org_dept": HOSPITAL}
        if answers["falls_12m"]:
            answers["last_fall_date"] = (on - timedelta(days=rng.randint(6, 20))).isoformat()
        if answers["emo_sad"]:
            answers["suicidal_ideation"] = False
        return answers

    def _adl(self, nth: int) -> dict[str, Any]:
        keys = ("meal", "grooming", "dressing", "toileting", "activity")
        answers: dict[str, Any] = dict.fromkeys(keys, 0)
        if nth == 0 or (self.profile.adl and self.person.profile != "adl_partial"):
            answers |= dict(self.profile.adl)
        elif self.rng.random() < 0.2:
            answers["grooming"] = 1
        return answers


def _ranged(rng: random.Random, series: Series, nth: int) -> int | None:
    return rng.randint(*series[nth]) if nth < len(series) else None
