"""Observations are numbered in the order they were stored: nobody asks for one by a name of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NAMES = "patient_id, visit_id, code, value, number, unit, observed_on, observed_at, source"
REMEMBERED = sa.text("code IN ('conditions', 'height', 'lives_alone')")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AS_UUID = {
    "sqlite": "printf('00000000-0000-7000-8000-%012x', id)",
    "postgresql": "'00000000-0000-7000-8000-' || lpad(to_hex(id), 12, '0')",
}


def upgrade() -> None:
    _set_aside()
    _create(sa.Column("id", NUMBER, autoincrement=True, nullable=False))
    op.execute(f"INSERT INTO observations ({NAMES}) SELECT {NAMES} FROM observations_before ORDER BY id")  # noqa: S608
    op.drop_table("observations_before")
    _index()


def downgrade() -> None:
    _set_aside()
    _create(sa.Column("id", sa.String(length=36), nullable=False))
    made = AS_UUID[op.get_bind().dialect.name]
    op.execute(
        f"INSERT INTO observations (id, {NAMES}) SELECT {made}, {NAMES} FROM observations_before ORDER BY id"  # noqa: S608
    )
    op.drop_table("observations_before")
    _index()


def _set_aside() -> None:
    """The old table keeps no name that the new one wants; on PostgreSQL those of indexes are the schema's."""
    op.drop_index("ix_observations_remembered", table_name="observations")
    op.drop_index(op.f("ix_observations_patient_id_observed_on"), table_name="observations")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE observations RENAME CONSTRAINT pk_observations TO pk_observations_before")
        op.execute("ALTER SEQUENCE IF EXISTS observations_id_seq RENAME TO observations_before_id_seq")
    op.rename_table("observations", "observations_before")


def _create(key: sa.Column[object]) -> None:
    op.create_table(
        "observations",
        key,
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("visit_id", sa.String(length=36), nullable=True),
        sa.Column("code", sa.String(length=30), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("observed_on", sa.Date(), nullable=False),
        sa.Column("observed_at", sa.DateTime(), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_observations_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
    )


def _index() -> None:
    op.create_index(
        op.f("ix_observations_patient_id_observed_on"), "observations", ["patient_id", "observed_on"]
    )
    op.create_index(
        "ix_observations_remembered", "observations", ["patient_id", "code", "observed_on"],
        sqlite_where=REMEMBERED, postgresql_where=REMEMBERED,
    )  # fmt: skip
