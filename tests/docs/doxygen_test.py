"""The reference of the public headers: Doxygen has nothing to complain of in docs/Doxyfile's run, and the reference has
every header, function and enum value, which Doxygen by itself does not ask for. Both see what is missing in a copy.

usage: doxygen_test.py SOURCE_DIR; exits 77 (skipped) where Doxygen is not installed.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
HEADERS = SOURCE / "include/zcmoe"


def reference_of(headers):
    """Doxygen's exit status, what it says, and the names of what its reference describes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = (SOURCE / "docs/Doxyfile").read_text() + (
            f"\nINPUT = {headers}\nSTRIP_FROM_PATH = {headers}\nOUTPUT_DIRECTORY = {folder}\nGENERATE_XML = YES\n")
        done = subprocess.run(["doxygen", "-"], input=settings, cwd=SOURCE / "docs", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        names = set()
        for file in (pathlib.Path(folder) / "xml").glob("*.xml"):
            for element in ET.parse(file).iter():
                if element.tag not in ("compounddef", "memberdef", "enumvalue"):
                    continue
                texts = [element.find(f"{kind}description") for kind in ("brief", "detailed")]
                if any(text is not None and "".join(text.itertext()).strip() for text in texts):
                    names.add(element.findtext("compoundname") or element.findtext("name"))
        return done.returncode, done.stdout, names


def missing_in(names, headers):
    """Headers, functions of the C interface and enum values that the reference does not describe."""
    wanted = set()
    for header in headers.iterdir():
        text = header.read_text()
        wanted.add(header.name)
        wanted.update(re.findall(r"^ZCMOE_API [^;(]*\b(zcmoe_\w+)\(", text, re.M))
        wanted.update(re.findall(r"^ +(ZCMOE_\w+) = ", text, re.M))
    return sorted(wanted - names), len(wanted)


class DoxygenTest(unittest.TestCase):
    def test_the_headers(self):
        status, said, names = reference_of(HEADERS)
        self.assertEqual((status, said), (0, ""))
        missing, num_wanted = missing_in(names, HEADERS)
        self.assertEqual(missing, [])
        self.assertGreater(num_wanted, 120)

    def broken(self, header, old, new):
        """What is complained of, and missing, in a copy where the first match of `old` in a header has become `new`."""
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "zcmoe"
            shutil.copytree(HEADERS, copy)
            text, count = re.subn(old, new, (copy / header).read_text(), count=1, flags=re.M)
            self.assertEqual(count, 1, (header, old))
            (copy / header).write_text(text)
            status, said, names = reference_of(copy)
            return status, said, missing_in(names, copy)[0]

    def test_what_doxygen_finds(self):
        for header, old, new, complaint in [
            ("zcmoe.h", r"^/// @param\[in\]  model  .*\n", "", r"parameter 'model'"),
            ("theory.h", r"@param\[in\]  power ", "@param[in]  r ", r"argument 'r' of command @param is not found"),
            ("plan.h", r"  ///< V_m of .*", "", r"Member within \(variable\) of struct zcmoe_plan_level is not documented"),
            ("zcmoe.hpp", r"^ +/// @return the bytes of .*\n", "", r"serialize\(\) const .* is not documented"),
            ("compile.h", r"^/// All defaults\.\n", "", r"ZCMOE_COMPILE_OPTIONS_INIT .* is not documented"),
        ]:
            with self.subTest(header=header, old=old):
                status, said, _ = self.broken(header, old, new)
                self.assertEqual(status, 1)
                self.assertRegex(said, complaint)
                self.assertIn(f"/{header}:", said)

    def test_what_doxygen_overlooks(self):
        for header, old, missing in [("zcmoe.h", r" ///< IEEE binary16", ["ZCMOE_F16"]),
                                     ("model_view.hpp", r"^/// @file\n", ["model_view.hpp"])]:
            with self.subTest(header=header):
                self.assertEqual(self.broken(header, old, "")[2], missing)


if __name__ == "__main__":
    if shutil.which("doxygen") is None:
        print("doxygen is not installed")
        sys.exit(77)
    unittest.main()
