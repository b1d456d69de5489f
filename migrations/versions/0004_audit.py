"""The audit as a chain that cannot be rewritten with the database alone, and lines that only ever grow.

SQLite drops the triggers when a later migration alters `audit_lines` in a batch: such a one must make them
again (tests/app/accounts/test_audit_chain.py notices).
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app

from app.shared.ids import new_id

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# What stands in a line and is never changed; position and hash are given once, when the line is linked.
CONTENT = (
    "id", "event_id", "at", "user_id", "role", "org_id", "device_id", "address", "action", "object_id",
    "patient_id", "claimed_at", "result", "request_id", "mac",
)  # fmt: skip
NOTHING = "0" * 64


def upgrade() -> None:
    with op.batch_alter_table("audit_lines", schema=None) as batch_op:
        batch_op.add_column(sa.Column("event_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("org_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("device_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("address", sa.String(length=45), nullable=True))
        batch_op.add_column(sa.Column("claimed_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("mac", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("position", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("hash", sa.String(length=64), nullable=True))
    key = _key()
    _mark_existing(key)
    with op.batch_alter_table("audit_lines", schema=None) as batch_op:
        batch_op.alter_column("event_id", existing_type=sa.String(length=36), nullable=False)
        batch_op.alter_column("mac", existing_type=sa.String(length=64), nullable=False)
        batch_op.create_unique_constraint(batch_op.f("uq_audit_lines_event_id"), ["event_id"])
        batch_op.create_unique_constraint(batch_op.f("uq_audit_lines_position"), ["position"])
    chain = op.create_table(
        "audit_chain",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pruned_to", sa.BigInteger(), nullable=False),
        sa.Column("pruned_hash", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_chain")),
    )
    empty = {"id": 1, "pruned_to": 0, "pruned_hash": NOTHING, "position": 0, "hash": NOTHING}
    op.bulk_insert(chain, [{**empty, "mac": _mac(key, ["chain", 0, NOTHING, 0, NOTHING])}])
    _guard()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_lines_kept")
        op.execute("DROP TRIGGER audit_lines_unchanged")
    else:
        op.execute("DROP TRIGGER audit_lines_never_emptied ON audit_lines")
        op.execute("DROP TRIGGER audit_lines_only_grow ON audit_lines")
        op.execute("DROP FUNCTION audit_lines_only_grow()")
    op.drop_table("audit_chain")
    with op.batch_alter_table("audit_lines", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_audit_lines_position"), type_="unique")
        batch_op.drop_constraint(batch_op.f("uq_audit_lines_event_id"), type_="unique")
        for name in ("hash", "position", "mac", "claimed_at", "address", "device_id", "org_id", "event_id"):
            batch_op.drop_column(name)


def _mark_existing(key: bytes) -> None:
    """Lines from before get their mark here; the first `audit verify` or linking job links them."""
    connection = op.get_bind()
    lines = sa.table(
        "audit_lines",
        *(sa.column(name) for name in ("id", "user_id", "role", "action", "object_id", "patient_id")),
        *(sa.column(name) for name in ("result", "request_id", "event_id", "mac")),
        sa.column("at", sa.DateTime()),
    )
    last = 0
    while True:
        found = connection.execute(
            sa.select(lines).where(lines.c.id > last).order_by(lines.c.id).limit(1000)
        ).all()
        if not found:
            return
        last = found[-1].id
        connection.execute(
            sa.update(lines)
            .where(lines.c.id == sa.bindparam("line"))
            .values(event_id=sa.bindparam("event"), mac=sa.bindparam("mark")),
            [_marked(key, line, new_id()) for line in found],
        )


def _marked(key: bytes, line: sa.Row, event_id: str) -> dict[str, object]:
    at: datetime = line.at
    moment = at.replace(tzinfo=UTC).isoformat(timespec="microseconds")
    content = [
        "line", event_id, moment, line.user_id, line.role, None, None, None, line.action, line.object_id,
        line.patient_id, None, line.result, line.request_id,
    ]  # fmt: skip
    return {"line": line.id, "event": event_id, "mark": _mac(key, content)}


def _key() -> bytes:
    """As app/accounts/audit_chain.py derives it."""
    secret = current_app.config["SECRET_KEY"].encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"nuanxun/audit").derive(secret)


def _mac(key: bytes, content: list[object]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _guard() -> None:
    """A line may be linked once, and deleted once the chain says that it was pruned; nothing else."""
    new, old = (", ".join(f"{row}.{name}" for name in CONTENT) for row in ("NEW", "OLD"))
    pruned = "COALESCE((SELECT pruned_to FROM audit_chain WHERE id = 1), 0)"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER audit_lines_unchanged BEFORE UPDATE ON audit_lines"
            f" WHEN NOT (OLD.position IS NULL AND ({new}) IS ({old}))"
            " BEGIN SELECT RAISE(ABORT, 'audit lines are never changed'); END"
        )
        op.execute(
            "CREATE TRIGGER audit_lines_kept BEFORE DELETE ON audit_lines"
            f" WHEN OLD.position IS NULL OR OLD.position > {pruned}"
            " BEGIN SELECT RAISE(ABORT, 'audit lines are never deleted'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION audit_lines_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF TG_OP = 'UPDATE' AND OLD.position IS NULL"
        f"  AND ROW({new}) IS NOT DISTINCT FROM ROW({old}) THEN RETURN NEW; END IF;"
        f" IF TG_OP = 'DELETE' AND OLD.position <= {pruned} THEN RETURN OLD; END IF;"
        " RAISE EXCEPTION 'audit lines are never changed or deleted'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_lines_only_grow BEFORE UPDATE OR DELETE ON audit_lines"
        " FOR EACH ROW EXECUTE FUNCTION audit_lines_only_grow()"
    )
    op.execute(
        "CREATE TRIGGER audit_lines_never_emptied BEFORE TRUNCATE ON audit_lines"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_lines_only_grow()"
    )
