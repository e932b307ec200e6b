//! Tables that fit the page. Widths are fixed before the first row is written, so that a table can be followed.

use crate::{
    page::{Edge, Page, Tone},
    text,
};

/// A column.
pub(crate) struct Column {
    pub(crate) head: &'static str,
    pub(crate) wide: Wide,
    pub(crate) side: Side,
}

/// How wide a column is.
#[derive(Clone, Copy)]
pub(crate) enum Wide {
    /// So much.
    Fixed(usize),
    /// As its longest cell, up to this.
    Content(usize),
    /// Its share of what the others leave.
    Rest(usize),
}

/// On which side its cells begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A cell: text as it came, and how it is meant.
#[derive(Clone, Debug)]
pub(crate) struct Cell(pub(crate) String, pub(crate) Tone);

impl Cell {
    pub(crate) fn plain(text: impl Into<String>) -> Cell {
        Cell(text.into(), Tone::Plain)
    }
}

/// A table with its widths.
pub(crate) struct Table {
    columns: Vec<(Column, usize)>,
    page: Page,
}

const GAP: usize = 2;
const REST_MIN: usize = 8;

impl Column {
    pub(crate) fn left(head: &'static str, wide: Wide) -> Column {
        Column { head, wide, side: Side::Left }
    }

    pub(crate) fn right(head: &'static str, wide: Wide) -> Column {
        Column { head, wide, side: Side::Right }
    }
}

impl Table {
    /// Finds the widths for these rows, or for rows to come.
    pub(crate) fn fit(columns: Vec<Column>, rows: &[Vec<Cell>], page: Page) -> Table {
        let longest =
            |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| text::width(&text::inert(&cell.0))).max().unwrap_or(0);
        let taken = |(at, column): (usize, &Column)| match column.wide {
            Wide::Fixed(wide) => wide,
            Wide::Content(most) => longest(at).min(most).max(column.head.len()),
            Wide::Rest(_) => 0,
        };
        let widths: Vec<usize> = columns.iter().enumerate().map(taken).collect();
        let gaps = GAP * columns.len().saturating_sub(1);
        let mut left = page.width.saturating_sub(gaps + widths.iter().sum::<usize>());
        let mut shares: usize = columns.iter().map(|c| if let Wide::Rest(share) = c.wide { share } else { 0 }).sum();
        let mut fitted = Vec::with_capacity(columns.len());
        for (column, taken) in columns.into_iter().zip(widths) {
            let wide = match column.wide {
                Wide::Rest(share) => {
                    let own = left * share / shares.max(1);
                    left -= own;
                    shares -= share;
                    own.max(REST_MIN)
                }
                Wide::Fixed(_) | Wide::Content(_) => taken,
            };
            fitted.push((column, wide));
        }
        Table { columns: fitted, page }
    }

    /// The line above.
    pub(crate) fn head(&self) -> String {
        let cells: Vec<Cell> = self.columns.iter().map(|(column, _)| Cell(column.head.to_owned(), Tone::Dim)).collect();
        self.line(&cells)
    }

    /// A row in one line.
    pub(crate) fn line(&self, row: &[Cell]) -> String {
        let mut line = String::new();
        let last = self.columns.len().saturating_sub(1);
        for (at, ((column, wide), Cell(cell, tone))) in self.columns.iter().zip(row).enumerate() {
            let cell = text::inert(cell);
            let runs_on = at == last && self.page.edge == Edge::Open && column.side == Side::Left;
            let shown = if runs_on { cell } else { text::cut(&cell, *wide) };
            let space = " ".repeat(wide.saturating_sub(text::width(&shown)));
            let painted = self.page.paint(*tone, &shown);
            let gap = if at == 0 { "" } else { "  " };
            match column.side {
                Side::Right => line.extend([gap, &space, &painted]),
                Side::Left if at == last => line.extend([gap, &painted]),
                Side::Left => line.extend([gap, &painted, &space]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }

    /// The whole table.
    pub(crate) fn all(&self, rows: &[Vec<Cell>]) -> String {
        let lines: Vec<String> = std::iter::once(self.head()).chain(rows.iter().map(|row| self.line(row))).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;

    fn columns() -> Vec<Column> {
        vec![Column::left("NODE", Wide::Content(10)), Column::right("IN", Wide::Fixed(6)), Column::left("SAID", Wide::Rest(1))]
    }

    fn rows() -> Vec<Vec<Cell>> {
        [("otlp", "1,234", "fine"), ("a_very_long_name", "5", "a message that does not fit\u{1b}[2J into forty columns")]
            .map(|(a, b, c)| vec![Cell::plain(a), Cell::plain(b), Cell::plain(c)])
            .into()
    }

    #[test]
    fn a_table_fits_the_page_and_cannot_be_steered() {
        let table = Table::fit(columns(), &rows(), page::plain(44)).all(&rows());
        let expected = "\
NODE            IN  SAID
otlp         1,234  fine
a_very_lo…       5  a message that does not…";
        assert_eq!(table, expected);
    }

    #[test]
    fn where_a_program_reads_the_last_column_runs_on() {
        let page = Page { edge: Edge::Open, ..page::plain(40) };
        let line = Table::fit(columns(), &rows(), page).line(&rows()[1]);
        assert!(line.ends_with("a message that does not fit\\u{1b}[2J into forty columns"), "{line}");
    }

    #[test]
    fn colours_take_no_room() {
        let page = Page { colour: config::show::Colour::Always, ..page::plain(40) };
        let line = Table::fit(columns(), &[], page).line(&[Cell("x".to_owned(), Tone::Bad), Cell::plain("1"), Cell::plain("y")]);
        assert_eq!(line, "\u{1b}[1;31mx\u{1b}[0m          1  y");
    }
}
