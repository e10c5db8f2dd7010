# Sourced by the tools: buf, buildifier and what checks dashboards and manifests, pinned in tools/lib/package.json, below .lint/.
# shellcheck shell=bash disable=SC2034

NODE_BIN=$PWD/.lint/node_modules/.bin

install_node_tools() {
  cmp -s tools/lib/package.json .lint/package.json && [[ -x $NODE_BIN/buf ]] && return 0
  echo "Installing from npm: buf, buildifier, typescript, types of Grafana and Kubernetes (below .lint/)"
  mkdir -p .lint
  cp tools/lib/package.json .lint/package.json
  # Node has a list of authorities of its own; a machine behind a proxy has more in the system's.
  (cd .lint && NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt npm install --silent --no-audit --no-fund --no-package-lock) || {
    rm -f .lint/package.json
    die "npm could not install what tools/lib/package.json names"
  }
}
