"""Spoiled values in every field of every way in, drawn from a seed.

    python -m tests.fuzz --examples 10000 --seed 7

Where tests/app/test_hostile.py has a table of values, here they are made: a valid value spoiled, wrong
broken numbers, impossible dates, identity numbers with one digit wrong, text of any characters. The fields are
nobody's list either: those of operations and of /api come out of the published contract, those of pages out of
the pages' own forms. A new field is covered by being there; a new way in fails until it is given a valid
example to spoil.
"""
