"""The table of visits (FHIR Encounter), below all that is kept by visit: readings, grades, plans.

Recording and showing them is `app.visits`.
"""
