"""The shapes of what goes out, for the published contract alone: nothing is checked against them here."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class UserSchema(Schema):
    id = fields.String(required=True)
    username = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    town = fields.String(required=True, allow_none=True)


class SealKeySchema(Schema):
    key_id = fields.String(required=True)
    public_key = fields.String(required=True)


class PolicySchema(Schema):
    lock_minutes = fields.Integer(required=True)
    offline_hours = fields.Integer(required=True)


class MeSchema(Schema):
    user = fields.Nested(UserSchema, required=True)
    server_time = fields.String(required=True)
    limits = fields.Dict(required=True)
    epoch = fields.String(required=True)
    seal = fields.Nested(SealKeySchema, required=True)
    policy = fields.Nested(PolicySchema, required=True)
    must = fields.String(required=True, allow_none=True)


class FieldErrorSchema(Schema):
    pointer = fields.String(required=True)
    code = fields.String(required=True)
    message = fields.String()


class ResultSchema(Schema):
    op_id = fields.String(required=True, allow_none=True)
    status = fields.String(
        required=True, validate=validate.OneOf(["applied", "duplicate", "conflict", "rejected"])
    )
    entity_id = fields.String()
    revision = fields.Integer()
    code = fields.String()
    detail = fields.String()
    errors = fields.List(fields.Nested(FieldErrorSchema))
    current = fields.Dict()
    replaced_by = fields.String()


class SealedResultSchema(ResultSchema):
    op = fields.Dict()


class PushAnswerSchema(Schema):
    server_time = fields.String(required=True)
    results = fields.List(fields.Nested(ResultSchema), required=True)


class PushSealedAnswerSchema(Schema):
    server_time = fields.String(required=True)
    results = fields.List(fields.Nested(SealedResultSchema), required=True)


class ChangeSchema(Schema):
    id = fields.String(required=True)
    revision = fields.Integer(required=True)
    kind = fields.String(required=True)
    op_id = fields.String(required=True)
    author_id = fields.String(required=True)
    recorded_at = fields.String(required=True)
    received_at = fields.String(required=True)
    state = fields.String()
    replaces = fields.String()
    payload = fields.Dict(required=True)


class RemovedSchema(Schema):
    id = fields.String(required=True)


class PullAnswerSchema(Schema):
    changes = fields.List(fields.Nested(ChangeSchema), required=True)
    removed = fields.List(fields.Nested(RemovedSchema), required=True)
    cursor = fields.String(required=True)
    more = fields.Boolean(required=True)
    epoch = fields.String(required=True)
    server_time = fields.String(required=True)


class ReadsAnswerSchema(Schema):
    server_time = fields.String(required=True)
    kept = fields.Integer(required=True)
    known = fields.Integer(required=True)


class ReceiptsSchema(Schema):
    device_id = fields.String(required=True)
    since = fields.String(required=True)
    count = fields.Integer(required=True)
    digest = fields.String(required=True)
    server_time = fields.String(required=True)
    epoch = fields.String(required=True)
    op_ids = fields.List(fields.String())


class ProblemSchema(Schema):
    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    detail = fields.String()
    request_id = fields.String()
    errors = fields.List(fields.Nested(FieldErrorSchema))
