"""Where mistakes were reported: issues, pull requests and change logs of aihwkit and aihwkit-lightning."""

from __future__ import annotations

from typing import Final

ENGINEER: Final = "engineer"
"""Nobody reported it; it is easily made."""

RANGE_BACKWARD: Final = (
    'aihwkit pull request 606, "sync with jub/IR-fix" (change log 0.9.0: "Fix the backward '
    'of the input ranges in the torch tile"): the backward pass took the inputs that a hook'
    " had stored in an earlier forward pass"
)
RANGE_BACKWARD_UNITS: Final = (
    'aihwkit pull request 606, "sync with jub/IR-fix": the new backward pass receives the '
    "gradient of the input that is divided by the range, together with the one that is not"
)
NO_GRAD: Final = (
    'aihwkit-lightning change log 1.0.0: "Gradients did not flow through the input range '
    'because of a `no_grad` block"'
)
HALF_RANGE: Final = (
    'aihwkit-lightning pull request 14, "Fix overflow issue in IR adaptation": a product in'
    " the running mean of the range overflowed in fp16"
)
IN_PLACE_CLAMP: Final = (
    'aihwkit-lightning change log 1.0.0: "Lower memory footprint of input range learning '
    '(in-place clamping)"; whoever clamps the input itself no longer knows what was clipped'
)
IN_PLACE_WEIGHT: Final = (
    'aihwkit-lightning pull request 15, "fix weight quantization in-place false" (change '
    'log 1.0.0: "Weight quantization modified the weights in place")'
)
ZERO_CHANNEL: Final = (
    'aihwkit-lightning pull request 15, "fix weight quantization in-place false": '
    '"protection against all-zero output channels in weights"'
)
ZERO_RESOLUTION: Final = (
    'aihwkit-lightning change log 2.0.1: "Division by zero in `UniformQuantize` when a '
    'per-channel resolution is zero"'
)
ZERO_BOUND: Final = (
    'aihwkit-lightning change log 1.0.0: "Output bound handling and zero bounds in output '
    'quantization"'
)
CLIPS_ONCE: Final = (
    'aihwkit-lightning change log 2.1.0: "`AnalogOptimizer` post-step hook silently stopped'
    " clipping weights after the first step because the generator of analog layers was "
    'exhausted"'
)
PER_COLUMN: Final = (
    'aihwkit-lightning change log 1.0.0: "Per-column output noise and weight modifier reset'
    ' bugs in the Triton kernels"'
)
EVAL_MODIFIER: Final = (
    'aihwkit-lightning change log 2.0.1 (pull request 19): "Weight quantization is applied '
    'at inference time as well, not only during training"'
)
RATE_OF_SCALES: Final = (
    'aihwkit pull request 423, "Hardware-aware training for inference with mapped weights '
    'improvements and bugfixes": "LR rate was effected by the out scales for hardware-aware'
    ' training"'
)
REPEATED_FORWARD: Final = (
    "aihwkit pull request 423 (change log 0.7.0: weight modifiers are no longer called in "
    'the forward pass "to avoid issues with repeated forward calls")'
)
SCALES_AFTER_LOAD: Final = (
    'aihwkit pull request 434, "Legacy checkpoint read, fix checkpoint re-training issue" '
    '(change log 0.7.0: "Fix training `learn_out_scales` issue after checkpoint load")'
)
OMEGA_ON_LOAD: Final = (
    'aihwkit pull request 360, "Follow-up on out scaling alpha" (change log 0.6.0: '
    '"Re-application of weight scaling omega when loading checkpoints")'
)
ALPHA_ON_LOAD: Final = (
    'aihwkit pull request 360, "Follow-up on out scaling alpha": "Legacy checkpoints would '
    'not load the correct alpha scale"'
)
DETACHED: Final = (
    'aihwkit issue 609, "Continuing training based on checkpoint using torch tile", and '
    'pull request 626: "Tile is re-created and reference between optimizer and tile is cut"'
)
NO_GRADIENT_AFTER_LOAD: Final = (
    'aihwkit change log 0.5.1 (pull request 320): "Fixed serious issue that loaded model '
    'would not update analog gradients"'
)
MODIFIER_IGNORED: Final = (
    'aihwkit issue 405, "Weight modifier is not applied to convolution layers"'
)
FIXED_VALUE: Final = (
    'aihwkit change log 0.5.1 (pull request 318): "The ``fixed_value`` of '
    '``WeightClipParameter`` is now applied for all clipping types if set larger than zero"'
)
RESOLUTION: Final = (
    'aihwkit issue 616, "Question about IOParameters arguments": "if `inp_bound=2.0` and '
    "`inp_res=1/(2**8)`, each input will be discretized into 2^8 (256) values between 0 and"
    ' 2. Is it correct?"'
)
NO_ZERO_GRAD: Final = (
    'aihwkit change log 0.7.0 (pull request 446): "Missing zero-grad call in example 02"'
)
CALIBRATION: Final = (
    'aihwkit pull request 513, "Calibration of input ranges for inference", adds "Cache '
    'inputs + quantile"; aihwkit 1.1.0 was observed to take the quantile of signed inputs'
)
BACKWARD_NOT_IDEAL: Final = (
    'aihwkit issue 628, "Backward pass not ideal when using InferenceRPUConfig"'
)
