#!/usr/bin/env python3
"""Reads a store with engines that know nothing of kansoku: delta-rs (Python `deltalake`) and DuckDB.

usage: open_data.py STORE [TABLE=ROWS ...]    needs: pip install deltalake duckdb pyarrow pcodec

Both engines must see the same rows; a promoted attribute must be a typed column; a trace must be contiguous in its file; the chunks of metrics
must come apart into as many points as they say. ROWS of metrics counts points.
"""
import pathlib
import sys

import duckdb
import pyarrow.parquet as pq
from deltalake import DeltaTable
from pcodec import standalone


def main() -> None:
    store = pathlib.Path(sys.argv[1])
    wanted = dict(pair.split("=") for pair in sys.argv[2:])
    for table in ["spans", "logs", "metrics", "traces"]:
        delta = DeltaTable(str(store / table))
        files = [store / table / path for path in delta.files()] if hasattr(delta, "files") else [pathlib.Path(uri) for uri in delta.file_uris()]
        if not files:
            print(f"{table}: empty, {len(delta.schema().fields)} columns")
            assert int(wanted.get(table, 0)) == 0, f"{table}: {wanted[table]} rows wanted"
            continue
        rows = delta.to_pyarrow_table().num_rows
        listed = ", ".join(f"'{file}'" for file in files)
        duck = duckdb.sql(f"select count(*) from read_parquet([{listed}], union_by_name => true)").fetchall()[0][0]
        size = sum(file.stat().st_size for file in files)
        promoted = [f"{f.name}:{f.type.type}" for f in delta.schema().fields if "." in f.name]
        print(f"{table}: version {delta.version()}, {len(files)} files, {rows} rows, {size / rows:.1f} bytes each, promoted: {', '.join(promoted) or 'none'}")
        assert rows == duck, f"{table}: delta-rs sees {rows} rows, DuckDB {duck}"
        if table == "metrics":
            rows = points(files)
            print(f"{table}: {rows} points, {size / rows:.2f} bytes each")
        if table in wanted:
            assert rows == int(wanted[table]), f"{table}: {wanted[table]} rows wanted, {rows} seen"
        if table == "spans":
            for file in files:
                contiguous(file)


def contiguous(file: pathlib.Path) -> None:
    ids = pq.read_table(file, columns=["trace_id"], partitioning=None).column("trace_id").to_pylist()
    runs = sum(1 for n, id in enumerate(ids) if n == 0 or ids[n - 1] != id)
    assert runs == len(set(ids)), f"{file}: {len(set(ids))} traces in {runs} runs"


def points(files: list[pathlib.Path]) -> int:
    listed = ", ".join(f"'{file}'" for file in files)
    chunks = duckdb.sql(f"select n, t_min, t_max, ts_chunk, shape, value_chunk from read_parquet([{listed}], union_by_name => true)").fetchall()
    total = 0
    for n, t_min, t_max, ts_chunk, shape, value_chunk in chunks:
        times = standalone.simple_decompress(ts_chunk)
        assert (len(times), int(times[0]), int(times[-1])) == (n, t_min, t_max), f"a chunk says {n} points from {t_min} to {t_max}"
        if shape is None and value_chunk is not None:
            assert len(standalone.simple_decompress(value_chunk)) == n, "a value for each time"
        total += n
    return total


main()
