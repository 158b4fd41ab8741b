from __future__ import annotations

import subprocess
import sys
import threading
import time

import anyio
import pytest

from tunnelui.auth.blocking import BlockingCalls


async def test_a_call_returns_its_value_from_another_thread() -> None:
    name, thread = await BlockingCalls("test").run(
        lambda: (threading.current_thread().name, threading.current_thread()), timeout=5
    )
    assert name == "tunnelui test"
    assert thread is not threading.main_thread()
    assert thread.daemon


async def test_a_call_raises_what_it_raises() -> None:
    def fail() -> None:
        raise ZeroDivisionError("x")

    with pytest.raises(ZeroDivisionError, match="x"):
        await BlockingCalls("test").run(fail, timeout=5)


async def test_a_hanging_call_is_left_and_no_other_is_piled_on_it() -> None:
    release = threading.Event()
    calls = BlockingCalls("test")
    started: list[str] = []

    def hang() -> None:
        started.append("hang")
        release.wait(60)

    try:
        with pytest.raises(TimeoutError):
            await calls.run(hang, timeout=0.1)
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            await calls.run(lambda: started.append("second"), timeout=40)
        assert time.monotonic() - before < 20
        assert started == ["hang"]
    finally:
        release.set()
    with anyio.fail_after(60):
        while calls._ended is not None and not calls._ended.is_set():
            await anyio.sleep(0.01)
    assert await calls.run(lambda: 7, timeout=5) == 7


async def test_calls_go_one_after_the_other() -> None:
    calls = BlockingCalls("test")
    running = 0
    most = 0

    def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.01)
        running -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(lambda: calls.run(work, timeout=5))
    assert most == 1


async def test_a_cancelled_caller_leaves_the_call_to_end_before_the_next() -> None:
    calls = BlockingCalls("test")
    order: list[str] = []

    def slow() -> None:
        time.sleep(0.2)
        order.append("slow")

    with anyio.move_on_after(0.05):
        await calls.run(slow, timeout=5)
    await calls.run(lambda: order.append("next"), timeout=5)
    assert order == ["slow", "next"]


def test_a_hanging_call_does_not_keep_the_process_from_exiting() -> None:
    program = (
        "import anyio, time\n"
        "from tunnelui.auth.blocking import BlockingCalls\n"
        "async def main():\n"
        "    try:\n"
        "        await BlockingCalls('x').run(lambda: time.sleep(60), timeout=0.1)\n"
        "    except TimeoutError:\n"
        "        print('timeout', flush=True)\n"
        "anyio.run(main)\n"
    )
    before = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "timeout\n", "")
    assert time.monotonic() - before < 15


def test_a_call_that_ends_after_the_event_loop_is_ignored() -> None:
    ended = threading.Event()

    def late() -> None:
        time.sleep(0.2)
        ended.set()

    async def main() -> None:
        with anyio.move_on_after(0.05):
            await BlockingCalls("test").run(late, timeout=5)

    anyio.run(main)
    assert ended.wait(5)
    for thread in threading.enumerate():
        if thread.name == "tunnelui test":
            thread.join(5)
