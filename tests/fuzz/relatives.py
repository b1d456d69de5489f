"""Pages about relatives, consents and a person's rights. Each call makes a state of its own: most of these
forms change it for good."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask.testing import FlaskClient

from tests.app.accounts.door import post
from tests.fuzz.ground import Ground

Source = Callable[[], tuple[FlaskClient, str]]
CODE = re.compile(r'id="binding-code">([^<]+)<')


class Relatives:
    def __init__(self, ground: Ground) -> None:
        self.ground, self.make, self.doctor = ground, ground.make, ground.town.doctor
        self.manager = ground.make.signed_in("manager")

    def sources(self) -> list[Source]:
        return [
            self.waiting,
            self.bound,
            lambda: (self.doctor, f"/patients/{self.make.patient()}/rights"),
            lambda: (self.doctor, f"/patients/{self.make.patient()}/copy"),
            lambda: (self.doctor, f"/patients/{self.restricted()}/restricted"),
            lambda: (self.manager, f"/patients/{self.restricted()}/rights"),
            lambda: (self.make.signed_in("family"), "/family/bind"),
            self.at_home,
            lambda: (self.ground.app.test_client(), "/sign-in/join"),
            self.joining,
        ]

    def code(self) -> str:
        """One that no relative has entered yet."""
        return self._invite(self.make.patient())

    def waiting(self) -> tuple[FlaskClient, str]:
        """A relative has entered the code; the clinic is to confirm."""
        patient = self.make.patient()
        relative = self.make.signed_in("family")
        answer = post(relative, "/family/bind", code=self._invite(patient), relation="妈妈")
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return self.doctor, f"/patients/{patient}/family"

    def bound(self) -> tuple[FlaskClient, str]:
        patient = self.make.patient()
        link = self.make.bind(self.make.user("family"), patient)
        return self.doctor, f"/patients/{patient}/family/{link}"

    def at_home(self) -> tuple[FlaskClient, str]:
        relative, patient = self.make.signed_in("family"), self.make.patient()
        self.make.bind(relative.username, patient)  # type: ignore[attr-defined]
        return relative, f"/family/{patient}"

    def joining(self) -> tuple[FlaskClient, str]:
        """Somebody without an account, whose number is to be proved."""
        client = self.ground.app.test_client()
        form = {"name": "王小梅", "phone": f"138{self.make.next():08d}", "relation": "姑姑"}
        assert post(client, "/sign-in/join", code=self.code(), **form).status_code == 303
        return client, "/sign-in/join/code"

    def restricted(self) -> str:
        patient = self.make.patient()
        asked = {"asked_by": "本人", "reason": "不想再被打扰"}
        assert post(self.doctor, f"/patients/{patient}/restriction", **asked).status_code == 303
        return patient

    def _invite(self, patient: str) -> str:
        answer = post(self.doctor, f"/patients/{patient}/family/invitations", said_by="本人", purpose="state")
        found = CODE.search(answer.get_data(as_text=True))
        assert found is not None
        return found[1]
