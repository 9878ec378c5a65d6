"""The search for optional modules ends early only where there are none.

Proves that modules are found or not as before. Does not prove the time it saves.
"""

from __future__ import annotations

import subprocess
import sys

_SETTLED = "from collector.model import pyarrow_imports as a; a._SOUGHT = ({name!r},); a.settle(); a.settle(); "


def run(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_an_absent_module_stays_one_that_is_not_found():
    script = _SETTLED.format(name="nobody_has_this")
    script += "\ntry:\n import nobody_has_this\nexcept ModuleNotFoundError as error: print(error)"
    assert run(script) == "No module named 'nobody_has_this'"


def test_a_module_that_is_there_is_found(tmp_path):
    (tmp_path / "somebody_has_this.py").write_text("here = True")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); " + _SETTLED.format(name="somebody_has_this")
    assert run(script + "import somebody_has_this as s; print(s.here)") == "True"
