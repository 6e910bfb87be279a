"""A target that speaks the protocol correctly, except for what its argument says; it imports nothing of refsim."""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def drip() -> None:
    while True:
        sys.stdout.write(" ")
        sys.stdout.flush()
        time.sleep(0.02)


def flood(data: bytes) -> None:
    while True:
        os.write(1, data)


def hungry(step: int) -> None:
    held = []
    while True:
        held.append(bytearray(os.urandom(4096) * (step // 4096)))
        time.sleep(0.001)


def forking() -> None:
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
            os._exit(0)
    with open(os.environ["MARK"], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)


def stubborn() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)


def raw(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def forward_result(kind: str) -> object:
    right = {"dtype": "float32", "shape": [4, 3], "base64": "A" * 64}
    return {
        "huge": {"output": right | {"shape": [10**12]}},
        "negative": {"output": right | {"shape": [-4, -3]}},
        "overflow": {"output": right | {"shape": [2**40, 2**40, 0]}},
        "short": {"output": right | {"base64": "AAAA"}},
        "notbase64": {"output": right | {"base64": "%" * 64}},
        "dtype": {"output": right | {"dtype": "object"}},
        "complex": {"output": right | {"dtype": "complex64"}},
        "shape": {"output": right | {"shape": [3, 4]}},
        "nokey": {"outputs": right},
        "list": [right],
        "null": {"output": None},
        "texts": {"output": [["a"] * 3] * 4},
        "ragged": {"output": [[1, 2, 3], [1], [1], [1]]},
        "deep": {"output": json.loads("[" * 50 + "]" * 50)},
        "bigint": {"output": [[2**70] * 3] * 4},
        "outside": {"output": {"npy": "../secret.npy"}},
        "missing": {"output": {"npy": "missing.npy"}},
        "twice": {"output": right | {"values": [0.0] * 12}},
    }.get(kind)


def act(kind: str, number: int, folder: str) -> None:
    """What is done instead of the answer to a forward pass."""
    good = json.dumps({"id": number, "result": {"output": [[0.0] * 3] * 4}})
    actions = {
        "exit": lambda: os._exit(3),
        "words": lambda: (sys.stderr.write("no \x1b[31mrange\n"), sys.stderr.flush(), os._exit(3)),
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "hang": lambda: time.sleep(60),
        "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
        "drip": drip,
        "endless": lambda: flood(b"0" * 65536),
        "lines": lambda: flood(b"0\n" * 32768),
        "brackets": lambda: raw("[" * (2 * 10**6) + "\n"),
        "stderr": lambda: [os.write(2, b"x" * 65536) for _ in iter(int, 1)],
        "closed": lambda: (os.close(1), time.sleep(60)),
        "hungry": lambda: hungry(2**22),
        "greedy": lambda: bytearray(2**40),
        "forking": forking,
        "stubborn": stubborn,
        "garbage": lambda: raw("Segmentation fault\n"),
        "binary": lambda: os.write(1, bytes(range(256)) + b"\n"),
        "empty": lambda: raw("\n"),
        "nan": lambda: raw(good.replace("0.0", "NaN") + "\n"),
        "wrongnan": lambda: raw(good.replace("0.0", '"NaN"') + "\n"),
        "wrongid": lambda: raw(good.replace(f'"id": {number}', '"id": 999') + "\n"),
        "noid": lambda: raw('{"result": {}}\n'),
        "both": lambda: raw(good.replace("{", '{"error": {}, ', 1) + "\n"),
        "samekey": lambda: raw(good.replace("{", '{"id": 1, ', 1) + "\n"),
        "badkind": lambda: raw(f'{{"id": {number}, "error": {{"kind": "x", "text": "y"}}}}\n'),
        "manydigits": lambda: raw(good.replace("0.0", "9" * 5000) + "\n"),
        "fifo": lambda: fifo(number, folder),
        "device": lambda: (os.symlink("/dev/zero", f"{folder}/z.npy"), named(number, "z.npy")),
        "badnpy": lambda: (write(f"{folder}/b.npy", HEADER), named(number, "b.npy")),
        "manyfiles": lambda: many(number, folder),
        "pickled": lambda: (write(f"{folder}/p.npy", PICKLED), named(number, "p.npy")),
    }
    found = forward_result(kind)
    if found is not None:
        raw(json.dumps({"id": number, "result": found}) + "\n")
    else:
        actions[kind]()


def npy(descr: str, shape: str) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 48


HEADER = npy("<f4", "(1000000000000,)")
PICKLED = npy("|O", "(4, 3)")


def write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def fifo(number: int, folder: str) -> None:
    os.mkfifo(f"{folder}/f.npy")
    named(number, "f.npy")


def many(number: int, folder: str) -> None:
    """Three sparse files of 100 MiB each."""
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (104857600,), }\n"
    stages = {}
    for k in range(3):
        with open(f"{folder}/{k}.npy", "wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
            file.truncate(10 + len(text) + 104857600)
        stages[f"s{k}"] = {"npy": f"{k}.npy"}
    raw(json.dumps({"id": number, "result": {"stages": stages}}) + "\n")


def named(number: int, name: str) -> None:
    raw(json.dumps({"id": number, "result": {"output": {"npy": name}}}) + "\n")


def main(kind: str) -> None:
    folder = ""
    if kind == "banner":
        raw("MyTile 1.0 starting\n")
    for line in sys.stdin:
        asked = json.loads(line)
        op, number = asked["op"], asked["id"]
        if op == "hello":
            folder = asked["folder"]
            hello = {"protocol": 1, "name": "hostile", "methods": ["close"]}
            changes = {
                "manyfiles": {"methods": ["stages"]},
                "future": {"protocol": 2},
                "wrongmethods": {"methods": ["dance"]},
                "escape": {"name": "\x1b[31m"},
                "promises": {"capabilities": {"features": ["bais"]}},
                "form": {"arrays": "xml"},
            }
            raw(json.dumps({"id": number, "result": hello | changes.get(kind, {})}) + "\n")
        elif op == ("stages" if kind == "manyfiles" else "forward"):
            act(kind, number, folder)
        elif op == "state":
            state = {"weight": [[0.0] * 5] * 3}
            raw(json.dumps({"id": number, "result": {"state": state}}) + "\n")
        elif op == "forward":
            raw(json.dumps({"id": number, "result": {"output": [[0.0] * 3] * 4}}) + "\n")
        else:
            raw(json.dumps({"id": number, "result": {}}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
