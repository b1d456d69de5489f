"""Who decides for a person that cannot; accounts that relatives make themselves with a code of the clinic."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Why somebody speaks for the person. `guardian` stood alone before: name and relation in one text.
DECISION = (("guardian_relation", 20), ("capacity", 8), ("basis", 50), ("wish", 200))


def upgrade() -> None:
    # Not as batches: others refer to `users`, and `consents` anew on SQLite would lose its trigger.
    for table in ("consents", "family_invitations"):
        for name, length in DECISION:
            op.add_column(table, sa.Column(name, sa.String(length=length), nullable=True))
    op.add_column("users", sa.Column("joined_at", sa.DateTime(), nullable=True))
    op.add_column("sign_in_steps", sa.Column("carries", sa.Text(), nullable=True))
    with op.batch_alter_table("sms_messages", schema=None) as batch_op:
        batch_op.alter_column("user_id", existing_type=sa.String(length=36), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM sms_messages WHERE user_id IS NULL")  # codes of five minutes
    with op.batch_alter_table("sms_messages", schema=None) as batch_op:
        batch_op.alter_column("user_id", existing_type=sa.String(length=36), nullable=False)
    op.execute("DELETE FROM sign_in_steps WHERE kind = 'join'")
    op.drop_column("sign_in_steps", "carries")
    op.drop_column("users", "joined_at")
    for table in ("family_invitations", "consents"):
        for name, _ in reversed(DECISION):
            op.drop_column(table, name)
