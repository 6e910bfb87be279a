"""The enumerations of a configuration, with the names and values that aihwkit uses.

In Python a field takes the member, in a file it takes the value:

>>> BoundManagementType.NONE.value
'None'
>>> str(NoiseManagementType.ABS_MAX)
'NoiseManagementType.ABS_MAX'
"""

from __future__ import annotations

from enum import Enum

__all__ = [
    "AnalogMVType",
    "BoundManagementType",
    "InputRangeCalibrationType",
    "NoiseManagementType",
    "OptMethod",
    "RPUDataType",
    "RangeEstimators",
    "WeightClipType",
    "WeightModifierType",
    "WeightNoiseType",
    "WeightRemapType",
]


class AnalogMVType(Enum):
    """How the analogue matrix-vector product is carried out."""

    IDEAL = "Ideal"
    ONE_PASS = "OnePass"
    POS_NEG_SEPARATE = "PosNegSeparate"
    POS_NEG_SEPARATE_DIGITAL_SUM = "PosNegSeparateDigitalSum"
    SPLIT_MODE = "SplitMode"
    BIT_WISE = "BitWise"


class BoundManagementType(Enum):
    """What is done when an output exceeds the output bound."""

    NONE = "None"
    ITERATIVE = "Iterative"
    ITERATIVE_WORST_CASE = "IterativeWorstCase"
    SHIFT = "Shift"


class InputRangeCalibrationType(Enum):
    """How input ranges are found in a calibration after the training."""

    NONE = "None"
    MOVING_STD = "MovingStd"
    MOVING_QUANTILE = "MovingQuantile"
    CACHE_QUANTILE = "CacheQuantile"
    MAX = "Max"


class NoiseManagementType(Enum):
    """How the input of a row is scaled before it is converted."""

    NONE = "None"
    ABS_MAX = "AbsMax"
    ABS_MAX_NP_SUM = "AbsMaxNPSum"
    MAX = "Max"
    CONSTANT = "Constant"
    AVERAGE_ABS_MAX = "AverageAbsMax"


class RPUDataType(Enum):
    """The data type ``T`` of a tile: float32, float64 or (refused by refsim) float16."""

    FLOAT = "float"
    DOUBLE = "double"
    HALF = "half"


class WeightClipType(Enum):
    """How weights are clipped after an optimiser step."""

    NONE = "None"
    FIXED_VALUE = "FixedValue"
    LAYER_GAUSSIAN = "LayerGaussian"
    AVERAGE_CHANNEL_MAX = "AverageChannelMax"


class WeightModifierType(Enum):
    """How weights are modified for the duration of a training forward pass."""

    NONE = "None"
    DISCRETIZE = "Discretize"
    MULT_NORMAL = "MultNormal"
    ADD_NORMAL = "AddNormal"
    DISCRETIZE_ADD_NORMAL = "DiscretizeAddNormal"
    DOREFA = "DoReFa"
    POLY = "Poly"
    PCM_NOISE = "PCMNoise"
    PROG_NOISE = "ProgNoise"
    DROP_CONNECT = "DropConnect"
    COPY = "Copy"


class WeightNoiseType(Enum):
    """The kind of noise that reading the weights adds."""

    NONE = "None"
    ADDITIVE_CONSTANT = "AdditiveConstant"
    PCM_READ = "PCMRead"


class WeightRemapType(Enum):
    """How weights are mapped anew to the analogue range after an optimiser step."""

    NONE = "None"
    LAYERWISE_SYMMETRIC = "LayerwiseSymmetric"
    CHANNELWISE_SYMMETRIC = "ChannelwiseSymmetric"


class RangeEstimators(Enum):
    """How the range of a quantiser is estimated from data."""

    current_minmax = "current_minmax"
    allminmax = "allminmax"
    running_minmax = "running_minmax"
    MSE = "MSE"
    cross_entropy = "cross_entropy"


class OptMethod(Enum):
    """How an estimator with a loss searches for the best range."""

    grid = "grid"
    golden_section = "golden_section"
