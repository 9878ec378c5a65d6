"""More load than can be worked on: refusals, a bounded budget, and everything that was taken is taken once.

Proves it for one overload that the test makes. Does not prove throughput.
"""

import asyncio
import random

import grpc
import grpc.aio
import httpx
import pytest

from collector.component.receiver import Received
from collector.model.batch import Signal

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
HEADERS = {"content-type": "application/x-protobuf"}
LIMIT = 4 << 20


class _Slow:
    """A consumer that gives way to others and watches the budget."""

    def __init__(self, running):
        self.running = running
        self.peak = 0
        self.taken = []

    async def consume(self, signal: Signal, body: bytes, _metadata: object = None) -> Received:
        self.peak = max(self.peak, self.running.budget.used)
        await asyncio.sleep(0.02)
        self.taken.append(bytes(body[:8]))
        return Received(1)


async def _post(client, address, body, answers):
    response = await client.post(f"http://{address}/v1/traces", content=body, headers=HEADERS)
    answers[body[:8]] = response.status_code == 200
    assert response.status_code in {200, 503}
    assert response.status_code == 200 or int(response.headers["retry-after"]) >= 1


async def _export(channel, _address, body, answers):
    try:
        await channel.unary_unary(METHOD)(body, timeout=60)
        answers[body[:8]] = True
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        answers[body[:8]] = False


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_an_acknowledgement_and_a_refusal_tell_the_truth_under_overload(running, transport, monkeypatch):
    source = random.Random(7)
    bodies = [i.to_bytes(8, "big") + bytes(source.choice([100, 50_000, 900_000])) for i in range(150)]
    async with running(grpc={"max_recv_msg_size_mib": 1}, http={"max_request_body_size": 1 << 20}, budget=LIMIT) as r:
        slow, answers = _Slow(r), {}
        monkeypatch.setattr(r.consumer, "consume", slow.consume)
        if transport == "http":
            async with httpx.AsyncClient(timeout=60) as client:
                await asyncio.gather(*(_post(client, r.http, body, answers) for body in bodies))
        else:
            async with grpc.aio.insecure_channel(r.grpc) as channel:
                await asyncio.gather(*(_export(channel, r.grpc, body, answers) for body in bodies))
        await r.until(lambda: r.budget.used == 0)
    assert slow.peak <= LIMIT
    assert sorted(slow.taken) == sorted(head for head, taken in answers.items() if taken)
    assert slow.taken
    assert len(answers) == len(bodies)
