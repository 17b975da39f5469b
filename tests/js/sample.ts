// What somebody writes who uses the package: compiled only, by tsc in its strictest mode.
import { type Finding, type GraylaneError, type Hop, type Layer, Mesh, bucket, check, open, subset, unit, version } from "@graylane/core";

const files: Layer[] = [{ name: "graylane.yaml", text: "" }, [{ name: "team/a.yaml", text: "" }]];
const worst: Finding["severity"] | undefined = check(files, { variables: { SHARE: "25" } })[0]?.severity;

export function side(mesh: Mesh, user: string | Uint8Array, service: string): string | null {
  return mesh.user(user).sides.find((side) => side.service === service && side.route === null)?.subset ?? null;
}

export function lane(): string[] {
  try {
    using mesh = open(files);
    const name = (hop: Hop): string => `${hop.service} ${hop.subset ?? "-"} ${hop.rejected?.status ?? hop.rule?.line ?? ""}`;
    const { hops, notes } = mesh.explain({
      path: ["gateway", "web"],
      headers: [["x-user-id", "alice"]],
      claims: { role: ["employee"] },
      drops: { web: "everything" },
    });
    const { movedBack } = mesh.simulate({ service: "web", to: { canary: { percent: 50, from: "top" } }, users: ["alice"] });
    const resources = mesh.render({ image: "registry.example/graylane@sha256:0", only: ["VirtualService"] });
    return [...hops.map(name), ...notes, String(movedBack), ...resources.map(({ yaml }) => yaml)];
  } catch (error) {
    return ((error as GraylaneError).findings ?? []).map(({ message, help }) => `${message}: ${help ?? ""}`);
  }
}

export const all: [string, number, string, string] = [
  worst ?? version(),
  bucket(unit("alice", "salt"), "salt"),
  unit(new Uint8Array([1, 2]), ""),
  subset(9999, "stable", { canary: 25, cheap: { percent: 0.01, from: "top" } }),
];
