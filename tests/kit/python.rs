//! A Python with what `tests/python/requirements.txt` pins, made once per target folder by whichever test comes first.

use crate::{process::Said, repository};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The `bin` folder of the environment under `target` (a test binary's `CARGO_TARGET_TMPDIR`). The first call installs from the package index.
#[must_use]
pub fn environment(target: &Path) -> PathBuf {
    let requirements = repository("tests/python/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).expect("the requirements are there");
    let (folder, mark) = (target.join("venv"), target.join("venv/installed.txt"));
    std::fs::create_dir_all(target).expect("a target folder");
    let lock = std::fs::File::create(target.join("venv.lock")).expect("a lock file");
    lock.lock().expect("locks");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return folder.join("bin");
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("removes what was left half-made");
    }
    let made = Said::of(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    assert_eq!(made.code, 0, "this test needs python3 with the venv module: {made:?}");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--no-deps", "-r"];
    let installed = Said::of(Command::new(folder.join("bin/python")).args(install).arg(&requirements));
    assert_eq!(installed.code, 0, "pip could not install {}: {installed:?}", requirements.display());
    std::fs::write(&mark, wanted).expect("marks it as done");
    folder.join("bin")
}
