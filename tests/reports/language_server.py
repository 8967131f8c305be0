"""A client of yaml-language-server, which is what editors ask about YAML: LSP over its stdio."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, NamedTuple

from tests import ROOT

if TYPE_CHECKING:
    from types import TracebackType

#: Where the package is looked for that `npm install yaml-language-server` has put there.
FOLDER = "YAML_LANGUAGE_SERVER"
#: Seconds; the first answer waits for the schema.
PATIENCE = 60


def command() -> list[str] | None:
    """Return how the language server is started; None where it is not installed.

    It is looked for in `node_modules` of the folder that the environment names, or of this
    repository, and among the programs.
    """
    node = shutil.which("node")
    folder = Path(os.environ.get(FOLDER, ROOT))
    script = folder / "node_modules/yaml-language-server/bin/yaml-language-server"
    if node and script.is_file():
        return [node, str(script), "--stdio"]
    program = shutil.which("yaml-language-server")
    return [program, "--stdio"] if program else None


class Place(NamedTuple):
    """A position in a document, counted from 0."""

    line: int
    character: int


class LanguageServer:
    """A language server in a process of its own, with a schema for all YAML files."""

    def __init__(self, command: list[str], schema: Path) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._received: Queue[dict[str, Any]] = Queue()
        self._asked = 0
        settings = {"schemas": {schema.as_uri(): "*.yaml"}, "schemaStore": {"enable": False}}
        self._settings = {
            "yaml": settings | dict.fromkeys(("validate", "hover", "completion"), True)
        }
        self._found: dict[str, list[dict[str, Any]]] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        client = {"processId": os.getpid(), "rootUri": None, "capabilities": {}}
        self._request("initialize", client)
        self._notify("initialized", {})
        self._notify("workspace/didChangeConfiguration", {"settings": {}})

    def __enter__(self) -> LanguageServer:  # noqa: PYI034  Python 3.10 has no Self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process:
            self._process.kill()
            self._listener.join()

    def open(self, name: str, text: str) -> None:
        """Open a document of this name."""
        document = {"uri": _uri(name), "languageId": "yaml", "version": 1, "text": text}
        self._notify("textDocument/didOpen", {"textDocument": document})

    def diagnostics(self, name: str) -> list[dict[str, Any]]:
        """Return what the server finds wrong with an open document."""
        while _uri(name) not in self._found:
            self._next()
        return self._found[_uri(name)]

    def completions(self, name: str, at: Place) -> list[dict[str, Any]]:
        """Return what the server proposes at a place of an open document."""
        return self._at("textDocument/completion", name, at)["items"]  # type: ignore[no-any-return]

    def hover(self, name: str, at: Place) -> str:
        """Return what the server says of a place of an open document."""
        answer = self._at("textDocument/hover", name, at)
        return answer["contents"]["value"] if answer else ""

    def _at(self, method: str, name: str, at: Place) -> Any:
        return self._request(
            method, {"textDocument": {"uri": _uri(name)}, "position": at._asdict()}
        )

    def _request(self, method: str, params: dict[str, Any]) -> Any:
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == self._asked and "method" not in message:
                return message["result"]

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self._process.stdin.flush()

    def _next(self) -> dict[str, Any]:
        """Return the next message; diagnostics are kept, and questions answered: for settings."""
        try:
            message = self._received.get(timeout=PATIENCE)
        except Empty:
            raise TimeoutError(f"the language server is silent for {PATIENCE} s") from None
        params = message.get("params") or {}
        if message.get("method") == "textDocument/publishDiagnostics":
            self._found[params["uri"]] = params["diagnostics"]
        elif "id" in message and "method" in message:
            settings = [self._settings.get(item["section"]) for item in params.get("items", ())]
            self._send({"id": message["id"], "result": settings})
        return message

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            length = int(header.removeprefix(b"Content-Length:"))
            while stream.readline().strip():
                pass  # further headers
            self._received.put(json.loads(stream.read(length)))


def _uri(name: str) -> str:
    return f"file:///networks/{name}.yaml"
