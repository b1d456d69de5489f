"""The measures of the project: `python -m bench`, or `make bench`.

A measure is a module in this folder with one function:

    def run(folder: Path, options: Options) -> Iterable[Row]

Its name is the module's; the first line of its docstring says what it measures. `folder` is empty, its own,
and removed afterwards. `options.quick` asks for the smallest size that still goes through everything: no
figure of such a run means anything. `options.grounds` hands out databases with a district in them
(grounds.py), phones.py serves them and signs people in, link.py is a weak line, bare.py a bare Flask
application to compare with. `options.number("save.rounds", 100, 2)`: usually, quick; `--set save.rounds=9`.

A `Row` is one case of the measure (50 phones, a weak line): `figures` by name, with units in the names
(`_s`, `_ms`, `_per_s`, `_bytes`, `_mb`), `reference` of the same shape measured in the same run by something
bare, and `ratio` between the two. What was handed in but did not arrive is no figure: raise AssertionError.

Any module with such a function is found by itself (measure.py). One that works on a single kind of database,
or on none, says `DATABASES = ("sqlite",)`; one that needs what the machine lacks (a browser) raises
`Unavailable("no Chromium")`, is told of and left out.
"""
