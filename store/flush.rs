//! From memory into files: sort, split attributes off, write, then one commit per table.

use crate::{
    Error, Table,
    commit::{Add, Change, Commits, Operation, Promoted},
    files::{self, Chosen, DataFile, Written},
    series,
};
use arrow::array::RecordBatch;
use journal::Disk;
use serde_json::json;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Writes the batches of one table into new files and commits them together with how far the store's log is in them. Nothing counts if it fails.
pub(crate) fn flush(
    disk: &Arc<dyn Disk>,
    table: Table,
    commits: &mut Commits,
    batches: &[RecordBatch],
    through: (String, u64),
    at_ms: u64,
) -> Result<Vec<Arc<DataFile>>, Error> {
    let (chosen, written) = encode(table, batches, commits.promoted())?;
    let mut adds = Vec::new();
    for (n, (hour, file)) in written.into_iter().enumerate() {
        let path = format!("hour={hour}/part-{:020}-{n}.parquet", commits.next());
        put(disk, commits.dir(), &path, &file)?;
        adds.push(add(table, path, hour, &file, at_ms));
    }
    let promoted = (chosen.all != *commits.promoted()).then_some(chosen.all);
    let change = Change { add: adds.clone(), remove: Vec::new(), promoted, through: Some(through), operation: Operation::Write, at_ms };
    commits.commit(change)?;
    Ok(adds.into_iter().map(|add| Arc::new(DataFile::new(Arc::clone(disk), commits.dir(), table, add))).collect())
}

/// These rows as files with their hours, and the columns that attributes get in them.
pub(crate) fn encode(table: Table, batches: &[RecordBatch], promoted: &Promoted) -> Result<(Chosen, Vec<(String, Written)>), Error> {
    let chunks: Vec<RecordBatch>;
    let batches = if table == Table::Metrics {
        chunks = series::fold(batches)?.into_iter().collect();
        &chunks
    } else {
        batches
    };
    let chosen = files::choose(batches, promoted);
    let groups = files::groups(table, batches).into_iter();
    let written = groups.map(|group| Ok((group.hour.clone(), files::write(table, batches, &group, &chosen.here)?)));
    let written = written.collect::<Result<_, Error>>()?;
    Ok((chosen, written))
}

/// Puts a file under its final name: nobody looks at it before the commit names it.
pub(crate) fn put(disk: &Arc<dyn Disk>, dir: &Path, path: &str, written: &Written) -> Result<(), Error> {
    let path = dir.join(path);
    let folder = path.parent().unwrap_or(dir);
    let failed = |what: &'static str| {
        let path = path.clone();
        move |cause| Error::Disk { path, what, cause }
    };
    disk.create_dir_all(folder).map_err(failed("cannot make the folder of the data file"))?;
    // What a flush that failed before its commit has left.
    if disk.open(&path).is_ok() {
        disk.remove(&path).map_err(failed("cannot remove what a failed flush left"))?;
    }
    disk.write_new(&path, std::slice::from_ref(&written.bytes)).map_err(failed("cannot write the data file"))?;
    disk.sync_dir(folder).map_err(failed("cannot sync the folder of the data file"))?;
    disk.sync_dir(dir).map_err(failed("cannot sync the folder of the table"))
}

/// What a commit says of a file that was written at this time.
pub(crate) fn add(table: Table, path: String, hour: String, written: &Written, at_ms: u64) -> Add {
    let [first, last] = table.stored_times();
    let [(first_min, first_max), (last_min, last_max)] = written.times;
    let stats = json!({
        "numRecords": written.rows,
        "minValues": { first: first_min, last: last_min },
        "maxValues": { first: first_max, last: last_max },
    });
    Add {
        path,
        partition_values: BTreeMap::from([("hour".to_owned(), Some(hour))]),
        size: written.bytes.len() as u64,
        modification_time: at_ms,
        data_change: true,
        stats: Some(stats.to_string()),
        tags: written.points.map(|points| BTreeMap::from([(Add::POINTS.to_owned(), points.to_string())])),
    }
}

/// Removes files that no commit names: a process ended between writing and committing, or between a commit and the removal.
pub(crate) fn sweep(disk: &Arc<dyn Disk>, commits: &Commits) -> Result<usize, Error> {
    let named: std::collections::HashSet<_> = commits.files().map(|add| commits.dir().join(&add.path)).collect();
    let failed = |path: &Path, what: &'static str| {
        let path = path.to_path_buf();
        move |cause| Error::Disk { path, what, cause }
    };
    let mut swept = 0;
    let hours = disk.list(commits.dir()).map_err(failed(commits.dir(), "cannot list"))?;
    for hour in hours.into_iter().filter(|f| f.directory && f.name.starts_with("hour=")) {
        let files = disk.list(&hour.path).map_err(failed(&hour.path, "cannot list"))?;
        for file in files.into_iter().filter(|f| f.name.ends_with(".parquet") && !named.contains(&f.path)) {
            disk.remove(&file.path).map_err(failed(&file.path, "cannot remove"))?;
            swept += 1;
        }
    }
    Ok(swept)
}
