"""The official Python SDK of MCP: mcp_sdk.py GHOSTMUX SERVER TOKEN PAGE. tests/clients/mcp.mjs starts it, with a page that has a
field for a name; it does the same there as that program, in both protocols, over HTTP and over standard input and output."""

import asyncio
import re
import sys

import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

PROGRAM, SERVER, TOKEN, PAGE = sys.argv[1:]
PATIENCE_S = 60


def http():
    client = httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE_S)
    return streamable_http_client(f"{SERVER}/mcp?caps=pdf,human", http_client=client)


def stdio():
    args = ["mcp", "--server", SERVER, "--caps", "pdf,human"]
    return StdioServerParameters(command=PROGRAM, args=args, env={"GHOSTMUX_TOKEN": TOKEN})


async def person(_, params):
    if params.message.startswith("Which colour?"):
        return ElicitResult(action="accept", content={"answer": "green"})
    return ElicitResult(action="decline")


async def drive(transport, mode):
    async with Client(transport, mode=mode, elicitation_callback=person) as client:
        is_modern = mode != "legacy"
        expected = mode if is_modern else "2025-11-25"
        assert client.protocol_version == expected, client.protocol_version
        tools = (await client.list_tools()).tools
        assert len(tools) == 23 and all(tool.annotations is not None for tool in tools), len(tools)
        named = {}

        async def call(name, **arguments):
            result = await client.call_tool(name, {**arguments, **named})
            said = "\n".join(getattr(block, "text", block.type) for block in result.content)
            assert not result.is_error, said
            return said

        if is_modern:
            named["session"] = re.search(r"session: (\S+)", await call("browser_session", action="new"))[1]
        shown = await call("browser_navigate", url=PAGE)
        target = re.search(r'textbox "Name" .*\[ref=(\w+)\]', shown)[1]
        greeted = await call("browser_type", element="the name", target=target, text="Ada", submit=True)
        assert "Hello Ada" in greeted, greeted
        assert "image" in await call("browser_take_screenshot")
        answer = await call("browser_ask_human", question="Which colour?")
        assert ("answered: green" if is_modern else "Ask the person") in answer, answer
        if is_modern:
            await call("browser_session", action="close")


async def main():
    for mode in ["legacy", "2026-07-28"]:
        for transport in [http, stdio]:
            await asyncio.wait_for(drive(transport(), mode), PATIENCE_S)
            print(f"ok Python, {transport.__name__}, {mode}")


asyncio.run(main())
