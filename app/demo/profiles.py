"""What kinds of people live in the county, and how many of each in 600.

Drawn so that about 10 % come out red, 30 % yellow, 2 % not yet assessed (domain/grading.md §1). The
colours are not written here: the grading rules find them in the visits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HTN, DM = "hypertension", "diabetes_t2"
Series = tuple[tuple[int, int], ...]  # (low, high) of the newest readings, newest first


@dataclass(frozen=True)
class Profile:
    """`sbp`, `fpg`: ranges of the newest readings, newest first; older ones are ordinary. fpg in tenths.

    `general`, `follow_up`: answers that differ from the ordinary in the newest general visit or follow-up.
    `person`: what the register says. `days`: intervals before the newest visits, newest first.
    """

    count: int
    conditions: tuple[tuple[str, ...], ...] = ((),)  # one is drawn
    ages: tuple[int, int] = (68, 79)  # from 68: nobody's blood-pressure target moves within the history
    sbp: Series = ()
    dbp: Series = ()
    fpg: Series = ()
    adl: tuple[tuple[str, int], ...] = ()
    general: Mapping[str, Any] = field(default_factory=dict)
    follow_up: Mapping[str, Any] = field(default_factory=dict)
    person: Mapping[str, Any] = field(default_factory=dict)
    days: tuple[int, ...] = ()
    visited: bool = True
    held: bool = False  # was red at the last visit but one; a clinician has yet to agree that it is over


CHRONIC = ((HTN,), (HTN,), (HTN,), (HTN, DM), (DM,))
RAISED: Series = ((151, 158),)
CLIMBING: Series = ((160, 172), (161, 174), (152, 160), (146, 152))
RECOVERED: Series = ((126, 138), (161, 168), (161, 170), (150, 158))
CRISIS: Series = ((184, 192), (162, 170), (152, 160))
FELL = {"falls_12m": 1, "injurious": False}
DEPENDENT = (("meal", 3), ("grooming", 7), ("dressing", 3), ("toileting", 5), ("activity", 5))
PARTIAL = (("meal", 0), ("grooming", 3), ("dressing", 3), ("toileting", 1), ("activity", 1))

PROFILES: dict[str, Profile] = {
    # red, emergency
    "bp_emergency": Profile(2, ((HTN,),), (70, 79), CRISIS, ((102, 108), (94, 98))),
    "glucose_emergency": Profile(1, ((DM,),), (68, 76), fpg=((172, 178), (120, 130))),
    # red
    "bp_grade2": Profile(14, ((HTN,), (HTN, DM)), (68, 79), CLIMBING, ((92, 100), (92, 100)), days=(15,)),
    "glucose_twice": Profile(7, ((DM,),), (68, 79), fpg=((141, 158), (140, 156), (110, 130)), days=(16,)),
    "dependent": Profile(14, ((HTN,), ("stroke", HTN), ()), (74, 88), adl=DEPENDENT),
    "home_bed": Profile(
        5, (("stroke", HTN), ("copd",)), (76, 88), adl=DEPENDENT, person={"home_bed_open": True}
    ),
    "hospice": Profile(2, (("malignancy",),), (72, 84), person={"hospice": True}),
    "tubes": Profile(5, (("stroke", HTN), (HTN,)), (74, 87), person={"tubes": ["2"]}),
    "complication": Profile(4, ((DM,), (HTN,)), (68, 79), follow_up={"complication": 2}),
    "fall_injury": Profile(5, ((HTN,), ("osteoporosis",)), (70, 79), general=FELL | {"injurious": True}),
    "dementia_alone": Profile(3, (("dementia",),), (74, 79), person={"lives_alone": True}),
    # yellow
    "advanced_age": Profile(62, (*CHRONIC, ()), (80, 93)),
    "bp_high": Profile(34, ((HTN,), (HTN, DM)), (68, 79), RAISED),
    "bp_high_twice": Profile(12, ((HTN,),), (68, 79), ((151, 158), (150, 157)), days=(16,)),
    "glucose_high": Profile(16, ((DM,), (HTN, DM)), (68, 79), fpg=((72, 102),)),
    "major": Profile(22, (("chd", HTN), ("stroke", HTN), ("copd",), ("chd",)), (68, 79)),
    "multi": Profile(6, ((HTN, DM, "osteoporosis"),), (68, 79)),
    "adl_partial": Profile(10, ((HTN,), ()), (70, 79), adl=PARTIAL),
    "cognition": Profile(6, ((HTN,), ()), (70, 79), general={"cog3_immediate": True, "cog3_delayed_n": 1}),
    "depression": Profile(3, ((HTN,), ()), (68, 79), general={"emo_sad": True, "emo_mood": 2}),
    "alone": Profile(6, ((HTN,), ()), (76, 79), person={"lives_alone": True}),
    "falls": Profile(5, ((HTN,), ()), (70, 79), general=FELL),
    "irregular": Profile(4, ((HTN,),), (68, 78), follow_up={"med_adherence": 2}),
    "adverse": Profile(2, ((HTN,),), (68, 78), follow_up={"adverse_reaction": 2}),
    # not yet assessed
    "new": Profile(12, ages=(66, 76), visited=False),
    # green
    "recovered": Profile(
        3, ((HTN,),), (68, 77), RECOVERED, ((70, 82), (90, 96), (90, 96)), days=(14, 15), held=True
    ),
    "controlled_htn": Profile(197, ((HTN,),), (68, 79)),
    "controlled_dm": Profile(50, ((DM,), (HTN, DM), (HTN, DM)), (68, 79)),
    "healthy": Profile(88, ((), (), (), ("osteoporosis",)), (68, 79)),
}


def spread(people: int) -> list[str]:
    """Profile keys for so many people, in the proportions of the table, the rare ones mixed in evenly.

    A group of any size gets its share: the next key is always the one furthest behind.
    """
    total = sum(profile.count for profile in PROFILES.values())
    given = dict.fromkeys(PROFILES, 0)
    keys = []
    for place in range(1, people + 1):
        share = {key: profile.count * place / total for key, profile in PROFILES.items()}
        behind = max(PROFILES, key=lambda key: (share[key] - given[key], PROFILES[key].count))
        given[behind] += 1
        keys.append(behind)
    return keys
