"""A session that is closed takes its job along, by the server's own look and not by another session's run."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tools.streamlit_client import Client

SLOW = 120  # seconds, on a machine that has much else to do


async def written(folder, ending, count=1):
    async with asyncio.timeout(SLOW):
        while len(found := list(folder.glob(f"*.{ending}"))) < count:
            await asyncio.sleep(0.05)
    return {path.stem for path in found}


def test_the_job_of_a_session_that_left_ends_and_the_next_ones_begins(serve, tmp_path):
    async def visits(address):
        async with Client(address) as stays:
            first = await written(tmp_path, "begun")
            async with Client(address) as other:
                assert await other.until(other.texts, SLOW) and set(other.texts()) != first
                assert len(list(tmp_path.glob("*.begun"))) == 1  # it waits for the one that runs
                assert not list(tmp_path.glob("*.ended"))
                await stays._socket.close()  # as closing the tab does; its page never runs again
                assert await written(tmp_path, "ended") == first
                assert first | set(other.texts()) == await written(tmp_path, "begun", 2)

    address = serve("tests/server/leaving.py", env={"LEAVING": str(tmp_path)})
    with ThreadPoolExecutor(1) as apart:  # a browser's test in this process may have left a loop running in this thread
        apart.submit(asyncio.run, visits(address)).result()
