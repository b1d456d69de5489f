"""The published contract says what the server does."""

from openapi_spec_validator import validate

from app.forms.engine import all_definitions
from app.sync.registry import kinds


def document(client) -> dict:
    return client.get("/api/openapi.json").get_json()


def test_it_is_valid_openapi_3_1(client) -> None:
    shown = document(client)
    assert shown["openapi"].startswith("3.1")
    validate(shown)


def test_every_api_route_is_in_it(app, client) -> None:
    shown = document(client)["paths"]
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/") or rule.endpoint == "sync.published_contract":
            continue
        path = rule.rule.replace("<plural>", "patients").replace(
            "<any(patients, visits, orders):plural>", "patients"
        )
        path = path.replace("<record_id>", "{id}").replace("<device_id>", "{id}")
        assert path in shown, rule.rule


def test_it_names_every_kind_with_its_payload_and_every_form_with_its_fields(client) -> None:
    schemas = document(client)["components"]["schemas"]
    assert schemas["Op"]["properties"]["kind"]["enum"] == list(kinds)
    verbs = {
        "patient": ("create", "update"),
        "visit": ("create", "correct"),
        "order": ("create", "transition"),
    }
    assert set(kinds) == {f"{noun}.{verb}" for noun, known in verbs.items() for verb in known}
    assert {"name", "id_card", "phone", "village_id"} <= set(schemas["PatientCreatePayload"]["required"])
    assert schemas["VisitCreatePayload"]["properties"]["form"]["enum"] == list(all_definitions())
    sbp = schemas["HypertensionAnswers"]["properties"]["sbp"]
    assert (sbp["minimum"], sbp["maximum"]) == (50, 300)
    for schema in ("Op", "PatientCreatePayload", "HypertensionAnswers"):
        assert schemas[schema]["additionalProperties"] is False
