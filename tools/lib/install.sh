# Sourced by the tools: installs Debian packages that are missing, and says which.
# shellcheck shell=bash disable=SC2034

# What builds vufd and its tests.
BUILD_PACKAGES=(
  bazel-bootstrap libabsl-dev libbenchmark-dev libgmock-dev libgrpc++-dev libprotobuf-dev
  libseccomp-dev libsqlite3-dev libssl-dev nlohmann-json3-dev pkg-config prometheus-cpp-dev
  protobuf-compiler protobuf-compiler-grpc python3 spin zlib1g-dev
)
# What analyses it. clang's sanitizer and fuzzer runtime is named after clang's version.
LINT_PACKAGES=(clang clang-format clang-tidy shellcheck npm)

# What makes a Debian package of it and checks that.
PACKAGE_PACKAGES=(binutils dpkg-dev help2man lintian mmdebstrap)

# What makes a container image and runs it. catatonit: podman's own init.
IMAGE_PACKAGES=(podman runc conmon catatonit netavark mmdebstrap)

# What brings up the end-to-end test bed.
# systemd for systemd-analyze: no service manager is started.
BED_PACKAGES=(python3 gcc libc6-dev strace zstd patchelf openssl iproute2 systemd)

# What looks at the status page.
BROWSER_PACKAGES=(chromium chromium-driver fonts-dejavu-core)

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

is_installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# install_missing PACKAGE...  (npm also counts as installed when another source brought it)
install_missing() {
  local missing=() package
  for package in "$@"; do
    [[ $package == npm ]] && command -v npm >/dev/null && continue
    is_installed "$package" || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  command -v apt-get >/dev/null || die "needs Debian 12 or 13 (no apt-get here)"
  echo "Installing from Debian: ${missing[*]}"
  as_root apt-get update -qq || die "apt-get update failed"
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install: ${missing[*]}"
}

# promtool is in prometheus' package in Debian 12, and in one of its own in 13.
install_prometheus() {
  install_missing prometheus
  command -v promtool >/dev/null || install_missing promtool
}

# Of Debian's clang, for example 14.
clang_version() { apt-cache depends clang | sed -n 's/^ *Depends: clang-\([0-9]*\)$/\1/p' | head -1; }

install_clang_runtime() { install_missing "libclang-rt-$(clang_version)-dev"; }

# For tools/tidy.
install_clang_headers() {
  local version
  version=$(clang_version)
  install_missing "libclang-$version-dev" "llvm-$version-dev"
}
