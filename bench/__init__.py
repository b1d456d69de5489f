"""The measures of the project: `python -m bench`, or `make bench`.

A measure is a module in this folder with one function:

    def run(folder: Path, options: Options) -> Iterable[Row]

Its name is the module's; the first line of its docstring says what it measures. `folder` is empty, its own,
and removed afterwards. `options.quick` asks for the smallest size that still goes through everything: no
figure of such a run means anything. `options.grounds` hands out databases with a district in them.

A `Row` is one case of the measure (50 phones, a weak line): `figures` by name, with units in the names
(`_s`, `_ms`, `_per_s`, `_bytes`, `_mb`), `reference` of the same shape measured in the same run by something
bare, and `ratio` between the two. What was handed in but did not arrive is no figure: raise AssertionError.

Any module that has such a function is found by itself (measure.py). A measure that works on one database only,
or on none, sets `DATABASES = ("sqlite",)`; one that needs more than the house has (a browser) may raise
`Unavailable("no Chromium")` and is then told of and left out. `SLOW = True` keeps it out of the suite's own quick run.
"""
