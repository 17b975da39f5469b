#!/usr/bin/env bash
# tests/kind/run.sh: examples/bank in a kind cluster: Istio installed, the filter pushed to a registry beside it, what
# `graylane render` writes applied, and requests through the ingress gateway. It pulls container images, so it cannot run
# everywhere; `make e2e-istio` shows the same and more without them. The requests are in requests.tsv, which that runs too.
#
# Needs docker, kind, kubectl, istioctl, curl and graylane. The cluster and the registry are deleted at the end, unless KEEP=1.
set -euo pipefail
cd "$(dirname "$0")"

kind=0.30.0
kind_node=kindest/node:v1.34.0
istio=1.31.0
registry_image=registry:3.0.0
app=registry.k8s.io/e2e-test-images/agnhost:2.53
name=graylane-e2e
port=5001
file=../../examples/bank

for program in docker kind kubectl istioctl curl graylane; do
  command -v "$program" >/dev/null || { echo "kind/run.sh: there is no $program" >&2; exit 2; }
done
is_version() { "${@:2}" 2>/dev/null | grep -qF "$1" || { echo "kind/run.sh: $2 $1 is needed" >&2; exit 2; }; }
is_version "$istio" istioctl version --remote=false
is_version "$kind" kind version

forward=
# shellcheck disable=SC2317 # by the trap
clean() {
  [ -z "$forward" ] || kill "$forward" 2>/dev/null || true
  [ "${KEEP:-}" = 1 ] && return
  kind delete cluster --name "$name" >/dev/null 2>&1 || true
  docker rm --force "$name-registry" >/dev/null 2>&1 || true
}
trap clean EXIT

docker run --detach --name "$name-registry" --publish "127.0.0.1:$port:5000" "$registry_image" >/dev/null
kind create cluster --name "$name" --image "$kind_node" --wait 120s
docker network connect kind "$name-registry"
# The registry has no TLS; only the agents in the proxies ask it.
istioctl install --skip-confirmation --set profile=default \
  --set "meshConfig.defaultConfig.proxyMetadata.WASM_INSECURE_REGISTRIES=$name-registry:5000"

# The same bytes under two names: the address outside of the cluster, and the one inside.
pinned=$(graylane push "127.0.0.1:$port/mesh/graylane" --insecure)
image=$name-registry:5000/mesh/graylane@${pinned##*@}

kubectl create namespace bank
kubectl label namespace bank istio-injection=enabled
sed "s|IMAGE|$app|" apps.yaml | kubectl apply -f -
graylane render -f "$file" --image "$image" | kubectl apply -f -
kubectl wait --namespace bank --for=condition=Ready pod --all --timeout=180s
istioctl analyze --namespace bank

kubectl port-forward --namespace istio-system service/istio-ingressgateway 8080:80 >/dev/null &
forward=$!
answer() {
  local arguments=()
  [ "$1" = - ] || arguments+=(--header "tenant: $1")
  curl --silent --fail --max-time 5 --header "host: bank.example.com" --header "x-user-id: $2" \
    "${arguments[@]}" http://127.0.0.1:8080/hostname
}
for _ in $(seq 60); do
  answer - alice >/dev/null && break
  sleep 1
done

failed=0
while read -r tenant user want; do
  [[ "$tenant" = \#* ]] && continue
  got=$(answer "$tenant" "$user" || echo "no answer")
  [[ "$got" = "$want"* ]] || { echo "tenant $tenant, user $user: want $want, got $got" >&2; failed=1; }
done <requests.tsv
[ "$failed" = 0 ] && echo "all requests are answered as graylane's core says"
exit "$failed"
