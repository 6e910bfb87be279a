"""What was found, why, and what the script for a finding prints."""

from __future__ import annotations

import subprocess
import warnings
from dataclasses import dataclass, replace
from typing import Any

from refsim.conformance.adapters.guard import guarded
from refsim.conformance.cases.files import case_id
from refsim.conformance.kit import Finding, play
from refsim.errors import Unsupported

from .sieve import Sieve
from .situations import SITUATIONS
from .snippet import script

UNDEFINED = "E-3"
NEW = "new"
ROUNDED = "rounding"
LAST = 33
"""The last erratum that was known before the first live run."""


@dataclass(frozen=True)
class Explained:
    """A finding with its explanation."""

    finding: Finding
    number: str
    why: str
    script: str
    printed: str

    @property
    def id(self) -> str:
        """Its name."""
        return case_id(self.finding.case)

    @property
    def kind(self) -> str:
        """Known, found by these runs, or not explained."""
        if not self.number.startswith("E-"):
            return self.number
        return "known" if int(self.number[2:]) <= LAST else "found here"


def number_of(target: Any, finding: Finding) -> tuple[str, str]:
    """The erratum that explains a finding, and the situation in words."""
    try:
        play(guarded(Sieve(target)), finding.case)
    except Unsupported as refusal:
        number = str(refusal).partition(":")[0]
        for situation in SITUATIONS:
            if situation.number == number:
                return number, situation.what
    if "admissible [-inf, inf]" in finding.text:
        return UNDEFINED, "a range that an update has brought to 0"
    if finding.clause.startswith("QU-1") and finding.stage.endswith("_gradient"):
        return ROUNDED, "a chain rule of autograd that rounds in another order"
    return NEW, "not explained yet"


def explained(target: Any, finding: Finding) -> Explained:
    """A finding with its explanation, and a script that has not been run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        number, why = number_of(target, finding)
    return Explained(finding, number, why, script(finding.case, finding.stage), "")


def printed(one: Explained, python: str) -> Explained:
    """The finding with what its script prints."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", one.script], capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    return replace(one, printed="\n".join([done.stdout.strip(), *last]).strip())
