"""A real Prometheus that scrapes a real vufd, with the rules that are shipped."""

from __future__ import annotations

import json
import pathlib
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from bed.arena import Arena, Process
from bed.certificates import Authority, Pair
from bed.wait import wait_for

_DEPLOY = pathlib.Path(__file__).resolve().parents[3] / "deploy"
RULES = _DEPLOY / "prometheus" / "rules.yaml"
DASHBOARDS = _DEPLOY / "grafana"

# What Grafana puts in place of its variables.
VARIABLES = {"$job": "vufd", "$instance": ".*", "$__rate_interval": "1m", "$__range": "1h"}

_CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ['{rules}']
scrape_configs:
  - job_name: vufd
    scheme: https
    tls_config: {{ca_file: '{me.authority}', cert_file: '{me.certificate}', key_file: '{me.key}'}}
    static_configs: [{{targets: ['127.0.0.1:{target}']}}]
"""


def dashboard_queries() -> list[tuple[str, str]]:
    """Of every query of the dashboards that are shipped: where it is, and its expression with all hosts chosen."""
    out = []
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                for variable, value in VARIABLES.items():
                    expression = expression.replace(variable, value)
                out.append((f"{path.stem}: {panel['title']}", expression))
    return out


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scraped_over_tls(arena: Arena, port: int) -> tuple[str, Pair]:
    """What makes a vufd serve its metrics at 127.0.0.1:`port`, and as whom to ask for them. Root stays an operator."""
    authority = Authority(arena.dir / "ca")
    agent = authority.issue("agent", "IP:127.0.0.1")
    roles = arena.dir / "roles"
    roles.write_text('bindings { identity: "spiffe://test/prometheus" roles: ROLE_VIEWER }\n'
                     'bindings { identity: "uid:0" roles: ROLE_OPERATOR }\n')
    config = (f'roles_file: "{roles}"\n'
              f'tls {{ listen_address: "127.0.0.1:{free_port()}" certificate_file: "{agent.certificate}"\n'
              f'  private_key_file: "{agent.key}" client_ca_file: "{agent.authority}"\n'
              f'  http_address: "127.0.0.1:{port}" }}\n')
    return config, authority.issue("prometheus", "URI:spiffe://test/prometheus")


class Prometheus(Process):
    """Answers queries when the constructor returns; scrapes 127.0.0.1:`target` every second, over TLS as `me`."""

    def __init__(self, arena: Arena, target: int, me: Pair) -> None:
        self._port = free_port()
        config = pathlib.Path(arena.path("prometheus.yaml"))
        # Prometheus wants the rules beside itself, or an absolute path.
        config.write_text(_CONFIG.format(rules=RULES, target=target, me=me))
        program = shutil.which("prometheus")
        if program is None:
            raise RuntimeError("prometheus is not installed")
        super().__init__(arena, "prometheus", [
            program, f"--config.file={config}", f"--storage.tsdb.path={arena.path('tsdb')}",
            f"--web.listen-address=127.0.0.1:{self._port}", "--log.level=warn"])
        wait_for("Prometheus to be ready", self._ready, 60, self.log)

    def _ready(self) -> bool:
        if not self.alive():
            raise RuntimeError(f"Prometheus exited with {self.returncode()}: {self.log()[-1500:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def api(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of the HTTP API."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/{path}{query}", timeout=20) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's result."""
        result: list[dict[str, Any]] = self.api("query", query=expression)["result"]
        return result
