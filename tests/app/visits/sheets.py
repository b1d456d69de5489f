"""Answers that are complete and unremarkable; a test names only what it is about."""

from __future__ import annotations

from typing import Any

from app.shared import clock

HYPERTENSION = {
    "symptoms": [1],
    "emergency_flags": [],
    "sbp": 132,
    "dbp": 78,
    "heart_rate": 76,
    "weight": 58.5,
    "height": 152,
    "smoke_daily": 0,
    "drink_daily": 0,
    "exercise_times_week": 3,
    "exercise_min": 30,
    "salt": 2,
    "psych_adjust": 1,
    "compliance_behaviour": 2,
    "adverse_reaction": 1,
    "visit_class": 1,
    "referral": False,
}
DIABETES = {
    "symptoms": [1],
    "emergency_flags": [],
    "sbp": 132,
    "dbp": 78,
    "fpg": 6.1,
    "dorsalis_pedis": 1,
    "smoke_daily": 0,
    "drink_daily": 0,
    "exercise_times_week": 0,
    "exercise_min": 0,
    "staple_food": 300,
    "psych_adjust": 1,
    "compliance_behaviour": 1,
    "adverse_reaction": 1,
    "hypo_reaction": 1,
    "visit_class": 1,
    "referral": False,
}
ADL = {"meal": 0, "grooming": 0, "dressing": 0, "toileting": 0, "activity": 0}
GENERAL = {
    "conditions": ["none"],
    "lives_alone": False,
    "emergency_flags": [],
    "sbp": 128,
    "dbp": 76,
    "falls_12m": 0,
    "referral": False,
    "cog3_immediate": True,
    "cog3_delayed_n": 3,
    "emo_sad": False,
    "emo_mood": 1,
}
SHEETS: dict[str, dict[str, Any]] = {
    "hypertension": HYPERTENSION,
    "diabetes": DIABETES,
    "adl": ADL,
    "general": GENERAL,
}
EMERGENCY = {
    "sbp": 186,
    "dbp": 104,
    "visit_class": 2,
    "referral": True,
    "referral_reason": "血压危急",
    "referral_org_dept": "区医院急诊",
}


def payload(patient_id: str, form: str = "hypertension", **given: Any) -> dict[str, Any]:
    """A visit.create payload of now; `answers` are laid over the unremarkable ones."""
    answers = {**SHEETS[form], **given.pop("answers", {})}
    made = {
        "patient_id": patient_id,
        "form": form,
        "form_version": 1,
        "visited_at": clock.local(clock.now()).isoformat(timespec="seconds"),
        "mode": "home",
        "answers": {key: value for key, value in answers.items() if value is not None},
    }
    return {**made, **given}


def correction(visit_id: str, form: str = "hypertension", **given: Any) -> dict[str, Any]:
    """A visit.correct payload with the whole new content."""
    made = payload("", form, **given)
    del made["patient_id"]
    return {"visit_id": visit_id, "reason": "看错了血压计", **made}
