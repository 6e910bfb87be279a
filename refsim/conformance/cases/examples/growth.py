"""Examples of ranges that grow where outputs are clipped (clauses IR)."""

from __future__ import annotations

from ..model import Case
from .small import asked, example, tile

__all__ = ["growth"]


def growth() -> list[Case]:
    """Growth on clipped outputs (IR-10, IR-11)."""

    def managed(
        catches: str, name: str, x: list[float], least: float, clause: str = "IR-11"
    ) -> Case:
        learning = {"manage_output_clipping": True, "output_min_percentage": least}
        config = tile(2.0, {"out_bound": 1.0}, learning)
        dy = [[0.0]] * len(x)
        other = "IR-10" if clause == "IR-11" else "IR-11"
        return example(
            f"{clause} {other}", catches, name, config, [[2.0]], asked([[v] for v in x], dy)
        )

    return [
        managed("NoGrowth", "a clipped output grows the range", [2.0, 0.5], 0.75),
        managed(
            "ThresholdInclusive", "a fraction at the threshold is not below it", [2.0, 0.5], 0.5
        ),
        managed(
            "ThresholdUnrounded",
            "a threshold that rounds to the fraction is not missed",
            [2.0, 2.0, 0.5],
            0.33333335,
        ),
        managed("EdgeClipped", "an output at the bound is not clipped", [1.0, 0.5], 1.0, "IR-10"),
        managed(
            "ShareOfClipped", "the fraction is that of the unclipped", [2.0, 0.5, 0.5, 0.5], 0.875
        ),
        example(
            "IR-11 IR-10",
            "RangeMagnitude",
            "a negative range grows away from 0",
            tile(
                -2.0,
                {"out_bound": 1.0},
                {"manage_output_clipping": True, "output_min_percentage": 0.75},
            ),
            [[2.0]],
            asked([[2.0], [0.5]], [[0.0], [0.0]]),
        ),
        example(
            "IR-10 IR-11",
            "PercentageOfInputs",
            "the fraction is one of the outputs",
            tile(
                2.0,
                {"out_bound": 1.0},
                {"manage_output_clipping": True, "output_min_percentage": 0.75},
            ),
            [[2.0, 0.0]],
            asked([[2.0, 0.0]], [[0.0]]),
        ),
    ]
