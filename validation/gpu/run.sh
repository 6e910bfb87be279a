#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: runs tests and benchmark, and writes a dated record to be committed.
#   validation/gpu/run.sh [--seconds S] [--out FOLDER] [--commit NAME] [--only PART,PART]
# PYTHON names another interpreter than that of .venv; what it needs may also stand on PYTHONPATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=${PYTHON:-.venv/bin/python}
[[ -n ${PYTHON:-} || -x $python ]] || python=python3
shopt -s nullglob
IFS=: read -ra folders <<<"${PYTHONPATH:-}"
for folder in "${folders[@]}"; do
    for libraries in "$folder"/nvidia/*/lib "$folder"/nvidia/*/nvvm/lib64; do
        export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$libraries # those of such packages
    done
done
if [[ -z ${CUDA_HOME:-} ]]; then # where the toolkit is, if it does not come in packages
    if nvcc=$(command -v nvcc); then
        nvcc=$(readlink -f "$nvcc")
        export CUDA_HOME=${nvcc%/bin/nvcc}
    elif [[ -d /usr/local/cuda ]]; then
        export CUDA_HOME=/usr/local/cuda
    fi
fi
exec "$python" -m validation.gpu "$@"
