"""No garbage is looked for while modules are loaded."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from tunnelui.cli.loading import loading


def test_garbage_is_collected_again_after_the_block_even_after_a_failure() -> None:
    with pytest.raises(KeyError), loading():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.unfreeze()


def test_who_had_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def test_ctrl_c_ends_the_program_silently_before_the_rest_is_loaded() -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whatever this run has inherited
        "before = set(sys.modules)\n"
        "import tunnelui.cli.entry\n"
        "print(*sorted(set(sys.modules) - before))\n"
        "print(signal.getsignal(signal.SIGINT) == signal.SIG_DFL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded, is_default = done.stdout.splitlines()
    assert {name.partition(".")[0] for name in loaded.split()} <= {"tunnelui", "__future__"}
    assert is_default == "True"
    # A shell that starts it in the background has the signal ignored, and that stays.
    ignored = code.replace("import tunnelui", "signal.signal(signal.SIGINT, signal.SIG_IGN)\nimport tunnelui")
    done = subprocess.run([sys.executable, "-c", ignored], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[1] == "False"


def test_the_program_collects_garbage_once_it_is_loaded() -> None:
    code = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 1000))\n"
        "from tunnelui.cli.main import main\n"
        "main(['completion', 'fish'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == "True True"
