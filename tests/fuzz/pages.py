"""Every field of every form of every page, every id and every part of the address forms are posted to."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from app.extensions import db
from app.forms import engine
from app.forms.html import choice_of, code_text
from app.notices.models import Notice
from app.shared import clock
from app.sync import feed
from app.sync.models import Revision
from tests import hostile
from tests.app.accounts.door import SAME_ORIGIN, login, post, set_up
from tests.app.orders.town import in_days
from tests.app.visits import sheets
from tests.factories import PASSWORD
from tests.fuzz.forms import Control, Form, Page
from tests.fuzz.ground import Ground
from tests.fuzz.operations import FIELD_WORK
from tests.fuzz.relatives import Relatives

Source = Callable[[], tuple[FlaskClient, str]]
# Forms that a script makes, or that stand on a page only in rare states: address -> valid fields.
SCRIPTED = {
    "/patients/{p}/grade/raise": {"colour": "red", "reason": "家属说夜里喘得厉害"},
    "/patients/{p}/grade/confirm": {},
    "/handover/{h}/retry": {},
}
MEDICINES = ("meds-", "insulin-")  # rows of a visit form
NO_FIELDS_TO_SPOIL = {"/sign-out"}  # and whoever posts it is gone
# Whatever stands there is taken as it is, or passed over, and both are right.
ANYTHING_GOES = {
    "next": "safe_next makes / of it", "device_id": "a name for a phone that has none yet",
    "username": "for password managers; who changes the password is known", "sealed": "read as a file",
    "patient_id": "for the script; the address says who", "order_id": "for the script; the address says which",
    "visit_id": "for the script; the address says which", "rating.by": "of a rating, if there is one",
    "correct.form": "a visit keeps its form", "care-mode.on": "1 is large type, all else is not",
}  # fmt: skip


class Pages:
    def __init__(self, ground: Ground) -> None:
        self.ground, self.town = ground, ground.town
        ground.app.config["SMS_SIGN_IN"] = True
        self.seen_rules: set[str] = set()
        self.made = 0
        self.signing_in = ground.make.user("doctor")
        self._visit = ground.bases.visit()
        self.relatives = Relatives(ground)
        self._guarded = self._with_second_factor()
        self._tell_everybody()

    def sources(self) -> list[Source]:
        town, anybody = self.town, self.ground.app.test_client
        pages: list[Source] = [
            lambda: (anybody(), "/sign-in"),
            lambda: (anybody(), "/sign-in/sms"),
            self._sms_code,
            self._totp_code,
            lambda: (self._fresh(), "/me/password"),
            lambda: (self._fresh(), "/me/two-step"),
            self._setting_up,
            lambda: (self._guarded, "/me/two-step"),
            lambda: (town.doctor, "/patients/new"),
            lambda: (town.doctor, f"/patients/{town.patient}/edit"),
            lambda: (town.family, "/orders/new"),
            lambda: (town.doctor, f"/orders/new?patient={town.patient}"),
            lambda: (town.village, f"/orders/{town.order()}"),
            lambda: (town.family, f"/orders/{town.order()}?do=cancelled"),
            lambda: (town.provider, f"/orders/{town.bring_to('scheduled')}"),
            lambda: (town.provider, f"/orders/{town.bring_to('in_service')}"),
            lambda: (town.family, f"/orders/{town.bring_to('done')}"),
            lambda: (town.dispatcher, self._desk()),
            lambda: (town.doctor, f"/visits/{self._visit}/correct"),
            lambda: (town.doctor, f"/visits/{self._visit}"),
            self._with_another_phone,
            lambda: (town.doctor, "/notices"),
            lambda: (town.doctor, "/handover"),
            lambda: (
                self.ground.admin,
                f"/people/{self.ground.make.user_id(self.ground.make.user('nurse'))}",
            ),
            lambda: (self.ground.admin, f"/people/{self._guarded.user_id}"),  # type: ignore[attr-defined]
        ]
        for key in sheets.SHEETS:
            pages.append(lambda key=key: (town.doctor, f"/visits/new/{key}?patient={town.patient}"))
        return pages + self.relatives.sources()

    def run(self, examples: int) -> None:
        sources = self.sources()
        for address, fields in SCRIPTED.items():
            url = address.format(p=self.town.patient, h="0")
            form = Form(url, {n: Control(n, "text", value=v, label=n) for n, v in fields.items()})
            self._spoil(self.town.doctor, form, 3 * len(fields))
        share = -(-examples * 9 // 10 // len(sources))
        for source in sources:
            self._page(source, share)
        self._ids(examples // 10)
        unseen = self._post_rules() - self.seen_rules - NO_FIELDS_TO_SPOIL
        assert not unseen, f"no page here shows a form that posts to {unseen}: add one to sources()"

    def _page(self, source: Source, count: int) -> None:
        """The page is asked for anew after something was taken: an older form is refused for being old."""
        done = 0
        while done < count:
            client, url = source()
            answer = client.get(url)
            assert answer.status_code == 200, (url, answer.status_code)
            forms = [
                f for f in Page(answer.get_data(as_text=True)).forms if f.action not in NO_FIELDS_TO_SPOIL
            ]
            fielded = [f for f in forms if f.controls or "?" in f.action]
            for form in forms:
                self.seen_rules.add(self._rule(form.action or url))
            if not fielded:
                return
            for form in fielded:
                form.action = form.action or url
                few = "/sign-in" in form.action and form.action != "/sign-in/join"  # a code takes five tries
                most = 4 if few else count
                done += max(1, self._spoil(client, form, max(2, min(most, count // len(fielded)))))

    def _spoil(self, client: FlaskClient, form: Form, count: int) -> int:
        self.seen_rules.add(self._rule(form.action))
        split = urlsplit(form.action)
        asked = dict(parse_qsl(split.query))
        names = [*form.controls, *(f"?{name}" for name in asked)]
        valid = self._valid(form)
        for n in range(count if names else 0):
            name = names[(self.made + n) % len(names)]
            control = form.controls.get(name, Control(name, "hidden"))
            value = self.ground.values.posted(name, valid.get(name, "") or asked.get(name[1:], ""))
            if name.startswith("?"):
                where, data = f"{split.path}?{urlencode({**asked, name[1:]: value})}", valid
            else:
                where, data = form.action, {**valid, name: value}
                if name.startswith(MEDICINES):  # who takes some is asked whether they do
                    data.setdefault("med_adherence", "1")
            before = self.ground.rows()
            answer = client.post(where, data=self._data(form, control, data, value), headers=SAME_ORIGIN)
            self._judge(client, form, control, value, answer, before)
            if answer.status_code < 400:
                self.made += n + 1
                return n + 1
        self.made += count
        return count

    @staticmethod
    def _data(form: Form, control: Control, data: dict[str, Any], value: str) -> dict[str, Any]:
        files = {name: c for name, c in form.controls.items() if c.kind == "file"}
        for name in files:
            data = {**data, name: (io.BytesIO(value.encode()), f"{value[:20]}.nxq")}
        return data

    def _valid(self, form: Form) -> dict[str, Any]:
        """The form as a careful person fills it in."""
        later = in_days(1)[:16]
        known = {
            "name": "周安心", "id_card": self.ground.bases.card(), "phone": "13800138000", "contact_phone": "13800138000",
            "current": PASSWORD, "new": "another long pass 7", "again": "another long pass 7", "password": PASSWORD,
            "code": "000000", "reason": "看错了血压计", "note": "上午去", "wanted_on": later[:10], "scheduled_at": later,
            "username": self.signing_in, "contact_name": "小明", "rating.comment": "很好", "rating.overall": "5",  # type: ignore[attr-defined]
            "visited_on": clock.today().isoformat(), "address": "村东头 3 号", "relation": "妈妈",
            "guardian": "小明", "guardian_relation": "女儿", "basis": "监护证明", "wish": "愿意",
            "why": "老人又愿意了",
        }  # fmt: skip
        if form.action in ("/family/bind", "/sign-in/join"):
            known["code"] = self.relatives.code()
            known |= {"phone": f"138{self.ground.make.next():08d}", "password": "梅花 47 朵开在山亭"}
        if "wanted_on" in form.controls:
            form.controls["wanted_at"].value = self.ground.random.choice(["pick", in_days(1)])
        valid = form.valid()
        valid |= {name: known[name] for name in form.controls if name in known and not valid.get(name)}
        if form.controls.get("form") and (key := form.controls["form"].value) in sheets.SHEETS:
            valid |= self._sheet(key)
        if any(value for name, value in valid.items() if name.startswith(MEDICINES)):
            valid.setdefault("med_adherence", "1")  # last visit's medicines stand there already
        return valid

    @staticmethod
    def _sheet(key: str) -> dict[str, Any]:
        answers, posted = sheets.SHEETS[key], {}
        for name, value in answers.items():
            field = engine.definition(key).fields[name]
            if "choices" in field:
                posted[name] = choice_of(field, answers)
            elif isinstance(value, list):
                posted[name] = [code_text(code) for code in value]
            else:
                posted[name] = code_text(value)
        return {name: value for name, value in posted.items() if value is not None}

    def _ids(self, count: int) -> None:
        """What stands in the address instead of an id."""
        rules = [
            r for r in self.ground.app.url_map.iter_rules() if r.arguments and "POST" in (r.methods or ())
        ]
        for n in range(count):
            rule = rules[n % len(rules)]
            value = self.ground.values.posted("id", self.town.patient)
            url = "/".join(
                quote(value, safe="") if part.startswith("<") else part for part in rule.rule.split("/")
            )
            client = self.ground.admin if "people" in url else self.town.doctor
            before = self.ground.rows()
            answer = client.post(url, data={}, headers=SAME_ORIGIN)
            self._judge(client, Form(rule.rule), Control("id", "hidden"), value, answer, before)

    def _judge(
        self,
        client: FlaskClient,
        form: Form,
        control: Control,
        value: str,
        answer: TestResponse,
        before: dict[str, int],
    ) -> None:
        tally = self.ground.tally
        tally.cases += 1
        tally.fields.add(f"{self._rule(form.action)} {control.name}")
        about = (form.action, control.name, value[:80], answer.status_code)
        self.ground.look_at_log(about)
        html = answer.get_data(as_text=True)
        if answer.status_code >= 500:
            tally.wrong["server_errors"].append(about)
        if answer.status_code < 400:
            tally.accepted += 1
            self._look_at_taken(form, control, value, before, about)
            return
        page = Page(html)
        if answer.mimetype == "application/problem+json":
            page.faults.append(answer.get_json()["detail"])
        if hostile.INSIDES.search(" ".join(page.faults)):
            tally.wrong["internals_shown"].append((*about, page.faults))
        if set("<>\"'") & set(value) and hostile.Loose(html).bad:
            tally.wrong["hostile_text_changed"].append((*about, hostile.Loose(html).bad))
        if not page.faults or not any(hostile.CHINESE.match(words) for words in page.faults):
            tally.wrong["not_chinese"].append((*about, page.faults))
        but = {"sms_messages"} | (FIELD_WORK if answer.status_code == 409 else set())
        if grown := self.ground.grown(before, self.ground.rows(), but=but):
            tally.wrong["refused_but_stored"].append((*about, grown))
        if answer.status_code == 409:
            tally.overtaken += 1
            return
        nobody_types_it = control.kind in ("hidden", "submit") or answer.status_code == 401
        tally.refusal(nobody_types_it or page.names(control), (*about, control.label, page.faults))

    def _look_at_taken(
        self, form: Form, control: Control, value: str, before: dict[str, int], about: Any
    ) -> None:
        tally = self.ground.tally
        strange = (
            value.strip()
            and control.kind in ("hidden", "radio", "select", "checkbox")
            and value not in control.offered
        )
        place = f"{urlsplit(form.action).path.rsplit('/', 1)[1]}.{control.name}"
        if control.name == "wanted_hour" and form.controls["wanted_at"].value != "pick":
            strange = False  # heeded only beside a day
        if strange and not control.name.startswith("?") and not ANYTHING_GOES.keys() & {control.name, place}:
            tally.wrong["bad_accepted"].append(("not offered", *about))
        if self.ground.rows()["revisions"] == before["revisions"]:
            return
        with self.ground.app.app_context():
            newest = db.session.scalars(db.select(Revision).order_by(Revision.seq.desc()).limit(1)).one()
            kind, payload = newest.kind, json.loads(feed.open_payload(newest.payload))
            db.session.rollback()
        if why := self.ground.contract.forbids(kind, payload):
            tally.wrong["bad_accepted"].append((why, *about))
        kept = payload.get(control.name, payload.get("answers", {}).get(control.name))
        if (
            control.kind in ("text", "textarea")
            and isinstance(kept, str)
            and kept != value.replace("\r\n", "\n") != ""
        ):
            tally.wrong["hostile_text_changed"].append((kept[:80], *about))

    def _rule(self, action: str) -> str:
        if "<" in action:
            return action
        try:
            rule, _ = self.ground.app.url_map.bind("localhost").match(
                urlsplit(action).path, "POST", return_rule=True
            )
        except HTTPException:
            return action
        return rule.rule  # type: ignore[attr-defined]

    def _post_rules(self) -> set[str]:
        rules = self.ground.app.url_map.iter_rules()
        return {r.rule for r in rules if "POST" in (r.methods or ()) and not r.rule.startswith("/api/")}

    def _fresh(self) -> FlaskClient:
        return self.ground.make.signed_in("nurse")

    def _with_another_phone(self) -> tuple[FlaskClient, str]:
        client = self._fresh()
        login(self.ground.app.test_client(), client.username, device_id="d2")  # type: ignore[attr-defined]
        return client, "/me"

    def _sms_code(self) -> tuple[FlaskClient, str]:
        client = self.ground.app.test_client()
        post(client, "/sign-in/sms", phone="13812345678")
        return client, "/sign-in/sms/code"

    def _totp_code(self) -> tuple[FlaskClient, str]:
        client = self.ground.app.test_client()
        post(client, "/sign-in", username=self._guarded.username, password=PASSWORD)  # type: ignore[attr-defined]
        return client, "/sign-in/code"

    def _setting_up(self) -> tuple[FlaskClient, str]:
        client = self._fresh()
        post(client, "/me/two-step/begin", password=PASSWORD)
        return client, "/me/two-step"

    def _with_second_factor(self) -> FlaskClient:
        client = self._fresh()
        set_up(self.ground.app, self.ground.make, client)
        return client

    def _desk(self) -> str:
        self.town.order()
        return "/desk"

    def _tell_everybody(self) -> None:
        with self.ground.app.app_context():
            user = self.town.doctor.user_id  # type: ignore[attr-defined]
            db.session.add(
                Notice(
                    id="n1",
                    user_id=user,
                    kind="x",
                    title="新消息",
                    text="看看",
                    url="/me",
                    created_at=clock.now(),
                )
            )
            db.session.commit()
