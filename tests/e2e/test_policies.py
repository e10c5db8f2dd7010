"""What policies make of real migrations: holds, caps, convergence, acknowledgements, plans."""

from __future__ import annotations

import json

import bed
from world import REFUSED, World

MIB = 1 << 20


class PolicyTest(World):
    """A guest that works on its files, and one policy at a time."""

    def apply(self, name: str, text: str) -> None:
        """Creates the policy, or makes a new revision of it."""
        path = self.arena.dir / f"{name}.textproto"
        path.write_text(text)
        self.vufd.json("policies", "apply", name, str(path))

    def booted(self) -> bed.Vm:
        source = self.source()
        source.wait_n(50)
        return source

    def test_hold(self) -> None:
        source = self.booted()
        destination = self.destination()
        self.vufd.json("hold", "guest", "--holder=storage", "--reason=a snapshot runs", "--for=1h")
        self.assert_refused(self.evaluate(destination), "POLICY_HOLD")
        self.assertEqual(self.migrate(destination)["state"], "STATE_REFUSED")
        self.assert_untouched(source)
        self.vufd.json("release", "guest")
        self.assert_moved(self.migrate(destination), source, destination)

    def test_a_restart_forgets_no_policy(self) -> None:
        self.booted()
        self.vufd.json("hold", "guest", "--holder=storage", "--reason=a snapshot runs")
        self.vufd.kill()
        self.vufd = self.start_vufd()
        self.assert_refused(self.evaluate(self.destination()), "POLICY_HOLD")

    def test_limits_are_set_at_the_real_qemu(self) -> None:
        """Slow enough to be seen under way."""
        source = self.booted()
        destination = self.destination()
        self.apply("slow", f"priority: 5 max_bandwidth_bytes_per_second: {4 * MIB} max_downtime {{ nanos: 77000000 }}")
        name = self.start_migration(destination)
        self.await_state(name, ("STATE_TRANSFERRING",))
        parameters = source.qmp.cmd("query-migrate-parameters")
        self.assertEqual(parameters["max-bandwidth"], 4 * MIB)
        self.assertEqual(parameters["downtime-limit"], 77)
        self.vufd.json("cancel", name, statuses=(0, 5))
        self.await_state(name)
        self.assert_stayed(source)
        self.assertNotEqual(source.qmp.cmd("query-migrate-parameters")["max-bandwidth"], 4 * MIB)

    def test_one_that_does_not_converge_is_given_up(self) -> None:
        source = self.booted()
        destination = self.destination()
        self.apply("patient", f"priority: 5 max_bandwidth_bytes_per_second: {MIB // 4}\n"
                   "convergence { after { seconds: 1 } downtime_limit { nanos: 1000000 } }\n"
                   "convergence { after { seconds: 2 } cancel: true }\n")
        migration = self.migrate(destination)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assertIn("did not converge within 2s, as migrationPolicies/patient@1", migration["message"])
        self.assert_stayed(source)

    def test_a_guest_that_dirties_faster_than_is_sent_is_slowed_down(self) -> None:
        """QEMU takes processor time from it, no more than the policy says, and gives it back at the end."""
        source = self.source(period_us=200)
        source.wait_n(50)
        destination = self.destination(period_us=200)
        self.apply("slow", f"priority: 5 max_bandwidth_bytes_per_second: {8 * MIB} max_downtime {{ nanos: 1000000 }}\n"
                   "convergence { after { seconds: 1 } throttle_percent: 60 }\n"
                   "convergence { after { seconds: 30 } downtime_limit { seconds: 60 } }\n")
        name = self.start_migration(destination)
        # Slowly then, or it would be over with the next round if the guest had no processor meanwhile.
        bed.wait_for("little memory to be left", lambda: 0 < source.qmp.cmd("query-migrate").get("ram", {}).get(
            "remaining", 0) < 6 * MIB, 25, lambda: str(self.migration(name)))
        source.qmp.cmd("migrate-set-parameters", {"max-bandwidth": MIB})
        bed.wait_for("all memory to be sent once", lambda: self._progress(name, "dirty_sync_count") >= 2, 25,
                     lambda: str(self.migration(name)))
        # From now on each round brings as much as it sends.
        source.qmp.cmd("migrate-set-parameters", {"max-bandwidth": MIB // 4})
        bed.wait_for("the guest to be slowed down", lambda: self._progress(name, "cpu_throttle_percentage") > 1, 25,
                     lambda: str(self.migration(name)))
        self.assertEqual(source.qmp.cmd("query-migrate-parameters")["max-cpu-throttle"], 60)
        self.assertLessEqual(self._progress(name, "cpu_throttle_percentage"), 60)
        source.qmp.cmd("migrate-set-parameters", {"max-bandwidth": 64 * MIB})
        self.assert_moved(self.await_state(name), source, destination)
        self.assertNotIn("cpu-throttle-percentage", destination.qmp.cmd("query-migrate"))

    def _progress(self, name: str, number: str) -> int:
        return int(self.migration(name).get("progress", {}).get(number, 0))

    def test_a_higher_downtime_lets_it_end(self) -> None:
        """The guest may stand still for as long as the rest of its memory takes."""
        source = self.booted()
        destination = self.destination()
        self.apply("ramp", f"priority: 5 max_bandwidth_bytes_per_second: {16 * MIB} max_downtime {{ nanos: 1000000 }}\n"
                   "convergence { after { seconds: 1 } downtime_limit { seconds: 60 } }\n")
        self.assert_moved(self.migrate(destination), source, destination)

    def test_shadow_and_explain(self) -> None:
        self.booted()
        destination = self.destination()
        self.apply("next", "priority: 9 enforcement: ENFORCEMENT_SHADOW allowed_modes { }")
        verdict = self.evaluate(destination)
        self.assertEqual(verdict["decision"], "DECISION_ALLOW", verdict)
        self.assertEqual(verdict["shadow"]["decision"], "DECISION_REFUSE")
        self.assertIn("POLICY_FORBIDS_STATEFUL (fs0)", verdict["shadow"]["added_blockers"])
        explained = self.vufd.json("policies", "explain", "guest")
        self.assertEqual(explained["matching_policies"], ["migrationPolicies/default@1"])
        self.assertIn("none", [setting["value"] for setting in explained["shadow_settings"]])

    def test_a_selector_on_the_back_end_s_kind_and_version(self) -> None:
        self.booted()
        destination = self.destination()
        self.apply("old", 'priority: 9 selector { back_end_kinds: "virtiofsd" back_end_version_limit: "1.14" } '
                   "allowed_modes { }")
        self.assertEqual(self.evaluate(destination)["decision"], "DECISION_ALLOW")
        self.apply("old", 'priority: 9 selector { back_end_kinds: "virtiofsd" back_end_version_limit: "2" } '
                   "allowed_modes { }")
        verdict = self.evaluate(destination)
        self.assert_refused(verdict, "POLICY_FORBIDS_STATEFUL")
        self.assertIn("migrationPolicies/old@2", verdict["policies"])

    def test_an_acknowledged_blocker(self) -> None:
        """Who knows that the guest does not care may accept it, by name and for a time."""
        source = self.booted()
        label = self.back_end("dst-fs", options=(*bed.backend.FILE_HANDLES, "--readonly"))
        destination = self.destination([label])
        self.assert_refused(self.evaluate(destination), "OPTION_DIFFERS_HARMFULLY")
        self.vufd.json("acknowledge", "guest", "OPTION_DIFFERS_HARMFULLY", "--author=ann", "--reason=it only reads",
                       "--for=1h", "--id=a")
        verdict = self.evaluate(destination)
        self.assertEqual(verdict["decision"], "DECISION_ALLOW", verdict)
        warning = next(one for one in verdict["warnings"] if one["code"] == "OPTION_DIFFERS_HARMFULLY")
        self.assertIn("Accepted by ann", warning["message"])
        self.vufd.json("acknowledgements", "delete", "a")
        self.assert_refused(self.evaluate(destination), "OPTION_DIFFERS_HARMFULLY")
        self.assert_untouched(source)

    def test_batch_and_plan(self) -> None:
        source = self.booted()
        destination = self.destination()
        done = self.vufd.run("--output=json", "batch", f"--to={destination.monitor}", f"--to={source.monitor}")
        self.assertEqual(done.returncode, REFUSED, done.stderr)
        verdicts = [json.loads(line)["verdict"]["decision"] for line in done.stdout.splitlines()]
        self.assertEqual(verdicts, ["DECISION_ALLOW", "DECISION_REFUSE"])
        plan = self.vufd.json("plan", f"--target=guest={destination.monitor}")
        self.assertEqual([step["vm"] for step in plan["ready"]], ["vms/guest"])
        self.assertGreater(int(plan["ready"][0]["memory_bytes"]), 0)
        self.vufd.json("hold", "guest", "--holder=ops", "--reason=maintenance")
        plan = self.vufd.json("plan", f"--target=guest={destination.monitor}", statuses=(REFUSED,))
        self.assertEqual([(fix["code"], fix["frees"]) for fix in plan["fixes"]], [("POLICY_HOLD", ["vms/guest"])])
        self.assert_untouched(source)
