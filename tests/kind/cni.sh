# shellcheck shell=bash
# In a node: what kindnetd would do, whose image is on no package registry. Pods of this node get addresses of its range.
#
# Not before kube-proxy's rules are there: a first packet to a service that goes out as it is leaves an entry in conntrack,
# which holds that connection up for 30 s.
set -euo pipefail
range=$1
for _ in $(seq 600); do
  if iptables-save -t nat | grep -q default/kubernetes:https; then break; fi
  sleep 0.2
done
iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
cat >/etc/cni/net.d/10-kindnet.conflist <<J
{"cniVersion": "0.3.1", "name": "kindnet", "plugins": [
  {"type": "ptp", "ipMasq": false, "mtu": 1500,
   "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam-state", "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": "$range"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
J
