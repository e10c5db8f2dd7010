"""A real Prometheus sees a real migration, with the rules and names that are shipped and documented."""

from __future__ import annotations

import pathlib
import re
import ssl
import subprocess
import unittest
import urllib.request

import bed
from bed.prometheus import RULES, Prometheus, dashboard_queries, free_port, scraped_over_tls
from world import World

_OPERATIONS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md"
_NAME = re.compile(r"\bvufd_[a-z_]+")
_SUFFIX = re.compile(r"_(bucket|count|sum)$")
# From the first refusal on, by code.
_ABSENT = {"vufd_blockers_total"}


class PrometheusTest(World):
    """One scrape target over TLS, one migration."""

    def setUp(self) -> None:
        self.port = free_port()
        super().setUp()

    def start_vufd(self) -> bed.Vufd:
        config, self.me = scraped_over_tls(self.arena, self.port)
        policies = self.arena.dir / "policies"
        policies.write_text('migration_policies { name: "migrationPolicies/four" priority: 1 max_concurrent: 4 }\n')
        return bed.Vufd(self.arena, extra=f'policy_file: "{policies}"\n{config}')

    def scrape(self) -> str:
        """The text that vufd gives."""
        context = ssl.create_default_context(cafile=self.me.authority)
        context.load_cert_chain(self.me.certificate, self.me.key)
        with urllib.request.urlopen(f"https://127.0.0.1:{self.port}/metrics", timeout=10, context=context) as answer:
            return str(answer.read().decode())

    def test_a_migration_is_seen(self) -> None:
        prometheus = Prometheus(self.arena, self.port, self.me)
        source = self.source()
        source.wait_n(20)
        destination = self.destination()
        self.assert_moved(self.migrate(destination), source, destination)
        for expression in ('vufd_migrations_total{outcome="succeeded"} == 1',
                           'vufd_devices_moved_total{mode="stateful"} == 1',
                           "vufd_migration_downtime_seconds_count == 1",
                           "vufd_migration_transferred_bytes_total > 0",
                           "vufd_store_write_duration_seconds_count > 0",
                           "vufd_ready == 1 and vufd_permits == 0 and vufd_migrations_running == 0"):
            bed.wait_for(f"Prometheus to find {expression}", lambda e=expression: prometheus.query(e), 30, self.scrape)

        # Every series that a rule asks for is one that vufd has.
        asked = {_SUFFIX.sub("", name) for name in _NAME.findall(RULES.read_text())}
        asked -= {name for name in asked if f"instance:{name}" in RULES.read_text()} | _ABSENT
        self.assertGreater(len(asked), 10)
        for name in asked:
            self.assertTrue(prometheus.query(f'{{__name__=~"{name}(_count)?"}}'), name)

        groups = prometheus.api("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertGreater(len(rules), 20)
        self.assertEqual([rule["name"] for rule in rules if rule["health"] not in ("ok", "unknown")], [])
        self.assertEqual(prometheus.api("alerts")["alerts"], [])
        self._assert_dashboards(prometheus)

    def _assert_dashboards(self, prometheus: Prometheus) -> None:
        """Every panel shows something, once a call has failed."""
        self.assertNotEqual(self.vufd.run("migrations", "get", "m9999999999").returncode, 0)
        queries = dashboard_queries()
        self.assertGreater(len(queries), 40)
        for where, expression in queries:
            self.assertNotIn("$", expression, where)
            if not any(name in expression for name in _ABSENT):
                bed.wait_for(f"data for {where}: {expression}", lambda e=expression: prometheus.query(e), 10)

    def test_an_outage_is_noticed(self) -> None:
        prometheus = Prometheus(self.arena, self.port, self.me)
        bed.wait_for("a scrape", lambda: prometheus.query("vufd_ready == 1"), 30)
        self.vufd.kill()
        bed.wait_for("the alert", lambda: [alert["labels"]["alertname"] for alert in prometheus.api("alerts")["alerts"]
                                           ] == ["VufdDown"], 30)

    def test_names_and_documentation(self) -> None:
        text = self.scrape()
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        families = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
        documented = set(_NAME.findall(_OPERATIONS.read_text().split("## Alerts")[0]))
        self.assertEqual(families - documented, set(), "not in docs/operations.md")
        self.assertEqual(documented - families - _ABSENT, set(), "documented and not there")


if __name__ == "__main__":
    unittest.main()
