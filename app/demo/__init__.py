"""Demo data: a made-up county that is never stale, for a first look, for tests, for teaching.

The top floor: it may use every room's service. Two years of past visits are written straight into the
rooms' tables, because recording 7,000 visits one by one would take minutes; the newest grade and the
plan of every person then come from the real services, and orders go through the real operations.
Nothing here is drawn from any person. Names, numbers and villages are invented.
"""
