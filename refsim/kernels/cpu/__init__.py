"""Kernels for the CPU: the clauses compiled by Numba, on several threads where that pays."""

from __future__ import annotations

from .backward import (
    adc_gradient,
    dac_gradient,
)
from .calibration import (
    averaged_range,
    quantile,
)
from .chain import (
    crossbar_input,
    crossbar_output,
)
from .chain_gradient import (
    crossbar_input_gradient,
    crossbar_output_gradient,
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
from .error_sums import (
    squared_errors,
)
from .estimators import (
    moving_range,
    percentile_range,
    value_range,
    widest_range,
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
from .output_clipping import (
    masked_gradient,
    output_clip_mask,
    range_growth,
    unclipped_output_fraction,
)
from .periphery import (
    mapping_scales,
    merged_scale,
    rate_compensation,
    row_scaled,
    scaled_output,
    shifted_output,
    stored_weight,
    stored_weight_gradient,
    unscaled_gradient,
)
from .product import (
    matrix_product,
    outer_product_sum,
    per_sample_product,
    per_sample_transposed_product,
    transposed_product,
)
from .quantisers import (
    asymmetric_step,
    code_range,
    quantised,
    quantised_codes,
    quantised_gradient,
    quantiser_range,
    quantiser_scale,
    scale_gradient,
    stored_step,
    stored_step_gradient,
    symmetric_step,
    zero_float_gradient,
    zero_point,
    zero_point_gradient,
)
from .random import (
    normal,
    philox,
    uniform,
    unit_circle,
)
from .range_search import (
    least_loss,
    search_limits,
    shifted_range,
    skewed_candidates,
    softmax_losses,
    symmetric_candidates,
)
from .row_management import (
    row_sum_peak,
    rows_within_bound,
    running_peak,
    sum_management_scale,
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
    "asymmetric_step",
    "averaged_range",
    "clip",
    "clipped_input",
    "clipped_weight",
    "code_range",
    "column_product_totals",
    "column_totals",
    "cross_entropy",
    "cross_entropy_gradient",
    "crossbar_input",
    "crossbar_input_gradient",
    "crossbar_output",
    "crossbar_output_gradient",
    "dac_gradient",
    "digital_to_analog",
    "discretised_weight",
    "exp",
    "gaussian_bound",
    "input_scale",
    "least_loss",
    "log",
    "management_gradient",
    "management_scale",
    "mapping_scales",
    "masked_gradient",
    "matrix_product",
    "mean",
    "merged_scale",
    "moving_range",
    "multiplicative_noise_weight",
    "normal",
    "on_grid",
    "outer_product_sum",
    "output_clip_mask",
    "per_sample_product",
    "per_sample_transposed_product",
    "percentile_range",
    "philox",
    "product_total",
    "quantile",
    "quantised",
    "quantised_codes",
    "quantised_gradient",
    "quantiser_range",
    "quantiser_scale",
    "range_decay",
    "range_from_data",
    "range_growth",
    "range_input_gradient",
    "range_residual",
    "range_rule",
    "range_rule_sums",
    "rate_compensation",
    "relu",
    "relu_gradient",
    "rescaled_output",
    "row_abs_max",
    "row_max",
    "row_product_totals",
    "row_scaled",
    "row_sum_peak",
    "rows_within_bound",
    "running_peak",
    "scale_gradient",
    "scaled_input",
    "scaled_output",
    "search_limits",
    "sgd_step",
    "shifted_output",
    "shifted_range",
    "skewed_candidates",
    "softmax",
    "softmax_losses",
    "split_sizes",
    "split_sum",
    "squared_errors",
    "standard_deviation",
    "stored_step",
    "stored_step_gradient",
    "stored_weight",
    "stored_weight_gradient",
    "sum_management_scale",
    "symmetric_candidates",
    "symmetric_step",
    "total",
    "transposed_product",
    "unclipped_fraction",
    "unclipped_output_fraction",
    "uniform",
    "unit_circle",
    "unscaled_gradient",
    "value_range",
    "widest_range",
    "within_bound",
    "zero_float_gradient",
    "zero_point",
    "zero_point_gradient",
]
