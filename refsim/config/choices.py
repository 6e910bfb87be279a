"""The readings between which the field is divided, one name for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from refsim.config.base import Parameters

__all__ = ["Choices"]


@dataclass
class Choices(Parameters):
    """Which reading of the documentation a tile follows where two readings exist.

    The defaults follow the documentation; `Choices.aihwkit` follows what aihwkit computes.

    Parameters
    ----------
    gradient_scale_applies
        Clause family IR. ``"always"``: `gradient_scale` multiplies the gradient of the range;
        ``"when_relative"``: only together with `gradient_relative`.
    output_percentage_of
        Clause family IR. The percentage of unclipped outputs divides the clipped ones by the number
        of ``"outputs"`` or (so that it can be negative) by that of the ``"inputs"``.
    output_clip_mask
        Clause family BP. An output counts as clipped if ``"adc"``: its rounded value is strictly
        beyond the bound; ``"scaled_0_999"``: the rescaled output reaches 0.999 of the unscaled
        bound, even where the product is perfect.
    output_clipping_on_autograd_path
        Clause family IR. `manage_output_clipping` is ``"supported"`` by a `TorchInferenceTile`, or
        ``"refused"`` with a `ConfigError` when the tile is created.
    out_noise_std
        Clause family DC. ``"fraction"``: the spread of the output noise is a fraction of
        `out_noise`; ``"unit_on_autograd_path"``: on that path any spread above 0 counts as 1.
    percentile
        Clause family RE. A percentile p cuts ``"two_sided"``, at p and 100 - p, or
        ``"lower_only"``, at p and the maximum.
    calibration_quantile_of
        Clause family CA. Calibration takes the quantile of ``"absolute"`` or of ``"signed"``
        inputs.
    calibration_counter
        Clause family CA. A moving calibration starts with a ``"reset"`` counter, or goes on with
        the one of the training (``"continue"``).
    calibration_batches
        Clause family CA. The calibration of quantisers runs `max_num_batches` batches
        (``"exact"``), or ``"one_more"``.
    perfect_out_scale
        Clause family MV. With `is_perfect` the factor `out_scale` is ``"dropped"``, or
        (``"by_path"``) kept by `InferenceTile` and `FloatingPointTile` only.
    fixed_clip_nonpositive
        Clause family WP. Clipping to a `fixed_value` that is not positive is an ``"error"`` (a
        `ConfigError`), or is carried out (``"apply"``) and sets every weight to that value.

    Raises
    ------
    ConfigError
        If a choice is unknown or its value is not one of the two.

    Examples
    --------
    >>> print(Choices())
    Choices()
    >>> print(Choices(percentile="lower_only"))
    Choices(percentile=lower_only)
    >>> Choices.aihwkit().gradient_scale_applies
    'when_relative'
    """

    gradient_scale_applies: Literal["always", "when_relative"] = "always"
    output_percentage_of: Literal["outputs", "inputs"] = "outputs"
    output_clip_mask: Literal["adc", "scaled_0_999"] = "adc"
    output_clipping_on_autograd_path: Literal["supported", "refused"] = "supported"
    out_noise_std: Literal["fraction", "unit_on_autograd_path"] = "fraction"
    percentile: Literal["two_sided", "lower_only"] = "two_sided"
    calibration_quantile_of: Literal["absolute", "signed"] = "absolute"
    calibration_counter: Literal["reset", "continue"] = "reset"
    calibration_batches: Literal["exact", "one_more"] = "exact"
    perfect_out_scale: Literal["dropped", "by_path"] = "dropped"
    fixed_clip_nonpositive: Literal["error", "apply"] = "error"

    @classmethod
    def aihwkit(cls) -> Self:
        """The choices under which refsim computes what aihwkit computes.

        Returns
        -------
        Choices
            Every choice at its other value.

        Examples
        --------
        >>> Choices.aihwkit() == Choices()
        False
        """
        return cls(
            gradient_scale_applies="when_relative",
            output_percentage_of="inputs",
            output_clip_mask="scaled_0_999",
            output_clipping_on_autograd_path="refused",
            out_noise_std="unit_on_autograd_path",
            percentile="lower_only",
            calibration_quantile_of="signed",
            calibration_counter="continue",
            calibration_batches="one_more",
            perfect_out_scale="by_path",
            fixed_clip_nonpositive="apply",
        )
