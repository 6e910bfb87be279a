"""The kill matrix as a page of the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from refsim.conformance.kit.phases import PHASES

from . import RIGHT, WRONG
from .run import Result
from .sources import ENGINEER

__all__ = ["page", "same"]

TOP = """# The kill matrix

<!-- written by `python -m validation.zoo`; do not edit -->

The [conformance kit](admissible.md) judges implementations. This page judges the kit: `validation/zoo` holds a tile
in plain NumPy that uses nothing of refsim, {wrong} wrong ones that differ from it in a method or two each, and {right}
right ones that compute in another way. Each is verified as a stranger's tile would be, without its intermediates. To
write this page again:

```text
python -m validation.zoo
```

"""

WRONG_TILES = """## Wrong tiles

The numbers under the groups of cases are those of failing cases; a group ends at 40. *Size* is that of the smallest
case found: outputs x inputs, rows, steps. A letter tells where the mistake comes from; those without one are easily
made.
"""


def page(results: Mapping[str, Result], stages: Mapping[str, Result]) -> str:
    """The whole page; ``stages`` are results of tiles that show their intermediates."""
    wrong = [results[name] for name in WRONG if name in results]
    right = [results[name] for name in RIGHT if name in results]
    parts = [
        TOP.format(wrong=len(WRONG), right=len(RIGHT)),
        _summary(wrong, right),
        WRONG_TILES,
        _table(_wrong_head(stages), [_wrong_row(each, stages) for each in wrong]),
        "## Where mistakes were reported\n",
        *(f"- **{letter}** {source}." for source, letter in _letters().items()),
        "\n## Right tiles\n",
        _table(
            ("tile", "profile", "cases", "false alarms", "seconds"),
            [_right_row(each) for each in right],
        ),
    ]
    return "\n".join(parts).rstrip() + "\n"


def same(written: str, fresh: str) -> bool:
    """Whether two pages agree in all but the seconds.

    >>> same("| a | 3 s |", "| a | 14 s |"), same("| a | 3 s |", "| b | 3 s |")
    (True, False)
    """
    return _timeless(written) == _timeless(fresh)


def _timeless(text: str) -> str:
    return re.sub(r"\d+ s\b", "s", text)


def _summary(wrong: Sequence[Result], right: Sequence[Result]) -> str:
    found = [each for each in wrong if each.clauses]
    named = [each for each in found if each.right_clause]
    small = [each for each in found if each.small]
    alarms = sum(bool(each.clauses) for each in right)
    most = max((each.seconds for each in wrong), default=0.0)
    cases = min((sum(each.cases.values()) for each in right), default=0)
    return (
        f"{len(found)} of {len(wrong)} wrong tiles are flagged, {len(named)} with the right clause, "
        f"{len(small)} on a tile of at most 2 x 2, each in at most {most:.0f} s. {alarms} of {len(right)} "
        f"right ones are flagged, in {cases} cases or more each.\n"
    )


def _letters() -> dict[str, str]:
    """A letter or two for each source, in order."""
    sources = dict.fromkeys(w.source for w in WRONG.values() if w.source != ENGINEER)
    names = [chr(65 + n) if n < 26 else f"A{chr(39 + n)}" for n in range(len(sources))]
    return dict(zip(sources, names, strict=True))


def _wrong_head(stages: Mapping[str, Result]) -> tuple[str, ...]:
    more = ("with stages",) if stages else ()
    return ("mistake", "clause", "named", *more, *PHASES, "size", "seconds")


def _wrong_row(result: Result, stages: Mapping[str, Result]) -> tuple[str, ...]:
    wrong = WRONG[result.name]
    letter = _letters().get(wrong.source)
    mark = f" **{letter}**" if letter else ""
    name = f"`{wrong.name}`{mark}: {wrong.sentence}"
    more = (_named(stages.get(result.name)),) if stages else ()
    return (
        name,
        ", ".join(wrong.clauses),
        _named(result),
        *more,
        *(str(result.failing.get(phase, 0)) for phase in PHASES),
        _size(result.size),
        f"{result.seconds:.0f} s",
    )


def _named(result: Result | None) -> str:
    if result is None:
        return ""
    if not result.clauses:
        return "**not flagged**"
    return result.clauses[0] if result.right_clause else f"**{result.clauses[0]}**"


def _size(size: Sequence[int]) -> str:
    if not size:
        return ""
    outputs, inputs, rows, steps = size
    return f"{outputs} x {inputs}, {rows}, {steps}"


def _right_row(result: Result) -> tuple[str, ...]:
    each = RIGHT[result.name]
    alarms = sum(result.failing.values())
    shown = f"**{alarms}** ({', '.join(result.clauses)})" if result.clauses else "0"
    count = str(sum(result.cases.values()))
    name = f"`{each.name}`: {each.sentence}"
    return name, each.profile.name, count, shown, f"{result.seconds:.0f} s"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
