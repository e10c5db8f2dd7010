#!/usr/bin/env python3
"""Records what real QEMUs answer to the queries of an observation: `python3 -B tests/transcripts/record.py`.

Needs the test bed (tools/testbed) and root. Writes qemu-VERSION.json beside this file, each a list of
{"send": null or {execute, arguments}, "receive": message}. Paths of the machine are replaced.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import bed  # noqa: E402

# QEMU of the bed and the back-end that belongs to its time.
PAIRS = {"7.2": "c72", "10.0": "1.13", "11.1": "1.14"}
PLAIN = ("query-version", "query-status", "query-name", "query-uuid", "query-chardev", "query-memdev",
         "query-migrate", "query-migrate-capabilities", "query-migrate-parameters")
PROPERTIES = ("tag", "chardev", "num-request-queues", "queue-size", "addr")


def queries() -> list[dict[str, Any]]:
    """All that vufd asks, of one named and one anonymous device."""
    out: list[dict[str, Any]] = [{"execute": name} for name in PLAIN]
    out += [{"execute": "qom-list", "arguments": {"path": path}}
            for path in ("/machine/peripheral", "/machine/peripheral-anon")]
    out.append({"execute": "qom-get", "arguments": {"path": "/machine", "property": "type"}})
    out.append({"execute": "device-list-properties", "arguments": {"typename": "vhost-user-fs-device"}})
    for device in ("/machine/peripheral/fs0", "/machine/peripheral-anon/device[0]"):
        out += [{"execute": "qom-get", "arguments": {"path": device, "property": name}} for name in PROPERTIES]
        out.append({"execute": "x-query-virtio-vhost-queue-status",
                    "arguments": {"path": f"{device}/virtio-backend", "queue": 1}})
    return out


def record(qemu: str, role: str) -> list[dict[str, Any]]:
    """The greeting and every answer of one QEMU that was started with -S."""
    with bed.Arena() as arena:
        named = bed.BackEnd(arena, "fs0", arena.share("s0"), role)
        anonymous = bed.BackEnd(arena, "fs1", arena.share("s1"), role)
        extra = ["-chardev", f"socket,id=vfs1,path={anonymous.socket}",
                 "-device", "vhost-user-fs-pci,chardev=vfs1,tag=share1"]
        vm = bed.Vm(arena, "vm", [bed.Fs("share0", named)], qemu=qemu, paused=True, extra=extra)
        steps: list[dict[str, Any]] = [{"send": None, "receive": {"QMP": vm.qmp.greeting}}]
        for query in queries():
            answer = vm.qmp.raw(query["execute"], query.get("arguments"))
            answer.pop("id", None)
            steps.append({"send": query, "receive": answer})
        text = json.dumps(steps).replace(str(arena.dir), "/run/vm")
        return json.loads(text)


def main() -> None:
    """Records all QEMUs of the bed."""
    for qemu, role in PAIRS.items():
        steps = record(qemu, role)
        lines = ",\n".join(json.dumps(step, sort_keys=True) for step in steps)
        (HERE / f"qemu-{qemu}.json").write_text(f"[\n{lines}\n]\n")
        print(f"qemu-{qemu}.json: {len(steps)} steps")


if __name__ == "__main__":
    main()
