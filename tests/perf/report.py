#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs every program of build/perf, prints what each measured as a table, and writes
build/bench.json. A missed goal is a figure, not a failure; a program that fails is one.
"""

import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIELDS = {"value", "unit", "goal", "better"}


def verdict(figure):
    if figure["goal"] is None:
        return ""
    met = figure["value"] <= figure["goal"] if figure["better"] == "lower" else figure["value"] >= figure["goal"]
    return "met" if met else "MISSED"


def show(name, figure):
    goal = "" if figure["goal"] is None else ("<= " if figure["better"] == "lower" else ">= ") + f"{figure['goal']:g}"
    print(f"{name:46} {figure['value']:10.3f} {figure['unit']:6} {goal:9} {verdict(figure)}".rstrip(), flush=True)


def run(program, figures):
    """Adds the program's figures; false when it failed or said nothing."""
    before = len(figures)
    with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            figure = json.loads(line)
            name = figure.pop("name")
            figures[name] = {key: figure[key] for key in sorted(FIELDS)}
            show(name, figures[name])
    return process.returncode == 0 and len(figures) > before


def main():
    os.chdir(TOP)
    programs = sys.argv[1:] or sorted(f"build/perf/{name}" for name in os.listdir("build/perf"))
    figures, broken = {}, []
    print(f"{'':46} {'figure':>10} {'unit':6} {'goal':9}")
    for program in programs:
        if not run(program, figures):
            broken.append(program)
    with open("build/bench.json", "w", encoding="utf-8") as out:
        json.dump(figures, out, indent=1)
        out.write("\n")
    goals = [verdict(figure) for figure in figures.values()]
    print(f"{goals.count('met')} goals met, {goals.count('MISSED')} missed; build/bench.json")
    for program in broken:
        print(f"{program} did not run to its end", file=sys.stderr)
    sys.exit(1 if broken or not programs else 0)


main()
