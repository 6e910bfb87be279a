"""aihwkit 1.1.0 under the kit: as it is, and beyond what is known of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from refsim.conformance.adapters.aihwkit import adapter
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.process import ProcessTarget
from refsim.conformance.kit import Finding, judge, play, verify_target

from .findings import NEW, Explained, explained, printed
from .report import Run, markdown
from .sieve import Sieve
from .witnesses import witnesses

ROOT = Path(__file__).parents[2]
HOST = "refsim.conformance.adapters.host"
TARGET = "refsim.conformance.adapters.aihwkit:adapter"
PHASES = ("examples", "generated", "stateful")


def process(python: str, target: str = TARGET) -> Any:
    """The adapter in the other environment."""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    made = ProcessTarget([python, "-m", HOST, target], timeout=120.0, memory=None, env=env)
    made.capabilities = adapter.capabilities  # type: ignore[attr-defined]
    return made


def run(python: str, seeds: Sequence[int], count: int) -> tuple[list[Run], list[Explained]]:
    """All runs, and their findings with explanations, each kind of finding once."""
    runs: list[Run] = []
    with process(python) as target:
        for name, verified in (("as it is", target), ("beyond what is known", Sieve(target))):
            for seed in seeds:
                outcome = verify_target(verified, seed=seed, max_examples=count, phases=PHASES)
                runs.append(Run(f"{name}, seed {seed}", outcome))
                sys.stderr.write(f"{name}, seed {seed}: {outcome.sentence()}\n")
        findings = [*witnessed(target), *(f for each in runs for f in each.outcome.findings)]
        return runs, [
            printed(one, python) for one in distinct([explained(target, each) for each in findings])
        ]


def witnessed(target: Any) -> Iterator[Finding]:
    """What is wrong with the case of each known situation, small as it is."""
    for name, case in witnesses().items():
        verdict = judge(play(guarded(target), case), target.capabilities.profile)
        if verdict.first is None:
            sys.stderr.write(f"{name} is no finding any more.\n")
        else:
            yield verdict.first


def distinct(found: Sequence[Explained]) -> list[Explained]:
    """The first finding of each number, clause and stage; findings without an explanation all of them."""
    kept: dict[tuple[str, ...], Explained] = {}
    for one in found:
        f: Finding = one.finding
        key = (one.number, f.stage) if one.number == "E-36" else (one.number,)
        key = key if one.number.startswith("E-") else (one.id,)
        kept.setdefault(key, one)
    return sorted(kept.values(), key=lambda one: (one.kind, one.number, one.id))


def report(
    python: str, seeds: Sequence[int], count: int, intro: Sequence[str], today: str
) -> tuple[str, int]:
    """The report, and how many findings are not explained."""
    runs, found = run(python, seeds, count)
    text = markdown(f"aihwkit 1.1.0 under the conformance kit, {today}", intro, runs, found)
    return text, sum(one.number == NEW for one in found)
