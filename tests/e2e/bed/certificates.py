"""Certificates of a test's own authority, made by openssl."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key, and the authority that made it: paths of PEM files."""

    certificate: str
    key: str
    authority: str


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, directory: pathlib.Path) -> None:
        directory.mkdir()
        self._directory = directory
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                      "-subj", "/CN=vufd test", "-keyout", "ca.key", "-out", "ca.pem")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._directory, check=True, capture_output=True, text=True)

    def issue(self, name: str, *alternative_names: str) -> Pair:
        """For servers and clients; alternative names such as "URI:spiffe://test/a" or "IP:10.0.0.1"."""
        (self._directory / f"{name}.ext").write_text(
            f"subjectAltName={','.join(alternative_names)}\nextendedKeyUsage=serverAuth,clientAuth\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "30", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        path = self._directory
        return Pair(str(path / f"{name}.pem"), str(path / f"{name}.key"), str(path / "ca.pem"))
