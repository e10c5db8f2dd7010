"""The container image, made as an operator would, and vufd in it, confined as the DaemonSet says."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

from bed.arena import Arena

_ROOT = pathlib.Path(__file__).resolve().parents[3]
DAEMON_SET = _ROOT / "deploy" / "kubernetes" / "base" / "daemonset.yaml"
# This machine may lack what podman takes for granted: cgroup v2, systemd, the right to raise limits.
_SETTINGS = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def capabilities() -> list[str]:
    """Those that the DaemonSet adds."""
    found = re.findall(r"^ +- ([A-Z_]+)$", DAEMON_SET.read_text(), re.MULTILINE)
    if not found:
        raise RuntimeError(f"{DAEMON_SET} adds no capabilities")
    return found


class Image:
    """vufd's image in a store of its own, on a base that is made here instead of pulled."""

    tag = "vufd:test"

    def __init__(self) -> None:
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="vufd-image-"))
        settings = self._directory / "containers.conf"
        settings.write_text(_SETTINGS)
        self._env = {**os.environ, "CONTAINERS_CONF": str(settings)}
        self.podman = ["podman", "--root", str(self._directory / "root"), "--runroot", str(self._directory / "run")]
        self._make_base()
        self._call([str(_ROOT / "tools" / "image"), self.tag], PODMAN=shlex.join(self.podman))

    def _call(self, argv: list[str], **env: str) -> str:
        done = subprocess.run(argv, cwd=_ROOT, env={**self._env, **env}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{shlex.join(argv)}: status {done.returncode}: {done.stderr[-3000:]}")
        return done.stdout

    def run(self, *arguments: str) -> str:
        """What podman prints."""
        return self._call([*self.podman, *arguments]).strip()

    def _make_base(self) -> None:
        release = re.search(r"^VERSION_CODENAME=(\w+)$", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE)
        assert release is not None
        archive = str(self._directory / "base.tar")
        self._call(["mmdebstrap", "--quiet", "--variant=minbase", release[1], archive])
        self.run("import", "--quiet", archive, f"docker.io/library/debian:{release[1]}-slim")
        os.unlink(archive)

    def runner(self, arena: Arena, name: str) -> str:
        """A program that runs vufd in a container of that name with the arguments that follow its first."""
        script = arena.dir / f"{name}.sh"
        add = [f"--cap-add={capability}" for capability in capabilities()]
        line = [*self.podman, "run", "--rm", "--name", name, "--pid=host", "--network=host", "--cgroupns=private",
                "--volume=/sys/fs/cgroup:/host/sys/fs/cgroup:ro", "--read-only",
                "--read-only-tmpfs=false", "--cap-drop=ALL", *add, "--security-opt=no-new-privileges",
                f"--volume={arena.dir}:{arena.dir}", self.tag]
        settings = self._directory / "containers.conf"
        script.write_text(f'#!/bin/sh\nshift\nCONTAINERS_CONF={settings} exec {shlex.join(line)} "$@"\n')
        script.chmod(0o755)
        arena.on_close(lambda: self.remove(name))
        return str(script)

    def remove(self, name: str) -> None:
        """Ends a container, if it is there, as kill -9 would."""
        self.run("rm", "--force", "--ignore", "--time=0", name)

    def pid(self, name: str) -> int:
        """vufd's, on the host."""
        return int(self.run("inspect", "--format={{.State.Pid}}", name))

    def close(self) -> None:
        """Takes all of it away."""
        # Not "system reset": it would take networks of whoever uses podman here.
        self.run("rm", "--all", "--force", "--time=0")
        self.run("rmi", "--all", "--force")
        shutil.rmtree(self._directory, ignore_errors=True)
