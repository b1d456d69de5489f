from __future__ import annotations


class BackupError(Exception):
    """What stands in the way, in one line for the operator. Never holds anything of a patient."""
