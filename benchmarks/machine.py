"""What a measurement was taken on: stated at the head of every benchmark."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import psutil
import torch

from models.device import choose_device, has_bf16, usable_cores


def describe_machine() -> str:
    """A few lines: processor, cores, memory, GPU, libraries, number format, and how busy it was."""
    lines = [
        f"CPU      {cpu_model()}, {usable_cores()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"GPU      {gpu_model()}",
        f"Torch    {torch.__version__}, {torch.get_num_threads()} threads, Python {platform.python_version()}",
        f"Format   {precision()} by default here",
        f"Load     {os.getloadavg()[0]:.1f} in the minute before" if hasattr(os, "getloadavg") else "",
    ]
    return "\n".join(line for line in lines if line)


def cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return platform.processor() or platform.machine()


def gpu_model() -> str:
    if not torch.cuda.is_available():
        return "none"
    properties = torch.cuda.get_device_properties(0)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"


def precision() -> str:
    """What `Recipe.precision == "auto"` comes to."""
    return "bf16" if has_bf16(choose_device("auto")) else "fp32"
