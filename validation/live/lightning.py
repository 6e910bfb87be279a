"""aihwkit-lightning 2.1.0 beside the reference of its rules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from .aihwkit import ROOT
from .report import table

WORKER = "validation.live.lightning_worker"
QUIRKS = """
Left out of the random layers. Each is seen with the library alone: one weight, float64, `init_from_data` 0 and `decay`
0 unless it says otherwise, batch of one number. L-3 and L-4 were known (L-4 from aihwkit), the others are new.

| no. | situation | aihwkit-lightning returns | reference |
|---|---|---|---|
| L-1 | weight 3.0, quantised with `res` 0.5; batch 1.0 | {L-1} | 3.0 |
| L-2 | range -2.0, `inp_res` 4, weight 1.0; batch 1.0 | {L-2} | a `RangeError` |
| L-3 | range -2.0, no converter, weight 1.0; batch 1.0 | {L-3} | the same |
| L-4 | weight 5.0, `LAYER_GAUSSIAN` with `sigma` 1; after a step | weight {L-4} | weight 5.0 |
| L-5 | `dynamic` and `fast_mode`; batch 1.0 | {L-5} | a `ConfigError` |
| L-6 | `fast_mode`, momentum 0.75, `init_from_data` 5; batches 0.0 and 1.0 | range {L-6} | the same |

L-1: the largest weight times the fraction is above 1, and is then taken for a number of steps; it happens whenever the
largest weight exceeds the number of steps. L-6: after a batch of zeros the next one counts as the first, and its
extremes are not averaged.
"""
SCRIPT = """
import json, torch
from aihwkit_lightning.nn import AnalogLinear
from aihwkit_lightning.optim import AnalogOptimizer
import aihwkit_lightning.simulator.configs as configs

def layer(weight, r=None, double=True, **settings):
    config = configs.TorchInferenceRPUConfig()
    p = config.pre_post.input_range
    p.enable, p.init_from_data, p.decay = True, 0, 0.0
    for path, value in settings.items():
        *parents, name = path.split("__")
        owner = config
        for parent in parents:
            owner = getattr(owner, parent)
        present = getattr(owner, name)
        setattr(owner, name, type(present)[value] if isinstance(value, str) else value)
    made = AnalogLinear(1, 1, False, rpu_config=config, dtype=torch.float64)
    made.weight.data[:] = weight
    if r is not None:
        made.input_range.data[:] = r
    return made

def output(made, x=1.0):
    try:
        return made(torch.tensor([[x]], dtype=torch.float64)).item()
    except AssertionError as error:
        return f"AssertionError: {error}"

def clipped():
    made = layer(5.0, clip__type="LAYER_GAUSSIAN", clip__sigma=1.0)
    optimizer = AnalogOptimizer(torch.optim.SGD, made.analog_layers, made.parameters(), lr=0.0)
    output(made)
    optimizer.step()
    return made.weight.item()

def extremes():
    made = layer(1.0, pre_post__input_range__fast_mode=True, pre_post__input_range__init_from_data=5,
                 pre_post__input_range__act_range_momentum=0.75)
    output(made, 0.0)
    output(made, 1.0)
    return made.input_range.item()

both = {"pre_post__input_range__fast_mode": True, "pre_post__input_range__dynamic": True}
found = {
    "L-1": output(layer(3.0, modifier__quantization_type="DISCRETIZE", modifier__res=0.5)),
    "L-2": output(layer(1.0, r=-2.0, forward__inp_res=4)),
    "L-3": output(layer(1.0, r=-2.0)),
    "L-4": clipped(),
    "L-5": output(layer(1.0, **both)),
    "L-6": extremes(),
}
print("RESULT" + json.dumps(found))
"""


def worker(python: str, seed: int, count: int) -> dict[str, Any]:
    """What one seed found."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [python, "-W", "ignore", "-m", WORKER, str(seed), str(count)]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def quirks(python: str) -> str:
    """The table of known differences, with what the library returns now."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    text = done.stdout.partition("RESULT")[2]
    filled = QUIRKS
    for name, value in json.loads(text).items():
        filled = filled.replace("{" + name + "}", str(value))
    return filled


def report(
    python: str, seeds: Sequence[int], count: int, intro: Sequence[str], today: str
) -> tuple[str, int]:
    """The report, and how many findings are not explained."""
    rows: dict[str, list[int]] = {}
    findings: list[Any] = []
    left_out = {"negative": 0, "ambiguous": 0}
    for seed in seeds:
        found = worker(python, seed, count)
        sys.stderr.write(f"seed {seed}: {len(found['findings'])} findings\n")
        findings += found["findings"]
        for name in left_out:
            left_out[name] += found[name]
        for name, counts in found["rows"].items():
            total = rows.setdefault(name, [0, 0, 0])
            rows[name] = [a + b for a, b in zip(total, counts, strict=True)]
    lines = [
        f"# aihwkit-lightning 2.1.0 beside its reference, {today}",
        "",
        *intro,
        "",
        f"{count} random layers of up to 4 outputs and 8 inputs for each seed, 4 steps each, three quarters of them in "
        "float64: all range modes, slices, converters, quantised weights, clips, momentum. Each step starts from the "
        "state that the library shows. A value may deviate by the bound of its sum in any order.",
        "",
        *table(
            ["quantity", "values", "equal bits", "outside the bound"],
            [[name, *counts] for name, counts in rows.items()],
        ),
        f"Left out: {left_out['ambiguous']} steps in which the order of a sum can change an output code, and what "
        f"follows {left_out['negative']} steps that made a range negative.",
        "",
        "## Findings",
        "",
        *(f"- `{json.dumps(finding)}`" for finding in findings),
        *([] if findings else ["None."]),
        "",
        "## Quirks",
        quirks(python),
        "The script that prints them:",
        "",
        "```python",
        SCRIPT.strip(),
        "```",
    ]
    return "\n".join(lines) + "\n", len(findings)
