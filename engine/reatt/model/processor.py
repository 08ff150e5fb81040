"""Which small numbers the processor multiplies itself.

The others are slower than float32, often by far: PyTorch multiplies int8 in a plain loop where the processor has no
dot products of int8. What the environment takes away (`ATEN_CPU_CAPABILITY`, `ONEDNN_MAX_CPU_ISA`) counts as missing.
"""

from __future__ import annotations

import torch


def multiplies_int8() -> bool:
    """Say whether the processor has dot products of int8 and PyTorch uses them: AVX-512 with VNNI."""
    return _uses_avx512() and torch.cpu._is_vnni_supported()


def multiplies_bfloat16(device: torch.device) -> bool:
    """Say whether a device multiplies bfloat16 itself: then a step takes 0.4 of the time, else more than before."""
    return device.type == "cuda" or (_uses_avx512() and torch.cpu._is_avx512_bf16_supported())


def _uses_avx512() -> bool:
    """Say whether both PyTorch and oneDNN, which multiplies for it, use AVX-512."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch._C._has_mkldnn:
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # what oneDNN may use, not what the processor has
