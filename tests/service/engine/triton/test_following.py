"""Servers that a name gains and loses."""

from __future__ import annotations

import asyncio

import pytest

from service.engine.triton.engine import TritonEngine
from service.errors import EngineUnavailable
from service.repository import ModelFolder
from service.settings import Settings
from tests.service.engine.triton.asked import Ledger, engine_for, ready, rows
from tests.service.engine.triton.conftest import NamesGive
from tests.service.engine.triton.fake_triton import FakeTriton, serving


async def test_a_call_on_a_server_that_the_name_loses_is_answered(
    models: dict[str, ModelFolder], fake: FakeTriton, names_give: NamesGive
) -> None:
    other = FakeTriton(models)
    async with serving(fake) as one, serving(other) as two:
        answers = names_give(f"127.0.0.1:{one}")
        async with engine_for(models, one) as (engine, _):
            fake.delay_s = 0.2
            call = asyncio.create_task(engine.infer("text", rows(4)))
            while not fake.attempts:
                await asyncio.sleep(0.01)
            answers.symmetric_difference_update({f"127.0.0.1:{one}", f"127.0.0.1:{two}"})
            async with asyncio.timeout(2):
                assert (await call)[0, 0] == 7
                await ready(engine, True)
                assert (await engine.infer("text", rows(5)))[0, 0] == 8
            assert other.attempts


async def test_a_sick_server_that_the_name_loses_is_left_before_the_deadline(
    models: dict[str, ModelFolder], fake: FakeTriton, names_give: NamesGive
) -> None:
    async with serving(fake) as port:
        answers = names_give(f"127.0.0.1:{port}")
        async with engine_for(models, port) as (engine, _):
            fake.delay_s = 60.0
            call = asyncio.create_task(engine.infer("text", rows(4, within_s=20.0)))
            while not fake.attempts:
                await asyncio.sleep(0.01)
            answers.clear()
            async with asyncio.timeout(4):
                with pytest.raises(EngineUnavailable):
                    await call


async def test_a_name_that_is_unknown_leaves_the_other_servers_in_use(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    async with serving(fake) as port:
        settings = Settings(engine="triton", triton_url=f"no-such-host.invalid:8001,127.0.0.1:{port}")
        engine = TritonEngine(models, settings, Ledger())
        await engine.start()
        try:
            assert (await engine.infer("text", rows(4)))[0, 0] == 7
        finally:
            await engine.close()


async def test_addresses_that_a_name_gains_and_loses_are_followed(
    models: dict[str, ModelFolder], fake: FakeTriton, names_give: NamesGive
) -> None:
    other = FakeTriton(models)
    async with serving(fake) as one, serving(other) as two:
        answers = names_give(f"127.0.0.1:{one}")
        async with engine_for(models, one) as (engine, ledger):
            answers.add(f"127.0.0.1:{two}")
            async with asyncio.timeout(3):
                while not other.attempts:
                    await engine.infer("text", rows(4))
                    await asyncio.sleep(0.01)
            answers.discard(f"127.0.0.1:{one}")
            async with asyncio.timeout(3):
                while ledger.breakers[f"127.0.0.1:{one}"] is not None:
                    await asyncio.sleep(0.01)
            before = len(fake.attempts)
            await asyncio.gather(*(engine.infer("text", rows(4)) for _ in range(6)))
            assert len(fake.attempts) == before
