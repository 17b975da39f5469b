# shellcheck shell=bash
# shellcheck disable=SC2034 # for those who source it
# Sourced by what is in this folder: where things are, and how it speaks.

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
checkout=$(readlink -f "$here/../..")
# The cluster's name, and so that of its node's container.
name=graylane
# What is built lies in the cache of the user, by content; what runs, beside it.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/graylane/kind
state=$cache/run
kubeconfig=$state/kubeconfig
# What of the cluster is to be had on this machine, by loopback.
gateway_port=${GRAYLANE_GATEWAY_PORT:-8080} prometheus_port=${GRAYLANE_PROMETHEUS_PORT:-9090}
registry_port=${GRAYLANE_REGISTRY_PORT:-5001} api_port=${GRAYLANE_API_PORT:-6443}

# die MESSAGE...: one line, and the end. cannot: likewise, where this machine cannot do it at all.
die() { echo "kind: $*" >&2; exit 1; }
cannot() { echo "kind: $*" >&2; exit 3; }

# step NAME COMMAND...: says what takes its time, and then how long it took. What the command says is in a file, whose end
# is shown if it fails.
step() {
  local what=$1 begin=$SECONDS log=$state/log/${1// /-}.log status=0
  shift
  mkdir -p "$state/log"
  [ ! -t 2 ] || printf -- '-- %s …\r' "$what" >&2
  # Beside this shell, since what stands before `||` does not end at its first failure.
  (set -e; "$@") >"$log" 2>&1 &
  running=$!
  wait $running || status=$?
  running=
  if [ $status != 0 ]; then
    tail -n 25 "$log" >&2
    [ $status != 3 ] || exit 3
    die "$what: failed; its output is in $log"
  fi
  printf -- '-- %-44s %4d s\n' "$what" $((SECONDS - begin)) >&2
}
running=

# end_tree PROCESS: ends it and all that it started.
end_tree() {
  local child
  for child in $(pgrep -P "$1" 2>/dev/null); do end_tree "$child"; done
  kill "$1" 2>/dev/null || true
}

# content FILE...: what these files and folders have in them, in twelve letters.
content() { find "$@" -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -c 1-12; }

# free_port PORT WHAT VARIABLE: checks that nothing listens there, else prints one line.
free_port() {
  if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
    die "port $1 of 127.0.0.1 is in use; the $2 needs it: set $3 to another one"
  fi
}
