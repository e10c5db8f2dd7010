// Looks at rendered manifests: node assertions.mjs FILE.yaml... Writes FILE.ts with each object as a typed literal.
import { readFileSync, writeFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

const TYPES = {
  ConfigMap: "kubernetes-models/v1",
  DaemonSet: "kubernetes-models/apps/v1",
  Namespace: "kubernetes-models/v1",
  PodMonitor: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
  PrometheusRule: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
  ServiceAccount: "kubernetes-models/v1",
};
const HOST_PATHS = ["/run/vufd", "/var/lib/vufd", "/run/qemu", "/run/vuf-keeper", "/sys/fs/cgroup"];
const CAPABILITIES = ["DAC_OVERRIDE", "DAC_READ_SEARCH", "SYS_CHROOT", "SYS_PTRACE"];

let failed = false;
function expect(what, found, wanted) {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  console.error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
  failed = true;
}

function checkContainer(where, container) {
  const security = container.securityContext;
  expect(`${where}: privileged`, security.privileged, false);
  expect(`${where}: allowPrivilegeEscalation`, security.allowPrivilegeEscalation, false);
  expect(`${where}: readOnlyRootFilesystem`, security.readOnlyRootFilesystem, true);
  expect(`${where}: seccomp`, security.seccompProfile.type, "RuntimeDefault");
  expect(`${where}: capabilities that go`, security.capabilities.drop, ["ALL"]);
  expect(`${where}: capabilities that stay`, [...security.capabilities.add].sort(), CAPABILITIES);
  expect(`${where}: a limit of memory`, typeof container.resources.limits.memory, "string");
  expect(`${where}: no limit of CPU`, container.resources.limits.cpu, undefined);
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    expect(`${where}: ${probe} works with mutual TLS`, container[probe].exec.command.slice(0, 2), ["vufctl", "health"]);
  }
  expect(`${where}: alive is not ready`, container.livenessProbe.exec.command.includes("--live"), true);
  for (const mount of container.volumeMounts) {
    expect(`${where}: ${mount.name} follows the kubelet's swap`, mount.subPath, undefined);
  }
}

function checkDaemonSet(where, daemonSet) {
  const pod = daemonSet.spec.template.spec;
  expect(`${where}: containers`, pod.containers.map((container) => container.name), ["vufd"]);
  const container = pod.containers[0];
  checkContainer(where, container);
  expect(`${where}: selector`, daemonSet.spec.selector.matchLabels, {
    "app.kubernetes.io/name": daemonSet.spec.template.metadata.labels["app.kubernetes.io/name"],
  });
  expect(`${where}: one node at a time`, daemonSet.spec.updateStrategy, {
    rollingUpdate: { maxUnavailable: 1 },
    type: "RollingUpdate",
  });
  expect(`${where}: priority`, pod.priorityClassName, "system-node-critical");
  expect(`${where}: no token`, pod.automountServiceAccountToken, false);
  const hostPaths = pod.volumes.filter((volume) => volume.hostPath).map((volume) => volume.hostPath.path);
  expect(`${where}: host paths`, hostPaths, HOST_PATHS);
  // A monitor's path is what QEMU says it is.
  for (const volume of pod.volumes.filter((one) => one.hostPath)) {
    const mount = container.volumeMounts.find((one) => one.name === volume.name);
    const wanted = volume.name === "control-groups" ? `/host${volume.hostPath.path}` : volume.hostPath.path;
    expect(`${where}: ${volume.name} is mounted where it is wanted`, mount.mountPath, wanted);
  }
  const wait = Number(container.lifecycle.preStop.exec.command.at(-1).match(/^--timeout=(\d+)s$/)[1]);
  expect(`${where}: preStop and vufd's own stop have time`, pod.terminationGracePeriodSeconds >= wait + 90, true);
}

// Every file that the configuration names is in a volume that the pod has, and each volume's ConfigMap is there.
function checkConfigMap(where, map, objects) {
  const text = map.data["vufd.textproto"];
  if (text === undefined) return;
  const pod = objects.find((object) => object.kind === "DaemonSet").spec.template.spec;
  for (const [, file] of text.matchAll(/^\s*\w+_file: "(.*)"$/gm)) {
    const mount = pod.containers[0].volumeMounts.find((one) => file.startsWith(`${one.mountPath}/`));
    expect(`${where}: ${file} is mounted`, mount !== undefined, true);
    const source = pod.volumes.find((volume) => volume.name === mount?.name)?.configMap;
    if (source === undefined) continue;
    const found = objects.find((object) => object.kind === "ConfigMap" && object.metadata.name === source.name);
    expect(`${where}: ${file} is in its ConfigMap`, found?.data[file.split("/").at(-1)] !== undefined, true);
  }
}

function checkPodMonitor(where, monitor, objects) {
  const pod = objects.find((object) => object.kind === "DaemonSet").spec.template;
  const ports = pod.spec.containers[0].ports.map((port) => port.name);
  for (const endpoint of monitor.spec.podMetricsEndpoints) {
    expect(`${where}: a port of the pod`, ports.includes(endpoint.port), true);
    expect(`${where}: TLS`, [endpoint.scheme, endpoint.tlsConfig.insecureSkipVerify ?? false], ["https", false]);
  }
  expect(`${where}: finds the pods`, monitor.spec.selector.matchLabels, pod.metadata.labels);
}

for (const file of process.argv.slice(2)) {
  const objects = parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS({ maxAliasCount: 0 }));
  const lines = [];
  for (const [index, object] of objects.entries()) {
    const where = `${file.split("/").at(-1)}: ${object.kind} ${object.metadata.name}`;
    expect(`${where}: kind`, object.kind in TYPES, true);
    if (object.kind === "DaemonSet") checkDaemonSet(where, object);
    if (object.kind === "PodMonitor") checkPodMonitor(where, object, objects);
    if (object.kind === "ConfigMap") checkConfigMap(where, object, objects);
    lines.push(`import type { I${object.kind} as T${index} } from "${TYPES[object.kind]}";`);
    lines.push(`export const o${index}: T${index} = ${JSON.stringify(object, null, 1)};`);
  }
  expect(`${file}: objects`, objects.length > 0, true);
  writeFileSync(file.replace(/\.yaml$/, ".ts"), lines.join("\n"));
}
process.exit(failed ? 1 : 0);
