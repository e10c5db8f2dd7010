"""Everything that vufd does to look at endpoints and VMs, again and again, and who must survive it."""

from __future__ import annotations

import dataclasses
import uuid

import bed

_REFUSED = 3
_MORE_RECORDS = 5


@dataclasses.dataclass
class Subject:
    """One version of virtiofsd: one that nobody is connected to, and one whose guest works."""

    role: str
    idle: bed.BackEnd
    busy: bed.BackEnd
    guest: bed.Vm

    @classmethod
    def start(cls, arena: bed.Arena, vufd: bed.Vufd, role: str) -> Subject:
        """Starts and registers all of it; the guest works when it returns."""
        label = role.replace(".", "-")
        share = arena.share(f"share-{label}")
        idle = bed.BackEnd(arena, f"idle-{label}", share, role)
        busy = bed.BackEnd(arena, f"busy-{label}", share, role)
        guest = bed.Vm(arena, f"vm-{label}", [bed.Fs("share0", busy)], vm_name=f"vm-{label}", period_us=20_000,
                       uuid=str(uuid.uuid4()))
        subject = cls(role, idle, busy, guest)
        guest.wait_n(20)
        for name, back_end in (("idle", idle), ("busy", busy)):
            vufd.json("endpoints", "create", f"{name}-{label}", back_end.socket)
        return subject

    @property
    def label(self) -> str:
        """The role as it may stand in names."""
        return self.role.replace(".", "-")

    def look(self, vufd: bed.Vufd) -> None:
        """Has vufd look at these two back-ends and this VM in every way that it looks at the host."""
        for name, back_end, state in (("idle", self.idle, "STATE_LISTENING"), ("busy", self.busy, "STATE_IN_USE")):
            endpoint = vufd.json("endpoints", "get", f"{name}-{self.label}")
            _check(endpoint["state"] == state and str(endpoint["generation"]) == "1", f"{self.role}: {endpoint}")
        vm = vufd.json("vms", "get", f"vm-{self.label}")
        _check(vm["devices"][0]["back_end"]["pid"] > 0, f"{vm}")
        # A back-end is named where a destination belongs.
        vufd.json("evaluate", f"vm-{self.label}", f"--to={self.idle.socket}", statuses=(_REFUSED,))

    def check(self) -> None:
        """Both back-ends live, and the guest's files work."""
        for back_end in (self.idle, self.busy):
            _check(back_end.alive(), f"{back_end.name} has ended: {back_end.log()[-500:]}")
        self.guest.progress(_MORE_RECORDS)
        self.guest.assert_healthy()


def _check(good: bool, explanation: str) -> None:
    if not good:
        raise AssertionError(explanation)


def globs(arena: bed.Arena) -> list[str]:
    """What matches the monitors, and the back-ends' sockets too. A monitor that the test uses would cost its time-out."""
    return [f"{arena.dir}/*.vufd.qmp", f"{arena.dir}/[bi][ud]*.sock"]


def look_round(arena: bed.Arena, vufd: bed.Vufd, subjects: list[Subject]) -> None:
    """One round of everything; the globs match the back-ends' sockets too."""
    vufd.json("vms", "discover")
    for glob in globs(arena):
        vufd.json("vms", "discover", glob)
    for subject in subjects:
        subject.look(vufd)
