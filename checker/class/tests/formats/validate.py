"""Holds the files in the folder named first against the rules of others: schemas, JUnit's readers and its XSD,
and what gradescope-utils writes itself. The second argument is the folder with the schemas, the third junit-10.xsd."""

import io
import json
import pathlib
import subprocess
import sys
import unittest

import junitparser
import xmlschema
from gradescope_utils.autograder_utils.decorators import weight
from gradescope_utils.autograder_utils.json_test_runner import JSONTestRunner

made, rules, xsd = (pathlib.Path(argument) for argument in sys.argv[1:4])

for name in ["gradescope", "classroom50", "prairielearn", "exercism"]:
    schema = rules / f"{name}.schema.json"
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", schema, made / f"{name}.json"]
    subprocess.run(command, check=True)

xmlschema.validate(made / "junit.xml", xsd)
report = junitparser.JUnitXml.fromfile(made / "junit.xml")
cases = [case for suite in report for case in suite]
of = lambda kind: sum(1 for case in cases if any(isinstance(result, kind) for result in case.result))
counts = {
    "passed": sum(1 for case in cases if case.is_passed),
    "failed": of(junitparser.Failure),
    "blocked": of(junitparser.Skipped),
    "unknown": of(junitparser.Error),
}
expected = json.loads((made / "expected.json").read_text())
assert counts == expected, (counts, expected)


class Reference(unittest.TestCase):
    @weight(2)
    def test_right(self):
        """right"""

    @weight(3)
    def test_wrong(self):
        """wrong"""
        self.fail("wrong")


stream = io.StringIO()
JSONTestRunner(stream=stream).run(unittest.defaultTestLoader.loadTestsFromTestCase(Reference))
theirs, ours = json.loads(stream.getvalue()), json.loads((made / "gradescope.json").read_text())
for key in ["score", "tests"]:
    assert isinstance(ours[key], type(theirs[key])) or isinstance(ours[key], (int, float)), key
for test in theirs["tests"]:
    mine = ours["tests"][0]
    for key in ["name", "score", "max_score", "status"]:
        assert key in mine, (key, mine)
    assert test["status"] in {one["status"] for one in ours["tests"]}
assert ours["score"] == sum(test["score"] for test in ours["tests"])
print("valid")
