#!/bin/bash
# Sources the completion script that vufctl prints and asks it as bash would.
set -u
vufctl=$1
# shellcheck source=/dev/null
source <("$vufctl" completion bash) || exit 1

# What the script calls for names: a vufctl that knows two VMs and says how it was called.
asked=$TEST_TMPDIR/asked
cat >"$TEST_TMPDIR/vufctl" <<STUB
#!/bin/bash
echo "\$*" >"$asked"
case "\$*" in
  *"vms list --output=names") printf '%s\n' web-1 web-2 db ;;
  *"migrations list --output=names") printf '%s\n' m-1 ;;
  *"decisions list --output=names") printf '%s\n' d-1 ;;
esac
STUB
chmod +x "$TEST_TMPDIR/vufctl"

passed=0 failed=0
# expect LINE WORDS: completing LINE offers exactly WORDS.
expect() {
  COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=$' \t\n"'"'"'><=;|&(:'
  _vufctl "$TEST_TMPDIR/vufctl"
  if [[ "${COMPREPLY[*]}" == "$2" ]]; then
    ((++passed))
  else
    ((++failed))
    printf 'FAILED: "%s"\n  want: %s\n  got:  %s\n' "$1" "$2" "${COMPREPLY[*]}"
  fi
}

expect "vufctl v" "version vms"
expect "vufctl vms " "list get register remove discover"
expect "vufctl vms re" "register remove"
expect "vufctl evaluate we" "web-1 web-2"
expect "vufctl evaluate web-1 --mo" "--mode="
expect "vufctl evaluate web-1 --mode=stateful" "stateful"
expect "vufctl migrate --mode stateless d" "db"
expect "vufctl vms get " "web-1 web-2 db"
expect "vufctl cancel " "m-1"
expect "vufctl replay " "d-1"
expect "vufctl decisions show " "d-1"
expect "vufctl upgrade we" "web-1 web-2"
expect "vufctl upgrade web-1 --s" "--shared-ram --sequential --state-file= --server="
expect "vufctl migrations list --vm=d" "db"
expect "vufctl --output=j" "json"
expect "vufctl completion " "bash"
expect "vufctl evaluate web-1 " ""

expect "vufctl --server=unix:/run/x.sock vms get w" "web-1 web-2"
grep -q -- "^--server=unix:/run/x.sock " "$asked" || { echo "FAILED: --server is not passed on"; ((++failed)); }

echo "$passed passed, $failed failed"
((failed == 0))
