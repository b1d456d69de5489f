"""What higher floors may listen to."""

from blinker import Namespace

# patient_changed.send(patient_id, cause=...): inside the transaction that creates or changes a patient.
patient_changed = Namespace().signal("patient-changed")
