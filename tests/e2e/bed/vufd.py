"""Starting vufd and talking to it with vufctl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bed.arena import Arena, Process
from bed.programs import built_program
from bed.wait import wait_for


class VufctlError(Exception):
    """vufctl ended with a status the caller did not allow."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        # What it printed has the blockers; what it reported has the error.
        super().__init__(f"{' '.join(done.args)}: status {done.returncode}: {done.stderr.strip()}\n"
                         f"{done.stdout.strip()[-4000:]}")
        self.status = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr


def _quoted(text: str) -> str:
    """A textproto string; JSON's escapes are a subset of its."""
    return json.dumps(text)


class Vufd(Process):
    """A vufd that watches `globs`; it answers when the constructor returns.

    Socket and registry lie in the arena under `name`, so a vufd of the same name started later goes on
    with the registry of the earlier one. `extra` is textproto (vuf.config.v1.Config) added to the
    configuration; `period` and `qmp_timeout` are in seconds. `wrapper` is a command that runs vufd (strace, say); `program` runs in vufd's place, with `options` more.
    """

    def __init__(self, arena: Arena, *, globs: Sequence[str] = (), name: str = "vufd", period: int = 1,
                 qmp_timeout: int = 3,
                 extra: str = "", ready_command: Sequence[str] = ("vms", "list"),
                 env: Mapping[str, str] | None = None, ready_timeout: float = 20,
                 wrapper: Sequence[str] = (), program: str = "", options: Sequence[str] = ()) -> None:
        self.socket = arena.path(f"{name}.sock")
        self.server = f"unix:{self.socket}"
        self.state_directory = arena.dir / f"{name}.state"
        self.state_directory.mkdir(exist_ok=True)
        self._ready_command = ready_command
        self._vufctl = built_program("VUFCTL_BIN", "bazel-bin/client/vufctl")
        config = arena.dir / f"{name}.textproto"
        config.write_text(self._config(globs, period, qmp_timeout) + extra)
        program = program or built_program("VUFD_BIN", "bazel-bin/server/vufd")
        super().__init__(arena, name, [*wrapper, program, f"--config={config}", *options], env)
        self._wait_ready(ready_timeout)

    def _config(self, globs: Sequence[str], period: int, qmp_timeout: int) -> str:
        patterns = "".join(f"  qmp_socket_globs: {_quoted(glob)}\n" for glob in globs)
        return (f"listen_socket: {_quoted(self.socket)}\n"
                f"state_directory: {_quoted(str(self.state_directory))}\n"
                f"discovery {{\n{patterns}  period {{ seconds: {period} }}\n"
                f"  qmp_timeout {{ seconds: {qmp_timeout} }}\n}}\n")

    def _wait_ready(self, timeout: float) -> None:
        said = ""

        def probe() -> bool:
            nonlocal said
            if not self.alive():
                raise RuntimeError(f"{self.name} exited with {self.returncode()}: {self.log()[-2000:]}")
            done = self.run(*self._ready_command, timeout=10)
            said = done.stderr
            return done.returncode == 0
        wait_for(f"{self.name} to answer", probe, timeout, lambda: f"vufctl said {said!r}; log {self.log()[-2000:]}")

    def command(self, *arguments: str) -> list[str]:
        """The command line of vufctl against this vufd."""
        return [self._vufctl, f"--server={self.server}", *arguments]

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs vufctl against this vufd, whatever its exit status."""
        return subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, check=False)

    def json(self, *arguments: str, timeout: float = 60, statuses: tuple[int, ...] = (0,)) -> Any:
        """Runs vufctl with --output=json; returns what it printed. `statuses`: exit codes that are no error."""
        done = self.run("--output=json", *arguments, timeout=timeout)
        if done.returncode not in statuses:
            raise VufctlError(done)
        return json.loads(done.stdout)

    def watch_endpoints(self, arena: Arena) -> Iterator[dict[str, Any]]:
        """The messages of `vufctl endpoints watch`, each as soon as it is there."""
        line = self.command("--output=json", "endpoints", "watch")
        # pylint: disable=consider-using-with
        watcher = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

        def close() -> None:
            watcher.kill()
            watcher.wait()
        arena.on_close(close)
        assert watcher.stdout is not None
        return map(json.loads, watcher.stdout)

    def stop(self, timeout: float = 20) -> int:
        """SIGTERM; returns the exit status."""
        return self.terminate(timeout)
