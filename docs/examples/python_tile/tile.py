"""A tile in plain Python that speaks refsim's conformance protocol; it imports the standard library alone.

It clips inputs and outputs at their bounds and has a bias, but neither an input range nor rounding. Arrays are flat
lists.
"""

from __future__ import annotations

import json
import math
import struct
import sys


def rounded(value):
    """A number rounded to float32."""
    return struct.unpack("f", struct.pack("f", value))[0]


def total(products):
    """A sum of products, rounded once."""
    return rounded(math.fsum(products))


def clip(value, bound):
    """A number limited to a bound."""
    return -bound if value < -bound else min(value, bound)


def sent(values, shape):
    """An array as it stands in a message."""
    return {"dtype": "float32", "shape": shape, "values": values}


class Unsupported(Exception):
    """A configuration asks for something that this tile does not have."""


class Tile:
    """One tile: its settings, parameters by name, and the gradients since the last step."""

    def __init__(self, config, weight, bias, state):
        io = config["forward"]
        if config["class"] != "TorchInferenceRPUConfig" or state:
            raise Unsupported("only TorchInferenceTile, and no further state")
        if config["pre_post"]["input_range"]["enable"]:
            raise Unsupported("no input range")
        if not io["is_perfect"] and (io["inp_res"] > 0 or io["out_res"] > 0 or io["out_noise"] > 0):
            raise Unsupported("no rounding and no noise")
        self.inp_bound, self.out_bound, self.out_scale = math.inf, math.inf, 1.0
        if not io["is_perfect"]:
            inp, out = float(io["inp_bound"]), float(io["out_bound"])  # infinities are texts
            self.inp_bound = rounded(inp) if inp > 0 else math.inf
            self.out_bound = rounded(out) if out > 0 else math.inf
            self.out_scale = rounded(io["out_scale"])
        self.out, self.into = weight["shape"]
        self.parameters = {"weight": weight["values"]}
        if bias is not None:
            self.parameters["bias"] = bias["values"]
        self.gradients = {}

    def forward(self, x):
        """The output for a batch."""
        w, bias, into = self.parameters["weight"], self.parameters.get("bias"), self.into
        self.lead, self.x = x["shape"][:-1], x["values"]
        self.rows = math.prod(self.lead)
        self.d = [clip(value, self.inp_bound) for value in self.x]
        self.m = [
            total(self.d[n * into + i] * w[o * into + i] for i in range(into))
            for n in range(self.rows)
            for o in range(self.out)
        ]
        y = [rounded(clip(value, self.out_bound) * self.out_scale) for value in self.m]
        if bias is not None:
            y = [rounded(value + bias[k % self.out]) for k, value in enumerate(y)]
        return {"output": sent(y, [*self.lead, self.out])}

    def backward(self, dy):
        """The gradients; those of parameters are added to what is there."""
        g, w, rows, out, into = (
            dy["values"],
            self.parameters["weight"],
            self.rows,
            self.out,
            self.into,
        )
        gm = [
            rounded(value * self.out_scale) if abs(self.m[k]) <= self.out_bound else 0.0
            for k, value in enumerate(g)
        ]
        dx = [
            total(gm[n * out + o] * w[o * into + i] for o in range(out))
            if abs(self.x[n * into + i]) <= self.inp_bound
            else 0.0
            for n in range(rows)
            for i in range(into)
        ]
        dw = [
            total(gm[n * out + o] * self.d[n * into + i] for n in range(rows))
            for o in range(out)
            for i in range(into)
        ]
        self.add("weight", dw)
        if "bias" in self.parameters:
            self.add("bias", [total(g[o::out]) for o in range(out)])
        return {"gradients": {"input": sent(dx, [*self.lead, into]), **self.named(self.gradients)}}

    def add(self, name, gradient):
        """Add a gradient to what is there."""
        before = self.gradients.get(name, [0.0] * len(gradient))
        self.gradients[name] = [rounded(before[k] + value) for k, value in enumerate(gradient)]

    def step(self, lr):
        """Gradient descent without momentum."""
        for name, gradient in self.gradients.items():
            old = self.parameters[name]
            change = [rounded(rounded(lr) * value) for value in gradient]
            self.parameters[name] = [rounded(old[k] - value) for k, value in enumerate(change)]
        self.gradients = {}
        return {}

    def named(self, values):
        """Values of parameters as arrays."""
        shapes = {"weight": [self.out, self.into], "bias": [self.out]}
        return {name: sent(each, shapes[name]) for name, each in values.items()}


TILES = {}


def answered(request):
    """The result of a request."""
    op, handle = request["op"], request.get("handle")
    if op == "hello":
        return {"protocol": 1, "name": "Python tile", "arrays": "values", "methods": ["close"]}
    if op == "create":
        TILES[handle] = Tile(*(request[key] for key in ("config", "weight", "bias", "state")))
    elif op == "forward":
        return TILES[handle].forward(request["x"])
    elif op == "backward":
        return TILES[handle].backward(request["dy"])
    elif op == "step":
        return TILES[handle].step(request["lr"])
    elif op == "state":
        return {"state": TILES[handle].named(TILES[handle].parameters)}
    elif op == "close":
        del TILES[handle]
    return {}


def main():
    """Answer each line with a line."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            response = {"id": request["id"], "result": answered(request)}
        except Unsupported as error:
            response = {"id": request["id"], "error": {"kind": "unsupported", "text": str(error)}}
        sys.stdout.write(json.dumps(response) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
