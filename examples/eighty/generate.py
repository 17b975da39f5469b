#!/usr/bin/env python3
"""Writes a folder of graylane files, one per team: generate.py SERVICES FOLDER. The same number gives the same bytes."""

import pathlib
import sys

TEAMS = ["cards", "fraud", "ledger", "loans", "notify", "onboarding", "payments", "savings"]
PARTS = ["api", "batch", "events", "history", "limits", "profile", "reports", "rules", "search", "web"]

MESH = """# What all teams share: the platform team's file.
version: 1
mesh: {name: bank, namespace: bank}
tenants:
  green: {default: true}
  gray-v1: {}
  partner-acme: {}
edge:
  gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}
sticky:
  keys: [{header: x-user-id}]
"""


def service(number: int) -> tuple[str, str, str]:
    """Team, name and text of a service: of ten, seven have one version, two try another, one rolls it out."""
    team, part = TEAMS[number // len(PARTS) % len(TEAMS)], PARTS[number % len(PARTS)]
    era = number // (len(TEAMS) * len(PARTS))
    name = f"{team}-{part}" + (f"-{era}" if era else "")
    one = "subsets: {stable: {version: v1}}"
    two = "subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, pins: {gray-v1: canary}"
    if part == "api":
        text = (
            f"  {name}:\n    port: 8080\n    expose: {{hosts: [{name}.bank.example]}}\n"
            "    subsets: {stable: {version: v1}, canary: {version: v2}}\n    baseline: stable\n"
            f"    pins: {{gray-v1: canary}}\n    rollout: {{weights: {{canary: {1 + number % 25}}}, salt: release-42}}\n"
        )
    elif part in ("limits", "search"):
        text = f"  {name}: {{port: 8080, {two}}}\n"
    elif part == "batch":
        text = f"  {name}: {{port: 8080, {one}, http: {{timeout: 30s}}}}\n"
    else:
        text = f"  {name}: {{port: 8080, {one}}}\n"
    return team, name, text


def main() -> None:
    count, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    teams: dict[str, str] = {}
    for number in range(count):
        team, _, text = service(number)
        teams[team] = teams.get(team, "services:\n") + text
    (folder / "mesh.yaml").write_text(MESH)
    for team, text in teams.items():
        (folder / f"team-{team}.yaml").write_text(text)


main()
