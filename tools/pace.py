"""Prints how many milliseconds this Python takes for work like ours: the best of a quarter second.

Version managers compile Python without profile-guided optimization; the Python of a distribution is then a
fifth quicker, and pushes a tenth. Written for any Python 3.11 or newer, without anything installed.
"""

import json
import time


class Row:
    def __init__(self, number):
        self.number, self.word = number, str(number)


def work():
    rows = [Row(number) for number in range(4000)]
    by_word = {row.word: row for row in rows}
    kept = [by_word[str(number)].number + len(row.word) for number, row in enumerate(rows) if number % 3]
    return json.loads(json.dumps({"kept": kept, "words": sorted(by_word)}))


def took():
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    until = time.perf_counter() + 0.25
    best = took()
    while time.perf_counter() < until:
        best = min(best, took())
    print(round(best * 1000, 3))
