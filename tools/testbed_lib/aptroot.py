"""Extracts packages of another Debian suite below a directory, with a private apt.

The host's apt is only asked which mirror it uses and how it reaches it (proxies and the like);
its sources, lists, status and cache stay untouched.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shutil
from collections.abc import Sequence

from testbed_lib.common import BedError, read_json, run, say, write_atomically, write_json

_KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
_RELEASE_NAMES = ("bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable")
_APT_QUICK = 120
_APT_DOWNLOAD = 3600


@dataclasses.dataclass(frozen=True)
class Package:
    """One package apt chose."""

    name: str
    version: str
    arch: str

    @property
    def deb_name(self) -> str:
        """The name apt gives the file in its archive directory."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.arch}.deb"


def host_mirrors() -> list[str]:
    """URIs of the Debian archives this host's apt is configured for, the likeliest first.

    Asked from the configuration, not from downloaded lists, which small images do not keep.
    """
    plan = run(["apt-get", "update", "--print-uris"], "asking apt for its mirror", timeout=_APT_QUICK)
    releases = "|".join(_RELEASE_NAMES)
    found = dict.fromkeys(re.findall(rf"^'((?!cdrom)\S+/)dists/(?:{releases})/InRelease'", plan, re.MULTILINE))
    if not found:
        raise BedError("apt on this host has no source for a Debian release; configure one in /etc/apt, "
                       "its mirror is then used for the other suites too")
    # Vendors name their suites after Debian's as well; the archive itself is usually called "debian".
    return sorted(found, key=lambda uri: not uri.endswith("/debian/"))


def choose_mirror(bed: pathlib.Path, suite: str) -> str:
    """The first of the host's mirrors that has `suite`, signed by Debian."""
    failures = []
    for mirror in host_mirrors():
        try:
            AptRoot(bed, suite, mirror).update()
            return mirror
        except BedError as error:
            failures.append(str(error))
    raise BedError("\n".join(failures))


def _keyring() -> str:
    for path in _KEYRINGS:
        if os.path.exists(path):
            return path
    raise BedError("no Debian archive keyring on this host: install the package debian-archive-keyring")


def _host_transport_options() -> str:
    """How the host's apt downloads: proxies, certificates, time-outs."""
    dump = run(["apt-config", "dump"], "reading the host's apt configuration", timeout=_APT_QUICK)
    wanted = [line for line in dump.splitlines()
              if line.startswith("Acquire::") and not line.startswith("Acquire::IndexTargets")]
    return "\n".join(wanted)


