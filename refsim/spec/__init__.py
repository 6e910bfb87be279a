"""The readable truth: every clause as a whole-array NumPy function."""

from __future__ import annotations

from .backward import (
    adc_gradient,
    dac_gradient,
)
from .calibration import (
    moving_range,
    quantile,
)
from .converters import (
    analog_to_digital,
    clip,
    digital_to_analog,
    on_grid,
    rescaled_output,
)
from .elementary import (
    exp,
    log,
)
from .input_range import (
    clipped_input,
    range_decay,
    range_from_data,
    range_input_gradient,
    range_residual,
    range_rule,
    range_rule_sums,
    scaled_input,
    unclipped_fraction,
)
from .management import (
    add_peak_gradient,
    input_scale,
    management_gradient,
    management_scale,
    row_abs_max,
    row_max,
    within_bound,
)
from .network import (
    cross_entropy,
    cross_entropy_gradient,
    relu,
    relu_gradient,
    softmax,
)
from .optimiser import (
    sgd_step,
)
from .periphery import (
    mapping_scales,
    merged_scale,
    row_scaled,
    scaled_output,
    shifted_output,
    stored_weight,
    stored_weight_gradient,
)
from .product import (
    matrix_product,
    outer_product_sum,
    per_sample_product,
    per_sample_transposed_product,
    transposed_product,
)
from .random import (
    normal,
    philox,
    uniform,
    unit_circle,
)
from .splits import (
    split_sizes,
    split_sum,
)
from .sums import (
    column_product_totals,
    column_totals,
    mean,
    product_total,
    row_product_totals,
    standard_deviation,
    total,
)
from .weights import (
    abs_max,
    additive_noise_weight,
    clipped_weight,
    discretised_weight,
    gaussian_bound,
    multiplicative_noise_weight,
)

__all__ = [
    "abs_max",
    "adc_gradient",
    "add_peak_gradient",
    "additive_noise_weight",
    "analog_to_digital",
    "clip",
    "clipped_input",
    "clipped_weight",
    "column_product_totals",
    "column_totals",
    "cross_entropy",
    "cross_entropy_gradient",
    "dac_gradient",
    "digital_to_analog",
    "discretised_weight",
    "exp",
    "gaussian_bound",
    "input_scale",
    "log",
    "management_gradient",
    "management_scale",
    "mapping_scales",
    "matrix_product",
    "mean",
    "merged_scale",
    "moving_range",
    "multiplicative_noise_weight",
    "normal",
    "on_grid",
    "outer_product_sum",
    "per_sample_product",
    "per_sample_transposed_product",
    "philox",
    "product_total",
    "quantile",
    "range_decay",
    "range_from_data",
    "range_input_gradient",
    "range_residual",
    "range_rule",
    "range_rule_sums",
    "relu",
    "relu_gradient",
    "rescaled_output",
    "row_abs_max",
    "row_max",
    "row_product_totals",
    "row_scaled",
    "scaled_input",
    "scaled_output",
    "sgd_step",
    "shifted_output",
    "softmax",
    "split_sizes",
    "split_sum",
    "standard_deviation",
    "stored_weight",
    "stored_weight_gradient",
    "total",
    "transposed_product",
    "unclipped_fraction",
    "uniform",
    "unit_circle",
    "within_bound",
]
