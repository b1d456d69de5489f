"""The published contract, generated from the very schemas that check requests."""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from app.accounts.schema import LoginSchema
from app.forms.engine import all_definitions, answers_schema
from app.shared.ids import OP_ID
from app.sync import answer_schema, reads, schema
from app.sync.answers import CODE_DETAILS
from app.sync.registry import entities, kinds
from app.sync.schema import SENT_AS


def document() -> dict[str, Any]:
    """OpenAPI 3.1 of every /api path."""
    spec = APISpec(
        title="暖巡 同步接口",
        version="1.0",
        openapi_version="3.1.0",
        info={"description": "家医随访与点单服务的同步接口。一条操作一次事务；重复发送无害。"},
        plugins=[MarshmallowPlugin(schema_name_resolver=_name)],
    )
    spec.components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": "__Host-session"})
    spec.components.schema("Op", schema=schema.OpSchema)
    for kind in kinds.values():
        spec.components.schema(_payload_name(kind.name), schema=kind.schema)
    for key in all_definitions():
        spec.components.schema(_answers_name(key), schema=answers_schema(key))
    spec.components.schema("Sealed", schema=schema.SealedSchema)
    spec.components.schema("Problem", schema=answer_schema.ProblemSchema)
    for path, operations in _paths().items():
        spec.path(path=path, operations=operations)
    shown = spec.to_dict()
    shown["security"] = [{"session": []}]
    _mend_op(shown["components"]["schemas"])
    _mend_visits(shown["components"]["schemas"])
    return shown


def _name(found: Any) -> str:
    cls = found if isinstance(found, type) else type(found)
    return cls.__name__.removesuffix("Schema")


def _payload_name(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.split(".")) + "Payload"


def _mend_op(schemas: dict[str, Any]) -> None:
    """What marshmallow fields cannot say of themselves: the kinds known, and each kind's payload."""
    op = schemas["Op"]["properties"]
    op["op_id"]["pattern"] = op["replaces"]["pattern"] = f"^{OP_ID.pattern}$"
    op["replaces"]["description"] = (
        "本人此前未被接收、由这条更正的操作；多次更正时仍写最早的那条。接收后，旧编号再传为 duplicate。"
    )
    sealed = schemas["Sealed"]["properties"]
    sealed["op_id"]["pattern"] = op["op_id"]["pattern"]
    sealed["key_id"]["pattern"] = "^[0-9]{6}$"
    sealed["data"]["pattern"] = "^[A-Za-z0-9_-]+$"
    op["recorded_at"]["format"] = "date-time"
    read = schemas["Read"]["properties"]
    read["id"]["pattern"] = read["patient_id"]["pattern"] = op["op_id"]["pattern"]
    read["at"]["format"] = "date-time"
    op["kind"] = {"type": "string", "enum": list(kinds)}
    op["payload"] = {"anyOf": [{"$ref": f"#/components/schemas/{_payload_name(k)}"} for k in kinds]}
    for batch, items, of in (("Push", "ops", "Op"), ("PushSealed", "sealed", "Sealed")):
        schemas[batch]["properties"][items] = {
            "type": "array",
            "minItems": 1,
            "maxItems": schema.MAX_OPS,
            "items": {"$ref": f"#/components/schemas/{of}"},
        }
    for name in ("Result", "SealedResult"):
        told = schemas[name]["properties"]
        told["code"]["description"] = (
            f"rejected：{'、'.join(CODE_DETAILS)}；conflict：stale_revision、bad_transition、already_applied"
        )
        told["replaced_by"]["description"] = "duplicate 时：接收的是更正它的这条操作"
    schemas["SealedResult"]["properties"]["op"]["description"] = "echo 为 true 且未被接收时：打开后的原操作"


def _answers_name(key: str) -> str:
    return f"{key.capitalize()}Answers"


def _mend_visits(schemas: dict[str, Any]) -> None:
    """A visit's answers are those of its form; each form's fields come from its definition file."""
    forms = all_definitions()
    for key, form in forms.items():
        required = [name for name, field in form.fields.items() if field.get("required") is True]
        shown = schemas[_answers_name(key)]
        shown |= {"title": form.zh, "x-form": key, "x-form-version": form.version}
        shown["description"] = "必填（未随访的除外）：" + "、".join(required)
    for name in ("VisitCreatePayload", "VisitCorrectPayload"):
        fields_of = schemas.get(name, {}).get("properties", {})
        if "answers" in fields_of:
            fields_of["form"] = {"type": "string", "enum": list(forms)}
            fields_of["answers"] = {
                "anyOf": [{"$ref": f"#/components/schemas/{_answers_name(k)}"} for k in forms]
            }