class AptRoot:
    """Packages of one suite: a private apt, and the tree they are extracted to."""

    def __init__(self, bed: pathlib.Path, suite: str, mirror: str) -> None:
        self.suite = suite
        self.tree = bed / "roots" / suite
        self._apt = bed / "apt" / suite
        self._archives = self._apt / "archives"
        self._mirror = mirror
        self._updated = False

    def _env(self) -> dict[str, str]:
        return {**os.environ, "APT_CONFIG": str(self._apt / "apt.conf"), "LC_ALL": "C"}

    def _configure(self) -> None:
        for part in ("archives/partial", "lists/partial", "state", "empty"):
            (self._apt / part).mkdir(parents=True, exist_ok=True)
        (self._apt / "status").touch()
        options = [f"arch=amd64 signed-by={_keyring()}"]
        if self.suite == "sid":
            # A mirror may lag; sid's Release expires after a week and nothing here depends on its age.
            options.append("check-valid-until=no")
        source = f"deb [{' '.join(options)}] {self._mirror} {self.suite} main\n"
        write_atomically(self._apt / "sources.list", source.encode())
        write_atomically(self._apt / "apt.conf", self._configuration().encode())

    def _configuration(self) -> str:
        base = self._apt
        places = {
            "Dir::Etc::parts": base / "empty", "Dir::Etc::main": "/dev/null",
            "Dir::Etc::sourcelist": base / "sources.list", "Dir::Etc::sourceparts": base / "empty",
            "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": base / "empty",
            "Dir::State": base / "state", "Dir::State::lists": base / "lists", "Dir::State::status": base / "status",
            "Dir::Cache": base, "Dir::Cache::archives": base / "archives", "Dir::Log": base / "state",
            "APT::Architecture": "amd64", "APT::Install-Recommends": "false", "APT::Sandbox::User": "root",
            "Acquire::Retries": "3", "Acquire::Languages": "none",
        }
        own = "\n".join(f'{key} "{value}";' for key, value in places.items())
        return f"{_host_transport_options()}\n{own}\n"

    def update(self) -> None:
        """Fetches the package lists, once per run."""
        if self._updated:
            return
        self._configure()
        say(f"{self.suite}: reading package lists")
        run(["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"],
            f"package lists of {self.suite} from {self._mirror}", timeout=_APT_DOWNLOAD, env=self._env())
        self._updated = True

    def closure(self, names: Sequence[str]) -> list[Package]:
        """All packages that `names` need on an empty machine."""
        plan = run(["apt-get", "-s", "-y", "install", *names], f"{self.suite}: resolving {' '.join(names)}",
                   timeout=_APT_QUICK, env=self._env())
        found = re.findall(r"^Inst (\S+) \((\S+) .*\[(\S+)\]\)", plan, re.MULTILINE)
        return [Package(*entry) for entry in found]

    def depends_on(self, name: str, pattern: str) -> str:
        """The dependency of meta package `name` whose name matches `pattern`."""
        text = run(["apt-cache", "depends", name], f"{self.suite}: dependencies of {name}",
                   timeout=_APT_QUICK, env=self._env())
        for found in re.finditer(r"^\s*Depends: (\S+)", text, re.MULTILINE):
            if re.fullmatch(pattern, found[1]):
                return found[1]
        raise BedError(f"{self.suite}: {name} depends on no package like {pattern}")

    def candidate(self, name: str) -> Package:
        """The version of `name` the suite has now."""
        text = run(["apt-cache", "show", "--no-all-versions", name], f"{self.suite}: looking up {name}",
                   timeout=_APT_QUICK, env=self._env())
        fields = dict(re.findall(r"^(Version|Architecture): (\S+)$", text, re.MULTILINE))
        return Package(name, fields["Version"], fields["Architecture"])

    def download_one(self, package: Package) -> pathlib.Path:
        """Downloads one package without its dependencies; returns the file."""
        deb = self._archives / package.deb_name
        if not deb.exists():
            say(f"{self.suite}: downloading {package.name} {package.version}")
            run(["apt-get", "-q", "download", f"{package.name}={package.version}"],
                f"{self.suite}: downloading {package.name}", timeout=_APT_DOWNLOAD, env=self._env(),
                cwd=self._archives)
        return deb

    def install(self, names: Sequence[str]) -> dict[str, str]:
        """Makes `tree` hold the closure of `names`; returns the versions. Only changes what is out of date."""
        stamp = self.tree.with_name(self.suite + ".stamp")
        packages = self.closure(names)
        versions = {package.name: package.version for package in packages}
        if read_json(stamp) == versions and self.tree.is_dir():
            return versions
        say(f"{self.suite}: downloading {len(packages)} packages for {' '.join(names)}")
        run(["apt-get", "-q", "-y", "--download-only", "install", *names], f"{self.suite}: downloading",
            timeout=_APT_DOWNLOAD, env=self._env())
        stamp.unlink(missing_ok=True)
        self._extract(packages)
        write_json(stamp, versions)
        return versions

    def _extract(self, packages: Sequence[Package]) -> None:
        say(f"{self.suite}: extracting")
        shutil.rmtree(self.tree, ignore_errors=True)
        self.tree.mkdir(parents=True)
        for package in packages:
            # base-files holds the /lib -> usr/lib links, which plain extraction of older packages would trip over.
            if package.name != "base-files":
                run(["dpkg-deb", "-x", str(self._archives / package.deb_name), str(self.tree)],
                    f"{self.suite}: extracting {package.name}", timeout=_APT_QUICK)
