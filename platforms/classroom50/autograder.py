#!/usr/bin/env python3
"""Classroom 50's autograder for this workbook: its runner starts it in the student's checkout and reads result.json.

WORKBOOK_GRADER names the workbook's own checkout, which the workflow put beside the student's.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

here = pathlib.Path.cwd()
workbook = pathlib.Path(os.environ["WORKBOOK_GRADER"])
with tempfile.TemporaryDirectory() as work:
    out = pathlib.Path(work) / "out"
    command = ["cargo", "checker", "class", here, "--out", out, "--jobs", "1", "--sandbox", "require"]
    command += ["--format", "classroom50", "--format", "github-summary", "--format", "github-annotations"]
    code = subprocess.run(command, cwd=workbook).returncode
    results = list(out.glob("submissions/*/classroom50.json"))
    # 3: something could not be judged. Classroom 50 knows passed and failed only, so that no result is better.
    if code != 0 or not results:
        print(f"::error::the grader wrote no result (exit code {code})", file=sys.stderr)
        sys.exit(1)
    shutil.copy(results[0], here / "result.json")
    print((results[0].parent / "github-annotations.txt").read_text(), end="")
    if "GITHUB_STEP_SUMMARY" in os.environ:
        with open(os.environ["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8") as summary:
            summary.write((results[0].parent / "github-summary.md").read_text())
