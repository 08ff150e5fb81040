"""Which small number types the processor multiplies in hardware.

The others are slower than float32, often much slower: without int8 dot products in the processor, PyTorch multiplies
int8 in a plain loop. Features that the environment disables (`ATEN_CPU_CAPABILITY`, `ONEDNN_MAX_CPU_ISA`) do not count.
"""

from __future__ import annotations

import torch


def multiplies_int8() -> bool:
    """Return whether the processor has int8 dot products (AVX-512 with VNNI) and PyTorch uses them."""
    return _uses_avx512() and torch.cpu._is_vnni_supported()


def multiplies_bfloat16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 in hardware; a training step then takes 0.4 of the time."""
    return device.type == "cuda" or (_uses_avx512() and torch.cpu._is_avx512_bf16_supported())


def _uses_avx512() -> bool:
    """Return whether PyTorch and oneDNN, its matrix library, both use AVX-512."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch._C._has_mkldnn:
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # what oneDNN may use
