"""Whether this machine's processor gains from reduced precision."""

from __future__ import annotations

import torch


def bfloat16_in_hardware() -> bool:
    """Whether the CPU multiplies bfloat16 itself (AMX or AVX-512 BF16); False where torch cannot say."""
    can = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(can.get("amx_bf16") or can.get("avx512_bf16"))


def suited_to(device: torch.device, width: int, wide: int) -> torch.dtype:
    """bfloat16 for a network of at least `wide` channels on a CPU that multiplies it in hardware, else float32."""
    gains = device.type == "cpu" and width >= wide and bfloat16_in_hardware()
    return torch.bfloat16 if gains else torch.float32


def fast_autocast(device: torch.device) -> torch.autocast:
    """Layers in bfloat16 within this block, where the device multiplies it in hardware."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda" or bfloat16_in_hardware())
