"""A stand-in for the Hugging Face Hub on loopback: answers what huggingface_hub 2 asks when it downloads,
commits and tags.
"""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

SMALL = 4096  # files of at most this size are ordinary git blobs, larger ones go through LFS


class Repository:
    """One repository: every commit as a whole tree of files, the branch main, and tags."""

    def __init__(self):
        self.commits = {}  # hash to {path: bytes}
        self.branches, self.tags = {}, {}
        self.commit({})

    def commit(self, files):
        tree = {**self.commits.get(self.branches.get("main"), {}), **files}
        name = hashlib.sha1(repr((len(self.commits), sorted(tree.items()))).encode()).hexdigest()
        self.commits[name] = tree
        self.branches["main"] = name
        return name

    def resolve(self, revision):
        name = {**self.branches, **self.tags}.get(revision, revision)
        return name if name in self.commits else None


class StandInHub:
    """Context manager; `address` is the endpoint, `asked` every (verb, path) so far, `repositories` what it holds."""

    token = "hf_of_a_test"

    def __init__(self):
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}  # LFS objects by sha256
        self.asked: list[tuple[str, str]] = []

    def __enter__(self):

        class Handler(_Handler):
            pass

        Handler.hub = self
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.elsewhere = (
            f"http://localhost:{self._server.server_port}"  # large files come from another host, as on the Hub
        )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def describe(path, data):
    entry = {
        "type": "file",
        "path": path,
        "size": len(data),
        "oid": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(),
    }
    if len(data) > SMALL:
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return entry


class _Handler(BaseHTTPRequestHandler):
    hub: StandInHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing: pytest's output stays clean."""

    def do_GET(self):
        self._handle()

    do_HEAD = do_POST = do_PUT = do_GET

    def _handle(self):
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        self.hub.asked.append((self.command, url.path))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else self._chunks()
        if parts[:2] == ["lfs", "object"]:
            return self._large(parts[2], body)
        writes = (
            self.command == "PUT"
            or parts[-1] == "batch"
            or any(p in parts for p in ("create", "commit", "tag", "preupload"))
        )
        if writes and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._answer(401, {"error": "Invalid username or password."})
        if parts == ["api", "repos", "create"]:
            return self._create(json.loads(body))
        if parts == ["api", "validate-yaml"]:
            text = json.loads(body)["content"]
            return self._answer(
                200, {"errors": [], "warnings": [] if text.startswith("---\n") else [{"message": "empty metadata"}]}
            )
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2]).removesuffix(".git")
        repository = self.hub.repositories.get(name)
        if repository is None:
            return self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        if parts[-1] == "batch":
            return self._batch(json.loads(body))
        if parts[0] != "api":  # owner/name/resolve/revision/path
            return self._file(repository, parts[3], "/".join(parts[4:]))
        return self._api(repository, name, parts[4:], body, parse_qs(url.query))

    def _chunks(self):
        """A body sent in chunks, as httpx does for streamed uploads."""
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return body

    def _api(self, repository, name, rest, body, query):
        if rest == ["refs"]:
            refs = {
                kind: [
                    {"name": ref, "ref": f"refs/{kind}/{ref}", "targetCommit": commit} for ref, commit in held.items()
                ]
                for kind, held in (("branches", repository.branches), ("tags", repository.tags))
            }
            return self._answer(200, {**refs, "converts": []})
        action, revision = (rest[0], rest[1]) if rest else ("revision", "main")
        commit = repository.resolve(revision)
        if commit is None:
            return self._answer(404, {"error": f"Invalid rev id: {revision}"}, {"X-Error-Code": "RevisionNotFound"})
        tree = repository.commits[commit]
        if action == "revision":
            return self._answer(200, {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in tree]})
        if action == "tree":
            return self._answer(200, [describe(*item) for item in tree.items()])
        if action == "paths-info":
            wanted = parse_qs(body.decode())["paths"]
            return self._answer(200, [describe(path, tree[path]) for path in wanted if path in tree])
        if action == "preupload":
            modes = [(file["path"], "lfs" if file["size"] > SMALL else "regular") for file in json.loads(body)["files"]]
            return self._answer(
                200, {"files": [{"path": p, "uploadMode": mode, "shouldIgnore": False} for p, mode in modes]}
            )
        if action == "commit":
            files = {}
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "lfsFile":
                    files[line["value"]["path"]] = self.hub.large[line["value"]["oid"]]
            made = repository.commit(files)
            return self._answer(200, {"commitUrl": f"{self.hub.address}/{name}/commit/{made}", "commitOid": made})
        if action == "tag":
            repository.tags[json.loads(body)["tag"]] = commit
            return self._answer(200, {})
        return self._answer(404, {"error": f"the stand-in knows no {action}"})

    def _create(self, asked):
        name = f"{asked['organization']}/{asked['name']}"
        exists = name in self.hub.repositories
        self.hub.repositories.setdefault(name, Repository())
        return self._answer(
            409 if exists else 200, {"url": f"{self.hub.address}/{name}", "error": "exists" if exists else None}
        )

    def _batch(self, asked):
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.hub.address}/lfs/object/{one['oid']}"}}}
            for one in asked["objects"]
        ]
        return self._answer(200, {"transfer": "basic", "objects": objects})

    def _large(self, oid, body):
        if self.command == "PUT":
            if hashlib.sha256(body).hexdigest() != oid:
                return self._answer(400, {"error": "other content than announced"})
            self.hub.large[oid] = body
            return self._answer(200, {})
        return self._answer(200, self.hub.large[oid])

    def _file(self, repository, revision, path):
        commit = repository.resolve(revision)
        data = repository.commits[commit].get(path) if commit else None
        if data is None:
            return self._answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        known = {"X-Repo-Commit": commit}
        if len(data) <= SMALL:
            return self._answer(200, data, {**known, "ETag": f'"{describe(path, data)["oid"]}"'})
        oid = hashlib.sha256(data).hexdigest()
        self.hub.large[oid] = data
        to = {
            "Location": f"{self.hub.elsewhere}/lfs/object/{oid}",
            "X-Linked-Etag": f'"{oid}"',
            "X-Linked-Size": str(len(data)),
        }
        return self._answer(302, b"", {**known, **to})

    def _answer(self, status, content, headers=()):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
