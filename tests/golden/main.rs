//! The cookbook is true: every page beside this file tells stories (a pipeline, what comes in, what goes out or is said), and here they happen, with the
//! real processors in a real lane on a clock that is handed in. `KANSOKU_FIX=1` writes what happened into the pages. Sockets and disks are not proved here.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and looks at the repository from outside"
)]

mod collector;
mod notation;
mod page;
mod story;
mod telling;

use page::{Block, Page};
use std::path::PathBuf;

fn pages() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    pages.sort();
    pages
}

/// What really happens, for each block of a page that says so.
fn happened(page: &Page) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut yaml, mut steps) = ("", "");
    for (at, block) in page.blocks.iter().enumerate() {
        match block {
            Block::Yaml(text) => (yaml, steps) = (text, ""),
            Block::In(text) => steps = text,
            Block::Out(_) => found.push((at, story::run(yaml, steps))),
            Block::Error(_) => found.push((at, story::said(yaml))),
            Block::Start(_) => found.push((at, story::started(yaml))),
            Block::Prose(_) => {}
        }
    }
    found
}

#[test]
fn every_story_of_the_cookbook_happens_as_told() {
    let fix = std::env::var_os("KANSOKU_FIX").is_some();
    let mut wrong = Vec::new();
    for path in pages() {
        let mut page = Page::read(&std::fs::read_to_string(&path).unwrap());
        for (at, happened) in happened(&page) {
            let told = page.blocks[at].text();
            if told != happened {
                wrong.push(format!("{} line {}\n--- told\n{told}--- happened\n{happened}", path.display(), page.line(at)));
                page.blocks[at].set(happened);
            }
        }
        if fix {
            std::fs::write(&path, page.written()).unwrap();
        }
    }
    assert!(fix || wrong.is_empty(), "{}\nKANSOKU_FIX=1 writes what happened into the pages", wrong.join("\n"));
}

#[test]
fn every_pipeline_of_the_cookbook_is_told_to_its_end() {
    for path in pages() {
        let page = Page::read(&std::fs::read_to_string(&path).unwrap());
        let stories = page.blocks.iter().filter(|block| matches!(block, Block::Yaml(_))).count();
        let ends = ends_of(&page);
        assert!(ends >= stories, "{}: {stories} pipelines and {ends} ends", path.display());
        assert_eq!(page.written(), std::fs::read_to_string(&path).unwrap(), "reading and writing a page changes nothing");
    }
}

fn ends_of(page: &Page) -> usize {
    page.blocks.iter().filter(|block| matches!(block, Block::Out(_) | Block::Error(_) | Block::Start(_))).count()
}
