"""The simplest workflow that could do the work: one mail, wait for an update or a timer, one mail. Nothing else.

Written twice: with plain activities, and tuned (local activities, the sandbox passed through), as its own worker.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from email.message import EmailMessage

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import aiosmtplib

TASK_QUEUE = "skeleton"
LIMIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)


class Skeleton:
    """What both have in common."""

    def __init__(self) -> None:
        self.decided = False

    @workflow.update
    async def decide(self) -> str:
        """Count the answer."""
        self.decided = True
        return "Approved"


@workflow.defn(name="PlainSkeleton")
class PlainSkeleton(Skeleton):
    """With plain activities."""

    @workflow.run
    async def run(self, name: str) -> str:
        """Ask, wait, tell."""
        await workflow.execute_activity("send_mail", f"asked {name}", start_to_close_timeout=LIMIT)
        await workflow.wait_condition(lambda: self.decided, timeout=LONGEST_WAIT)
        await workflow.execute_activity("send_mail", f"told {name}", start_to_close_timeout=LIMIT)
        return "Approved"


@workflow.defn(name="TunedSkeleton")
class TunedSkeleton(Skeleton):
    """With local activities."""

    @workflow.run
    async def run(self, name: str) -> str:
        """Ask, wait, tell."""
        await workflow.execute_local_activity("send_mail", f"asked {name}", start_to_close_timeout=LIMIT)
        await workflow.wait_condition(lambda: self.decided, timeout=LONGEST_WAIT)
        await workflow.execute_local_activity("send_mail", f"told {name}", start_to_close_timeout=LIMIT)
        return "Approved"


class Mailer:
    """Sends bare mails over a few kept connections."""

    def __init__(self, port: int, connections: int) -> None:
        self.port = port
        self.free: asyncio.Queue[aiosmtplib.SMTP | None] = asyncio.Queue()
        for _ in range(connections):
            self.free.put_nowait(None)

    @activity.defn(name="send_mail")
    async def send(self, subject: str) -> None:
        """Send one mail."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "engine@example.test", "grace@example.test", subject
        mail.set_content("May alice connect to db-1 over SSH?")
        connection = await self.free.get()
        if connection is None:
            connection = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False)
            await connection.connect()
        await connection.send_message(mail)
        self.free.put_nowait(connection)


async def main(address: str, smtp_port: int) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await Client.connect(address)
    mailer = Mailer(smtp_port, connections=8)
    async with Worker(
        client, task_queue=TASK_QUEUE, workflows=[PlainSkeleton, TunedSkeleton], activities=[mailer.send]
    ):
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(os.environ["SMTP_PORT"])))
