"""Print what is made of the screens: ``python -m tests.agents.corpus``."""

from __future__ import annotations

import sys
from collections import Counter

from tests.agents.corpus import examples, judged


def main() -> int:
    """Print a table of what is expected and what was said, and each screen that was read wrong."""
    table: Counter[tuple[str, str]] = Counter()
    wrong = []
    for example in examples():
        said = judged(example).condition
        expected = said if said in example.expected else example.expected[0]
        table[expected, said] += 1
        if said not in example.expected:
            wrong.append(f"{example.name}: expected {' or '.join(example.expected)}, said {said}")
    rows = sorted({expected for expected, _ in table})
    columns = sorted({said for _, said in table})
    print("expected \\ said".ljust(16), *(column.rjust(12) for column in columns))  # noqa: T201 - it is a report
    for row in rows:
        print(row.ljust(16), *(str(table[row, column] or "").rjust(12) for column in columns))  # noqa: T201
    print(*wrong, f"{len(wrong)} of {sum(table.values())} were read wrong", sep="\n")  # noqa: T201
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
