#!/usr/bin/env python3
"""Takes out of Istio's and Prometheus Operator's CRDs, and Kubernetes' own API, the schemas that graylane checks against, one file a kind.

    pip install pyyaml
    python3 extract.py "$(go mod download -json istio.io/istio@VERSION | jq -r .Dir)/manifests/charts/base/files/crd-all.gen.yaml"
    operator=$(go mod download -json github.com/prometheus-operator/prometheus-operator@VERSION | jq -r .Dir)
    python3 extract.py "$operator"/example/prometheus-operator-crd/monitoring.coreos.com_{prometheusrules,alertmanagerconfigs}.yaml
    gateway=$(go mod download -json sigs.k8s.io/gateway-api@VERSION | jq -r .Dir)
    python3 extract.py "$gateway"/config/crd/experimental/gateway.networking.k8s.io_{httproutes,referencegrants}.yaml
    kubernetes=$(go mod download -json k8s.io/kubernetes@VERSION | jq -r .Dir)
    python3 extract.py "$kubernetes"/api/openapi-spec/v3/apis__admissionregistration.k8s.io__v1_openapi.json
    python3 extract.py "$kubernetes"/api/openapi-spec/v3/api__v1_openapi.json

Descriptions are left out: they are half the size, and nobody reads them here.
"""
import json
import sys

import yaml

KINDS = {
    "VirtualService": "v1",
    "DestinationRule": "v1",
    "WasmPlugin": "v1alpha1",
    "TrafficExtension": "v1alpha1",
    "Telemetry": "v1",
    "RequestAuthentication": "v1",
    "EnvoyFilter": "v1alpha3",
    "PrometheusRule": "v1",
    "AlertmanagerConfig": "v1alpha1",
    "HTTPRoute": "v1",
    "ReferenceGrant": "v1beta1",
}

# Of the many kinds of receivers only those are kept that are rendered: the rest is nine tenths of the schema.
RECEIVERS = {"name", "slackConfigs", "pagerdutyConfigs"}

# One enumeration of AlertmanagerConfig has a bare `=`, which YAML 1.1 takes for something special.
yaml.SafeLoader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def without_descriptions(node):
    if isinstance(node, dict):
        # A property may itself be called `description`; that one has a schema, not a text.
        return {k: without_descriptions(v) for k, v in node.items() if not (k == "description" and isinstance(v, str))}
    if isinstance(node, list):
        return [without_descriptions(v) for v in node]
    return node


# Of Kubernetes' own API; what each kind's spec is.
OWN = {
    "ValidatingAdmissionPolicy": "admissionregistration",
    "ValidatingAdmissionPolicyBinding": "admissionregistration",
    "Service": "core",
}


def resolved(node, schemas):
    if isinstance(node, dict):
        if "$ref" in node:
            return resolved(schemas[node["$ref"].rsplit("/", 1)[1]], schemas)
        if len(node.get("allOf", [])) == 1:
            return resolved(node["allOf"][0], schemas)
        return {k: resolved(v, schemas) for k, v in node.items() if k != "default" and not k.startswith("x-")}
    if isinstance(node, list):
        return [resolved(v, schemas) for v in node]
    return node


def own(path: str) -> None:
    with open(path) as f:
        schemas = json.load(f)["components"]["schemas"]
    for kind, group in OWN.items():
        if f"io.k8s.api.{group}.v1.{kind}Spec" not in schemas:
            continue
        spec = resolved(schemas[f"io.k8s.api.{group}.v1.{kind}Spec"], schemas)
        schema = {"type": "object", "required": ["spec"], "properties": {"spec": without_descriptions(spec)}}
        with open(f"{kind}.json", "w") as out:
            json.dump(schema, out, indent=1, sort_keys=True)
            out.write("\n")


def main() -> None:
    for path in sys.argv[1:]:
        if path.endswith(".json"):
            own(path)
            continue
        with open(path) as f:
            crds = list(yaml.safe_load_all(f))
        for crd in crds:
            if not crd or crd["spec"]["names"]["kind"] not in KINDS:
                continue
            kind = crd["spec"]["names"]["kind"]
            version = next(v for v in crd["spec"]["versions"] if v["name"] == KINDS[kind])
            schema = without_descriptions(version["schema"]["openAPIV3Schema"])
            if kind == "AlertmanagerConfig":
                receiver = schema["properties"]["spec"]["properties"]["receivers"]["items"]["properties"]
                for other in receiver.keys() - RECEIVERS:
                    del receiver[other]
            with open(f"{kind}.json", "w") as out:
                json.dump(schema, out, indent=1, sort_keys=True)
                out.write("\n")


if __name__ == "__main__":
    main()
