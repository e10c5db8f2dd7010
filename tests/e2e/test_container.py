"""vufd in its container image, confined as the DaemonSet says, beside real QEMUs and back-ends of the host."""

from __future__ import annotations

import pathlib
import subprocess
import unittest

import bed
from bed.container import Image, capabilities
from bed.programs import built_program
from world import World

_KUBERNETES = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
# linux/capability.h
_BITS = {"DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "SYS_CHROOT": 18, "SYS_PTRACE": 19}
# vufctl: still under way.
_LEFT = 7


class ContainerTest(World):
    """One agent in a container. The arena stands for the host paths."""

    image: Image

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.image = Image()
        cls.addClassCleanup(cls.image.close)

    def setUp(self) -> None:
        self.containers = 0
        super().setUp()

    def start_vufd(self) -> bed.Vufd:
        self.containers += 1
        self.container = f"vufd-{self.containers}"
        return bed.Vufd(self.arena, name="vufd", wrapper=[self.image.runner(self.arena, self.container)])

    def inside(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a program in the container, as a probe or a hook does."""
        return subprocess.run([*self.image.podman, "exec", self.container, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False)

    def vufctl(self, *arguments: str) -> int:
        """The exit status of the image's own vufctl."""
        return self.inside("vufctl", f"--server={self.vufd.server}", *arguments).returncode

    def test_finds_and_moves_a_vm_of_the_host(self) -> None:
        status = pathlib.Path(f"/proc/{self.image.pid(self.container)}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        self.assertEqual(int(fields["CapEff"], 16), sum(1 << _BITS[name] for name in capabilities()))
        self.assertEqual((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"))
        self.assertNotEqual(self.inside("touch", "/usr/bin/x").returncode, 0)
        self.assertEqual((self.vufctl("health"), self.vufctl("health", "--live")), (0, 0))

        source = self.source()
        source.wait_n(20)
        destination = self.destination()
        self.assert_allowed(self.evaluate(destination))
        self.assert_moved(self.migrate(destination), source, destination)
        # What is to be judged is seen through /proc: its back-end, and who is connected to it.
        endpoint = self.vufd.json("vms", "get", "guest")
        self.assertIn(destination.monitor, str(endpoint))

    def test_an_update_waits_for_the_migration_that_runs(self) -> None:
        source = self.source()
        source.wait_n(20)
        destination = self.destination()
        name = self.start_migration(destination, "--max-bandwidth=16M")
        self.await_state(name, ("STATE_TRANSFERRING",))
        self.assertEqual(self.vufctl("migrations", "wait", "--timeout=100ms"), _LEFT)
        # As the kubelet does: the hook, then SIGTERM, then the new image's container on the same state.
        self.assertEqual(self.vufctl("migrations", "wait", "--timeout=60s"), 0)
        self.assertEqual(self.vufd.stop(), 0)
        self.vufd = self.start_vufd()
        self.assert_moved(self.migration(name), source, destination)

    def test_an_update_that_does_not_wait_loses_nothing(self) -> None:
        source = self.source()
        source.wait_n(20)
        destination = self.destination()
        name = self.start_migration(destination, "--max-bandwidth=4M")
        self.await_state(name, ("STATE_TRANSFERRING",))
        self.image.remove(self.container)
        self.vufd = self.start_vufd()
        self.assertIn(self.await_state(name)["state"], ("STATE_FAILED", "STATE_INTERRUPTED"))
        self.assert_stayed(source)
        again = self.vm("dst2", [self.back_end("dst2-fs")], incoming=True)
        self.assert_moved(self.migrate(again), source, again)

    def test_its_configurations_are_good(self) -> None:
        vufd = built_program("VUFD_BIN", "bazel-bin/server/vufd")
        config = self.arena.dir / "config"
        # Policies and roles are where they are made from; there is no certificate, which is said only of what is right
        # otherwise.
        for path, error in (("base", ""), ("overlays/network", 'vufd: tls.certificate_file "/etc/vufd-tls/tls.crt": ')):
            text = (_KUBERNETES / path / "vufd.textproto").read_text()
            for mount, source in (("/etc/vufd-policies/", "base"), ("/etc/vufd-roles/", "overlays/network")):
                text = text.replace(mount, f"{_KUBERNETES / source}/")
            config.write_text(text)
            done = subprocess.run([vufd, "--check-config", f"--config={config}"],
                                  capture_output=True, text=True, timeout=30, check=False)
            self.assertTrue(done.stderr.startswith(error) if error else done.returncode == 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
