"""README's snippets are the files under tests/examples, letter for letter, and its shell commands run.

usage: readme_test.py SOURCE_DIR [ZCMOE]; --write puts the files into README instead.
"""
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

    # The shell scripts, from a copy of the working folder's layout.
    def said_by(script):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.join(source, "examples"), os.path.join(folder, "examples"))
            body = open(os.path.join(source, "tests/examples", script), encoding="utf-8").read()
            path = os.path.dirname(os.path.abspath(arguments[1])) + os.pathsep + os.environ["PATH"]
            run = subprocess.run(["sh", "-ec", body], cwd=folder, env={**os.environ, "PATH": path}, text=True,
                                 capture_output=True, check=False)
            assert run.returncode == 0, run.stderr
            left = sorted(os.listdir(folder))
            return run.stdout, left

    def answers_of(script):
        return [float(line.split(",")[-1]) for line in said_by(script)[0].strip().splitlines()[-2:]]

    answers = answers_of("quickstart.sh")
    assert 60 < answers[0] < 90 and 240 < answers[1] < 300, answers  # minutes for 500 and 2000 miles
    answers = answers_of("compile.sh")
    assert abs(answers[0] - 0.36753) < 4e-4 and abs(answers[1] + 0.21812) < 4e-4, answers  # a rms of 1e-4, not a maximum
    answers = answers_of("several_inputs.sh")
    assert abs(answers[0] - 32.77) < 0.6 and abs(answers[1] - 50.40) < 0.6, answers  # noise is uniform in [0, 1)
    planned, _ = said_by("plan.sh")
    assert "recommended       --segmentation" in planned and "expected error" in planned, planned
    if importlib.util.find_spec("matplotlib"):
        os.environ["ZCMOE_PYTHON"] = sys.executable
        assert "flights.png" in said_by("plot.sh")[1]


main()
