"""Reads a trace back from a kansoku store as any Delta Lake client would: `read_store.py STORE TRACE_ID`, JSON rows by table.

Nothing here knows kansoku: tables are the folders that have a Delta log, and SQL runs on delta-rs.
"""

import json
import pathlib
import sys

from deltalake import DeltaTable, QueryBuilder

store, trace = pathlib.Path(sys.argv[1]), sys.argv[2]
found = {}
for log in sorted(store.rglob("_delta_log")):
    name = log.parent.name
    table = DeltaTable(str(log.parent))
    if "trace_id" not in {field.name for field in table.schema().fields}:
        continue
    rows = QueryBuilder().register(name, table).execute(f"SELECT * FROM {name} WHERE trace_id = '{trace}'").read_all()
    columns = {column: rows.column(column).to_pylist() for column in rows.schema.names}
    found[name] = [{c: values[n] for c, values in columns.items() if values[n] is not None} for n in range(rows.num_rows)]
print(json.dumps(found, default=str))
