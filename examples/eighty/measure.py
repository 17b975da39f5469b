#!/usr/bin/env python3
"""Times check, render, diff and explain on 80 and on 1,000 services: measure.py GRAYLANE. Exit 1 if one takes over a second.

Seconds of the processor, which others on the machine do not change; alone on it a command takes no longer.
"""

import pathlib
import resource
import subprocess
import sys
import tempfile

LIMIT = 1.0
GENERATE = pathlib.Path(__file__).with_name("generate.py")
IMAGE = ["--image", "registry.example/graylane@sha256:" + "0" * 64]
WAY = ["--path", "gateway,cards-api,payments-search", "-H", "x-user-id: alice"]


def best(command: list[str], codes: tuple[int, ...]) -> tuple[float, bytes]:
    """Of three runs the fastest."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if done.returncode not in codes:
            sys.exit(f"{command}: exit {done.returncode}\n{done.stderr.decode()}")
    return min(times), done.stdout


def main() -> None:
    graylane, slow = sys.argv[1], False
    print(f"{'services':>8} {'lines':>6} {'of YAML':>8}  check  render    diff explain")
    for count in (80, 1000):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, GENERATE, str(count), f"{folder}/teams"], check=True)
            lines = sum(len(file.read_text().splitlines()) for file in pathlib.Path(folder, "teams").iterdir())
            files = ["-f", f"{folder}/teams"]
            check, _ = best([graylane, "check", *files], (0,))
            render, yaml = best([graylane, "render", *files, *IMAGE], (0,))
            pathlib.Path(folder, "all.yaml").write_bytes(yaml)
            diff, _ = best([graylane, "diff", *files, *IMAGE, "--against", f"{folder}/all.yaml"], (0,))
            explain, _ = best([graylane, "explain", *files, *WAY], (0,))
        times = [check, render, diff, explain]
        slow |= max(times) > LIMIT
        print(f"{count:8} {lines:6} {yaml.count(10):8} " + " ".join(f"{seconds:5.2f} s" for seconds in times))
    sys.exit(1 if slow else 0)


main()
