//! A page: Markdown whose fenced blocks `yaml`, `in`, `out`, `error` and `error start` mean something, and whose rest is kept as it is.

/// A piece of a page; the fences themselves are not in the text.
pub(crate) enum Block {
    Prose(String),
    Yaml(String),
    In(String),
    Out(String),
    Error(String),
    /// What is said at the start, where the pipeline itself is right.
    Start(String),
}

impl Block {
    fn fenced(word: &str, text: String) -> Option<Block> {
        match word {
            "yaml" => Some(Block::Yaml(text)),
            "in" => Some(Block::In(text)),
            "out" => Some(Block::Out(text)),
            "error" => Some(Block::Error(text)),
            "error start" => Some(Block::Start(text)),
            _ => None,
        }
    }

    fn word(&self) -> Option<&'static str> {
        match self {
            Block::Prose(_) => None,
            Block::Yaml(_) => Some("yaml"),
            Block::In(_) => Some("in"),
            Block::Out(_) => Some("out"),
            Block::Error(_) => Some("error"),
            Block::Start(_) => Some("error start"),
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Block::Prose(text) | Block::Yaml(text) | Block::In(text) | Block::Out(text) | Block::Error(text) | Block::Start(text) => text,
        }
    }

    /// What happened, in the place of what was told.
    pub(crate) fn set(&mut self, new: String) {
        if let Block::Out(text) | Block::Error(text) | Block::Start(text) = self {
            *text = new;
        }
    }

    fn written(&self) -> String {
        self.word().map_or_else(|| self.text().to_owned(), |word| format!("```{word}\n{}```\n", self.text()))
    }
}

/// A page in pieces.
pub(crate) struct Page {
    pub(crate) blocks: Vec<Block>,
}

impl Page {
    pub(crate) fn read(text: &str) -> Page {
        let mut blocks = Vec::new();
        let mut prose = String::new();
        let mut lines = text.split_inclusive('\n');
        while let Some(line) = lines.next() {
            let Some(word) = line.strip_prefix("```") else {
                prose.push_str(line);
                continue;
            };
            let body: String = lines.by_ref().take_while(|line| line.trim_end() != "```").collect();
            match Block::fenced(word.trim(), body.clone()) {
                Some(block) => blocks.extend([Block::Prose(std::mem::take(&mut prose)), block]),
                None => prose.push_str(&format!("{line}{body}```\n")),
            }
        }
        blocks.push(Block::Prose(prose));
        Page { blocks }
    }

    pub(crate) fn written(&self) -> String {
        self.blocks.iter().map(Block::written).collect()
    }

    /// The line of the page, from 1, on which a block starts.
    pub(crate) fn line(&self, block: usize) -> usize {
        1 + self.blocks[..block].iter().map(|block| block.written().lines().count()).sum::<usize>()
    }
}
