"""README's snippets are the files under tests/examples, letter for letter, and its shell commands run.

usage: readme_test.py SOURCE_DIR [ZCMOE]; --write puts the files into README instead.
"""
import gzip
import importlib.util
import os
import re
import subprocess
import sys
import tempfile

SNIPPET = re.compile(r"<!-- (tests/examples/\S+) -->\n```(\w+)\n(.*?)```\n", re.S)


def main():
    write = "--write" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--write"]
    source = os.path.abspath(arguments[0])
    readme = os.path.join(source, "README.md")
    text = open(readme, encoding="utf-8").read()

    def replaced(match):
        body = open(os.path.join(source, match[1]), encoding="utf-8").read()
        return f"<!-- {match[1]} -->\n```{match[2]}\n{body}```\n"

    fresh = SNIPPET.sub(replaced, text)
    if write:
        open(readme, "w", encoding="utf-8").write(fresh)
        return
    snippets = SNIPPET.findall(text)
    assert len(snippets) >= 4, "README lost its snippets"
    for path, _, body in snippets:
        expected = open(os.path.join(source, path), encoding="utf-8").read()
        assert body == expected, f"README differs from {path}; run tests/docs/readme_test.py . --write"
    if len(arguments) < 2:
        return

    path = os.path.dirname(os.path.abspath(arguments[1])) + os.pathsep + os.environ["PATH"]

    def run_in(folder, *command):
        run = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, text=True, capture_output=True,
                             check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def script(name):
        return open(os.path.join(source, "tests/examples", name), encoding="utf-8").read()

    # The shell scripts, from a copy of the working folder's layout.
    def said_by(name):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.join(source, "examples"), os.path.join(folder, "examples"))
            said = run_in(folder, "sh", "-ec", script(name))
            return said, sorted(os.listdir(folder))

    def answers_of(name):
        return [float(line.split(",")[-1]) for line in said_by(name)[0].strip().splitlines()[-2:]]

    # What scripts/demo runs, on every 80th flight: what inspect says, and {model: (R², ns a row)} of the last table.
    def demo():
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "examples", "data"))
            table = os.path.join("examples", "data", "delays.csv.gz")
            with gzip.open(os.path.join(source, table), "rt") as whole, \
                    gzip.open(os.path.join(folder, table), "wt") as part:
                part.writelines(row for number, row in enumerate(whole) if number % 80 == 0)
            said = run_in(folder, "sh", "-ec", script("delays.sh"))
            rows = [line.split("|") for line in
                    run_in(folder, sys.executable, os.path.join(source, "bench/peers/delays.py")).splitlines()
                    if line.startswith("|")]
        return said, {row[1].strip(): (float(row[2]), float(row[3].replace(",", ""))) for row in rows[2:]}

    answers = answers_of("quickstart.sh")
    assert 60 < answers[0] < 90 and 240 < answers[1] < 300, answers  # minutes for 500 and 2000 miles
    answers = answers_of("compile.sh")
    assert abs(answers[0] - 0.36753) < 4e-4 and abs(answers[1] + 0.21812) < 4e-4, answers  # a rms of 1e-4, not a maximum
    inspected, found = demo()
    explained = re.search(r"explained +([\d.]+) %", inspected)
    assert explained and abs(float(explained[1]) / 100 - found["zcmoe"][0]) < 1e-3, (inspected, found)
    assert 0.82 < found["zcmoe"][0] < 0.9 and found["zcmoe --budget-ns 20"][0] > 0.8, found
    assert all(0 < ns < 1e6 for _, ns in found.values()), found
    if importlib.util.find_spec("numpy"):
        assert 0.79 < found["straight line (numpy)"][0] < found["zcmoe"][0], found
    planned, _ = said_by("plan.sh")
    assert "recommended       --segmentation" in planned and "expected error" in planned, planned
    if importlib.util.find_spec("matplotlib"):
        os.environ["ZCMOE_PYTHON"] = sys.executable
        assert "flights.png" in said_by("plot.sh")[1]


main()
