#!/usr/bin/env python3
"""Takes out of Istio's CRDs the schemas that graylane checks against, one file a kind.

    pip install pyyaml
    python3 extract.py "$(go mod download -json istio.io/istio@VERSION | jq -r .Dir)/manifests/charts/base/files/crd-all.gen.yaml"

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
}


def without_descriptions(node):
    if isinstance(node, dict):
        # A property may itself be called `description`; that one has a schema, not a text.
        return {k: without_descriptions(v) for k, v in node.items() if not (k == "description" and isinstance(v, str))}
    if isinstance(node, list):
        return [without_descriptions(v) for v in node]
    return node


def main() -> None:
    with open(sys.argv[1]) as f:
        for crd in yaml.safe_load_all(f):
            if not crd or crd["spec"]["names"]["kind"] not in KINDS:
                continue
            kind = crd["spec"]["names"]["kind"]
            version = next(v for v in crd["spec"]["versions"] if v["name"] == KINDS[kind])
            schema = without_descriptions(version["schema"]["openAPIV3Schema"])
            with open(f"{kind}.json", "w") as out:
                json.dump(schema, out, indent=1, sort_keys=True)
                out.write("\n")


if __name__ == "__main__":
    main()
