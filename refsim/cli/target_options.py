"""The options of ``refsim verify TARGET``."""

from __future__ import annotations

from typing import Annotated

import typer

Target = Annotated[
    str | None,
    typer.Argument(
        help="module:object, file.py:object, a capability file in .toml, recorded observations, or refsim.",
        show_default=False,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(help="Check and report this clause only, for example IR-4; may be repeated."),
]
Phase = Annotated[
    list[str] | None,
    typer.Option(help="Only this phase: examples, generated, stateful or laws; may be repeated."),
]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help='The arithmetic, instead of the one declared: float32, float64, "float32 in order", or one of them '
        'with ", reciprocals", ", wider" or ", codes" behind it.',
    ),
]
MaxExamples = Annotated[
    int | None, typer.Option(min=1, help="Generated cases, 200 by default, 30 with --quick.")
]
Time = Annotated[
    float | None,
    typer.Option(min=0.0, help="Seconds for the cases; the diagnosis may take as long again."),
]
Replay = Annotated[
    str | None, typer.Option(help="Check one case again: the id of a finding, or a file with one.")
]
Findings = Annotated[str, typer.Option(help="Folder in which findings are kept for --replay.")]
Junit = Annotated[str | None, typer.Option(help="Write a JUnit XML file as well.")]
InProcess = Annotated[
    bool,
    typer.Option(
        "--in-process",
        help="Run an adapter in Python in this process, where a debugger can follow.",
    ),
]
Timeout = Annotated[
    float | None, typer.Option(min=0.001, help="Seconds for each answer, 30 by default.")
]
