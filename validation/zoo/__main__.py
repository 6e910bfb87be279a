"""``python -m validation.zoo``: verify all inhabitants, write the kill matrix."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from . import RIGHT, WRONG
from .page import page, same
from .run import Result, examined

PAGE = Path(__file__).parents[2] / "docs" / "kill-matrix.md"


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m validation.zoo", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="these inhabitants; nothing is written"
    )
    parser.add_argument("--check", action="store_true", help="compare with the page, do not write")
    parser.add_argument(
        "--stages",
        action="store_true",
        help="verify the wrong ones with their intermediates as well",
    )
    parser.add_argument(
        "--cases", type=int, default=200, help="generated cases of a wrong one (200)"
    )
    parser.add_argument("--right-cases", type=int, default=1000, help="of a right one (1000)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (1)")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="note results here, and do not repeat those that are there",
    )
    parsed = parser.parse_args(given)
    unknown = [name for name in parsed.only or () if name not in WRONG and name not in RIGHT]
    if unknown:
        parser.error(f"--only has {unknown[0]}, allowed are {', '.join([*WRONG, *RIGHT])}")
    for option in ("cases", "right_cases", "jobs"):
        if getattr(parsed, option) < 1:
            parser.error(
                f"--{option.replace('_', '-')} is {getattr(parsed, option)}, allowed are integers from 1"
            )
    return parsed


Task = tuple[str, bool]
"""An inhabitant, and whether it shows its intermediates."""


def work(task: Task, cases: int, right_cases: int) -> Result:
    """The verdict on one inhabitant."""
    name, shows = task
    if name in RIGHT:
        return examined(name, right_cases, phases=("generated", "stateful", "laws"))
    return examined(name, cases, shows)


def kept(path: Path | None) -> dict[Task, Result]:
    """Results of an earlier run."""
    if path is None or not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {(each["result"]["name"], each["shows"]): Result(**each["result"]) for each in lines}


def results(tasks: Iterable[Task], options: argparse.Namespace) -> dict[Task, Result]:
    """The verdicts on all of them, told one by one."""
    found = kept(options.keep)
    left = [task for task in tasks if task not in found]
    with ProcessPoolExecutor(options.jobs) as pool:
        todo = {pool.submit(work, task, options.cases, options.right_cases): task for task in left}
        for number, future in enumerate(as_completed(todo), 1):
            task, result = todo[future], future.result()
            found[task] = result
            tell(number, len(left), result)
            if options.keep:
                document = {"shows": task[1], "result": result.document()}
                with options.keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(document) + "\n")
    return found


def tell(number: int, total: int, result: Result) -> None:
    """A line about one inhabitant."""
    clauses = ", ".join(result.clauses) or "nothing"
    if result.name in RIGHT:
        verdict = "FALSE ALARM" if result.clauses else "right"
    else:
        verdict = "flagged" if result.clauses else "NOT FLAGGED"
        verdict += "" if result.right_clause or not result.clauses else ", OTHER CLAUSE"
    size = "x".join(map(str, result.size))
    line = f"{number}/{total} {result.name}: {verdict}, {clauses} {size}, {result.seconds:.0f} s\n"
    sys.stdout.write(line)
    sys.stdout.flush()


def well(found: dict[Task, Result]) -> bool:
    """Whether every wrong one is flagged and no right one is."""
    return all(bool(result.clauses) == (name in WRONG) for (name, _), result in found.items())


def main(given: Sequence[str] | None = None) -> int:
    """Run, write or compare; 0 if all is well, 1 if something is wrong with the kit or the page."""
    options = arguments(given)
    names = options.only or [*WRONG, *RIGHT]
    tasks = [(name, False) for name in names]
    if options.stages:
        tasks += [(name, True) for name in names if name in WRONG]
    found = results(tasks, options)
    if options.only:
        return 0 if well({task: found[task] for task in tasks}) else 1
    split = [{n: r for (n, shows), r in found.items() if shows is which} for which in (False, True)]
    fresh = page(*split)
    if options.check:
        agrees = PAGE.exists() and same(PAGE.read_text("utf-8"), fresh)
        sys.stdout.write("The page is as it was.\n" if agrees else f"{PAGE} is out of date.\n")
        return 0 if agrees else 1
    PAGE.write_text(fresh, encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
    return 0 if well(found) else 1


if __name__ == "__main__":
    sys.exit(main())
