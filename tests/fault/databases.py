"""A delivery run into a real PostgreSQL: Telex, the server and the connections between them are killed.

What it does and how it is judged stands in tests/e2e/database_kills.py, whose short form is a test of its own.
"""

import database_kills
import postgres
import telex


def databases(folder, options):
    """Kills of Telex and of PostgreSQL: what was acknowledged is in the table exactly once. Skips without a server."""
    if postgres.programs() is None:
        return [], {"skipped": "PostgreSQL is not installed"}
    server = postgres.Postgres(folder).start()
    program = telex.Telex(folder / "telex", database_kills.config(server))
    try:
        database_kills.make_table(server)
        program.start()
        program.wait_ready()
        return database_kills.run(program, server, options.kills // 2, options.seed)
    finally:
        if program.process is not None:
            program.process.kill()
        server.stop()


CASES = {"databases": databases}
