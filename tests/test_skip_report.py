"""What a run says at its end about what it skipped.

Proves that skips are counted by reason, and that each is told with what makes it run. Does not prove that this makes it
run.
"""

from types import SimpleNamespace

from tests import skip_report


def skipped(reason):
    return SimpleNamespace(longrepr=("tests/test_x.py", 3, f"Skipped: {reason}"))


def test_skips_are_grouped_by_reason_and_say_what_to_do():
    reports = [
        *[skipped("helm is not on PATH; .ci/install-tools installs it")] * 3,
        skipped("could not import 'torch': No module named 'torch'"),
        *[skipped("somebody's own reason")] * 2,
        SimpleNamespace(longrepr="no tuple"),
    ]
    assert list(skip_report.lines(skip_report.reasons(reports))) == [
        f"3 tests: helm is not on PATH; .ci/install-tools installs it; to run them: {skip_report.TOOLS}",
        "2 tests: somebody's own reason",
        "1 test: could not import 'torch': No module named 'torch'; to run it: pip install what brings torch",
        "1 test: no tuple",
    ]
