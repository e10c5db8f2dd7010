"""Two hosts: a vufd, QEMUs and back-ends in a network of their own each, and a file system that both have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import bed
from world import World

PORT = 7443
_LEASE_SECONDS = 3


class TwoHostWorld(World):
    """`self.vufd` is the agent of host a, where the source is; `self.there` is that of host b."""

    def setUp(self) -> None:
        self._networks: bed.TwoNetworks | None = None
        super().setUp()
        self.there = self.start_agent("b")
        for vufd in (self.vufd, self.there):
            self.permit_other_hosts(vufd)

    @property
    def networks(self) -> bed.TwoNetworks:
        """Made with the first agent."""
        if self._networks is None:
            self._networks = bed.TwoNetworks(self.arena)
            self._authority = bed.Authority(self.arena.dir / "ca")
        return self._networks

    def network(self, host: str) -> bed.Network:
        """Of host "a" or "b"."""
        return self.networks.a if host == "a" else self.networks.b

    @contextlib.contextmanager
    def on(self, host: str) -> Iterator[None]:
        """What is started inside is on this host."""
        self.arena.network = self.network(host).path
        try:
            yield
        finally:
            self.arena.network = ""

    def start_vufd(self) -> bed.Vufd:
        return self.start_agent("a")

    def start_agent(self, host: str, program: str = "", options: Sequence[str] = ()) -> bed.Vufd:
        """Starts the agent of a host, or `program` in its place; a second call is a restart."""
        address = self.network(host).address
        certificates = self.arena.dir / "ca" / f"{host}.pem"
        if not certificates.exists():
            self._authority.issue(host, f"URI:spiffe://test/host/{host}", f"IP:{address}")
        roles = self.arena.dir / "roles.textproto"
        roles.write_text('bindings { identity: "spiffe://test/host/*" roles: ROLE_PEER }\n'
                         'bindings { identity: "uid:0" roles: ROLE_OPERATOR roles: ROLE_POLICY_ADMIN }\n')
        pem = self.arena.dir / "ca"
        extra = (f'log {{ level: LEVEL_DEBUG }}\nroles_file: "{roles}"\n'
                 f'tls {{ listen_address: "{address}:{PORT}" certificate_file: "{pem}/{host}.pem"\n'
                 f'  private_key_file: "{pem}/{host}.key" client_ca_file: "{pem}/ca.pem" }}\n'
                 f'peer {{ address: "{address}:{PORT}" stream_address: "{address}"\n'
                 f'  lease {{ seconds: {_LEASE_SECONDS} }} }}\n')
        with self.on(host):
            return bed.Vufd(self.arena, name=f"vufd-{host}", extra=extra, program=program, options=options)

    def permit_other_hosts(self, vufd: bed.Vufd) -> None:
        """No policy comes with vufd that does."""
        path = self.arena.dir / "other-hosts.textproto"
        path.write_text("priority: 10\nallowed_scopes { scopes: MIGRATION_SCOPE_SAME_HOST"
                        " scopes: MIGRATION_SCOPE_OTHER_HOST }\n")
        vufd.json("policies", "apply", "other-hosts", str(path))

    def vm_on(self, host: str, name: str, *, incoming: bool = False, **options: Any) -> bed.Vm:
        """A QEMU with a back-end of its own on a host."""
        with self.on(host):
            return self.vm(name, [self.back_end(f"{name}-fs")], incoming=incoming, **options)

    def to(self, host: str) -> str:
        """The flag of vufctl that names a host's agent."""
        return f"--host={self.network(host).address}:{PORT}"

    def reservations(self) -> list[dict[str, Any]]:
        """What came in, or was to come in, at host b."""
        listed: list[dict[str, Any]] = self.there.json("incoming").get("reservations", [])
        return listed

    def await_released(self) -> None:
        """Nothing is reserved at host b any more, and nothing came in."""
        bed.wait_for("the reservation to be released",
                     lambda: all(one["state"] == "STATE_RELEASED" for one in self.reservations()), 30,
                     lambda: f"{self.reservations()} {self.there.log()[-2000:]}")
