//! A thousand files that grow and are rotated, twice as many as stay open, with kill -9 in between: every line is in the store, none is twice.

use crate::{JOURNAL, pipeline};
use kit::Kansoku;
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

const FILES: usize = 1_000;
/// Files that one search finds the lines of.
const GROUP: usize = 100;
const LIVES: usize = 3;
/// Rounds of writing in a life.
const ROUNDS: usize = 3;
const LINES: usize = 2;

struct Program {
    path: PathBuf,
    name: String,
    written: usize,
    rotations: usize,
}

impl Program {
    fn new(folder: &Path, at: usize) -> Program {
        let name = format!("p{at}_g{}_", at / GROUP);
        Program { path: folder.join(format!("app/p{at}.log")), name, written: 0, rotations: 0 }
    }

    fn write(&mut self) {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
        for _ in 0..LINES {
            writeln!(file, "{} {} says something", self.name, self.written).unwrap();
            self.written += 1;
        }
    }

    fn rotate(&mut self) {
        self.rotations += 1;
        fs::rename(&self.path, format!("{}.{}", self.path.display(), self.rotations)).unwrap();
    }
}

/// All write; a third of them rotates.
fn round(programs: &mut [Program], number: usize) {
    for (at, program) in programs.iter_mut().enumerate() {
        program.write();
        if (at + number).is_multiple_of(3) {
            program.rotate();
        }
    }
}

#[test]
fn every_line_of_a_thousand_files_is_stored_once_whatever_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("app")).unwrap();
    fs::create_dir_all(folder.path().join("pods")).unwrap();
    let mut programs: Vec<Program> = (0..FILES).map(|at| Program::new(folder.path(), at)).collect();
    // What was rotated before anybody looked is not followed.
    programs.iter_mut().for_each(Program::write);
    for life in 0..LIVES {
        let kansoku = Kansoku::run(folder.path(), &pipeline(JOURNAL, ""));
        kit::until("all files are followed", || {
            if life > 0 {
                return Some(());
            }
            let status = kansoku.status();
            let app = status["sources"].as_array()?.iter().find(|source| source["name"] == "app")?;
            (app["files"]["files"].as_u64()? >= FILES as u64).then_some(())
        });
        for number in 0..ROUNDS {
            round(&mut programs, life * ROUNDS + number);
            thread::sleep(Duration::from_millis(150));
        }
        kansoku.signal("KILL");
        assert_eq!(kansoku.ended().code, 137);
        round(&mut programs, life);
    }
    let kansoku = Kansoku::run(folder.path(), &pipeline(JOURNAL, ""));
    for group in 0..FILES / GROUP {
        the_group_is_there(&kansoku, &programs[group * GROUP..(group + 1) * GROUP], group);
    }
    let rows = kansoku.status()["stores"][0]["tables"]["logs"]["rows"].as_u64().unwrap();
    assert_eq!(rows, programs.iter().map(|program| program.written as u64).sum::<u64>(), "rows and lines");
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

fn the_group_is_there(kansoku: &Kansoku, programs: &[Program], group: usize) {
    let wanted: BTreeMap<String, u32> =
        programs.iter().flat_map(|program| (0..program.written).map(move |number| (format!("{} {number}", program.name), 1))).collect();
    let begin = Instant::now();
    let text = format!("_g{group}_ ");
    loop {
        let said = kansoku.ask(&["query", "logs", "--text", &text, "--limit", "10000", "--json"]).fine();
        let mut stored: BTreeMap<String, u32> = BTreeMap::new();
        for line in said.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let message = line["message"].as_str().unwrap().strip_suffix(" says something").unwrap();
            *stored.entry(message.to_owned()).or_default() += 1;
        }
        if stored == wanted {
            return;
        }
        let twice: Vec<_> = stored.iter().filter(|(line, times)| **times > 1 || !wanted.contains_key(*line)).collect();
        assert!(twice.is_empty(), "group {group}: not once: {twice:?}");
        let missing: Vec<_> = wanted.keys().filter(|line| !stored.contains_key(*line)).collect();
        let sources = || kansoku.status()["sources"].to_string();
        assert!(
            begin.elapsed() < kit::PATIENCE,
            "group {group}: {} missing: {:?}\n{}",
            missing.len(),
            &missing[..missing.len().min(5)],
            sources()
        );
        thread::sleep(Duration::from_millis(300));
    }
}
