"""What tools/testbed brought up."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib

_ROOT = pathlib.Path(__file__).resolve().parents[3]


@dataclasses.dataclass(frozen=True)
class Program:
    """A QEMU or virtiofsd; `data_dir` is QEMU's."""

    path: str
    version: str
    data_dir: str = ""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The bed. Keys of `qemu`: 7.2, 10.0, 11.1; of `virtiofsd`: 1.13, 1.14, c72.

    `accel` (kvm or tcg) and `sandbox` (namespace or chroot) are what works on this host.
    """

    qemu: dict[str, Program]
    virtiofsd: dict[str, Program]
    kernel: str
    initrd: str
    accel: str
    accel_args: tuple[str, ...]
    append: str
    sandbox: str


def _programs(part: dict[str, dict[str, str]]) -> dict[str, Program]:
    return {role: Program(entry["path"], entry["version"], entry.get("data_dir", "")) for role, entry in part.items()}


def bed_dir() -> pathlib.Path:
    """Where the bed is."""
    return pathlib.Path(os.environ.get("VUFD_TESTBED_DIR") or _ROOT / ".testbed")


@functools.cache
def load_manifest() -> Manifest:
    """Reads bed.json; a bed that is not up is an error, never a reason to skip."""
    path = bed_dir() / "bed.json"
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise RuntimeError(f"no test bed: {path} does not exist; run `tools/testbed up`") from error
    return Manifest(_programs(raw["qemu"]), _programs(raw["virtiofsd"]), raw["kernel"], raw["initrd"],
                    raw["accel"], tuple(raw["accel_args"]), raw["append"], raw["sandbox"])
