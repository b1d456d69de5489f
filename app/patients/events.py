"""What higher floors may listen to."""

from blinker import Namespace

# patient_changed.send(patient_id, cause=...): inside the transaction that creates or changes a patient.
patient_changed = Namespace().signal("patient-changed")

# A relative entered the code of an invitation: binding_claimed.send(patient_id, invitation=, relative=).
binding_claimed = Namespace().signal("binding-claimed")
# The clinic confirmed or refused it: binding_decided.send(patient_id, relative_id=, bound=).
binding_decided = Namespace().signal("binding-decided")
# A relative may no longer see the person's orders: binding_narrowed.send(patient_id, relative_id=).
binding_narrowed = Namespace().signal("binding-narrowed")
# The record may no longer be used: patient_restricted.send(patient_id).
patient_restricted = Namespace().signal("patient-restricted")
