"""Test bed for end-to-end tests: real QEMU, real virtiofsd, a real guest, and vufd beside them.

    with bed.Arena() as arena:
        share = arena.share("data")
        source_fs = bed.BackEnd(arena, "fs-a", share)
        source = bed.Vm(arena, "a", [bed.Fs("share0", source_fs)])
        source.wait_n(50)

Everything started belongs to the arena and is ended with it, by process id. Waits are bounded polls
on what the guest or QEMU reports; nothing sleeps in the hope that something has happened.
"""

from bed.arena import Arena, Process
from bed.backend import BackEnd
from bed.certificates import Authority, Pair
from bed.chain import ChainReport, check_chain
from bed.console import Beat, Console, ShareBeat
from bed.gate import Gate
from bed.keeper import Keeper, KeeperctlError
from bed.manifest import Manifest, load_manifest
from bed.migrate import Migration, migrate
from bed.network import Network, TwoNetworks
from bed.qmp import Qmp, QmpError
from bed.vm import Fs, Vm
from bed.vufd import Vufd, VufctlError
from bed.wait import wait_for

__all__ = ["Arena", "Authority", "BackEnd", "Beat", "ChainReport", "Console", "Fs", "Gate", "Keeper", "KeeperctlError",
           "Manifest", "Migration", "Network", "Pair", "Process", "Qmp", "QmpError", "ShareBeat", "TwoNetworks", "Vm",
           "VufctlError", "Vufd", "check_chain", "load_manifest", "migrate", "wait_for"]