def _paths() -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {
        "/api/auth/login": {
            "post": {
                "summary": "登录",
                "description": (
                    "打开了两步验证的账号要带 otp：验证器上的 6 位数字，或一个备用码。"
                    "401 otp_required：密码对，缺 otp；401 bad_credentials：账号、密码或 otp 不对；"
                    "429：试错太多，Retry-After 秒后再试。must 不为空时，先到这一页办完，别的请求答 403。"
                ),
                "security": [],
                "requestBody": _body(LoginSchema),
                "responses": _answers("200", "已登录", answer_schema.MeSchema) | {"401": _problem()},
            }
        },
        "/api/auth/logout": {"post": {"summary": "退出", "responses": _answers("204", "已退出")}},
        "/api/auth/me": {
            "get": {"summary": "当前登录", "responses": _answers("200", "当前登录", answer_schema.MeSchema)}
        },
        "/api/sync/push": {
            "post": {
                "summary": "上传操作",
                "parameters": [_sent_as()],
                "requestBody": _body(schema.PushSchema),
                "responses": _pushed(answer_schema.PushAnswerSchema),
            }
        },
        "/api/sync/pull": {
            "get": {
                "summary": "取得变更",
                "parameters": [
                    _asked("cursor", {"type": "string", "maxLength": 200}),
                    _asked("limit", {"type": "integer", "minimum": 1, "maximum": 500, "default": 200}),
                ],
                "responses": _answers("200", "变更", answer_schema.PullAnswerSchema),
            }
        },
        "/api/sync/sealed": {
            "post": {
                "summary": "上传手机上加密的操作",
                "description": "结果与 /api/sync/push 相同；明文、加密各传一次时，后一次为 duplicate。",
                "parameters": [_sent_as()],
                "requestBody": _body(schema.PushSealedSchema),
                "responses": _pushed(answer_schema.PushSealedAnswerSchema),
            }
        },
        "/api/sync/receipts": {
            "get": {
                "summary": "核对：服务器收到了本人这台手机的哪些操作",
                "description": "digest：op_id 排序，各加换行，取 SHA-256；since 比 recorded_at 前十个字。",
                "parameters": [
                    _asked("device_id", {"type": "string", "minLength": 1, "maxLength": 64}, required=True),
                    _asked("since", {"type": "string", "format": "date"}, required=True),
                    _asked("list", {"type": "string", "enum": ["0", "1"], "default": "0"}),
                ],
                "responses": _answers("200", "收条", answer_schema.ReceiptsSchema),
            }
        },
        "/api/sync/reads": {
            "post": {
                "summary": "报告：离线时在手机上打开过谁的页面",
                "description": "按 id 幂等；patient_id 已不在范围内的也记下。",
                "requestBody": _body(reads.ReadsSchema),
                "responses": _answers("200", "已记下", answer_schema.ReadsAnswerSchema),
            }
        },
        "/api/pack": {
            "get": {
                "summary": "离线随访包（NDJSON）",
                "parameters": [_asked("cursor", {"type": "string"})],
                "responses": {
                    "200": {"description": "页面流", "content": {"application/x-ndjson": {}}},
                    "default": _problem(),
                },
            }
        },
        "/api/devices/{id}/revoke": {
            "post": {
                "summary": "停用丢失的手机",
                "parameters": [_id()],
                "responses": _answers("204", "已停用"),
            }
        },
        "/api/devices/wiped": {
            "post": {
                "summary": "已停用的手机报告：本机资料已清除（凭它被停用的登录）",
                "responses": _answers("204", "已记录"),
            }
        },
    }
    for entity in entities:
        revision = _asked("revision", {"type": "integer", "minimum": 1})
        paths[f"/api/{entity}s/{{id}}"] = {
            "get": {
                "summary": "最新版本",
                "parameters": [_id(), revision],
                "responses": _answers("200", "记录", answer_schema.ChangeSchema),
            }
        }
    return paths


def _asked(name: str, of: dict[str, Any], required: bool = False) -> dict[str, Any]:
    return {"in": "query", "name": name, "required": required, "schema": of}


def _sent_as() -> dict[str, Any]:
    return {
        "in": "header",
        "name": SENT_AS,
        "required": False,
        "description": "以谁的名义上传（user.id）。与当前登录的人不符时，整批不处理：409 other_user。",
        "schema": {"type": "string", "maxLength": 64},
    }


def _pushed(of: type[Schema]) -> dict[str, Any]:
    other = {**_problem(), "description": f"other_user：登录的人与 {SENT_AS} 不符，一条也没有处理"}
    return _answers("200", "逐条结果", of) | {"409": other}


def _id() -> dict[str, Any]:
    return {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}


def _body(of: type[Schema]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": of}}}


def _answers(status: str, description: str, of: type[Schema] | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description}
    if of is not None:
        answer["content"] = {"application/json": {"schema": of}}
    return {status: answer, "default": _problem()}


def _problem() -> dict[str, Any]:
    return {
        "description": "没有完成",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
