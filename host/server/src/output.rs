//! How results are printed: as a table for people, as JSON for programs. One place, so that every command agrees.

use std::io::Write as _;

use clap::ValueEnum;
use serde::Serialize;

/// The form of what a command prints on stdout. Progress and errors go to stderr in either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
}

/// Something that can be shown as rows.
pub trait Rows {
    /// Column names.
    fn header() -> &'static [&'static str];
    /// One row, in the order of the header.
    fn row(&self) -> Vec<String>;
}

/// Prints many.
///
/// # Errors
/// Stdout is closed.
pub fn list<T: Rows + Serialize>(format: Format, items: &[T]) -> std::io::Result<()> {
    match format {
        Format::Json => json(&items),
        Format::Table if items.is_empty() => line("(none)"),
        Format::Table => {
            let mut table = comfy_table::Table::new();
            table.set_header(T::header().to_vec());
            table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
            for item in items {
                table.add_row(item.row().into_iter().map(|cell| plain(&cell)));
            }
            line(&table.to_string())
        }
    }
}

/// Prints one value: JSON as it is, else the lines that `text` makes of it.
///
/// # Errors
/// Stdout is closed.
pub fn one<T: Serialize>(format: Format, value: &T, text: impl FnOnce(&T) -> String) -> std::io::Result<()> {
    match format {
        Format::Json => json(value),
        Format::Table => line(&plain(&text(value))),
    }
}

/// One line of compact JSON, for streams of them.
///
/// # Errors
/// Stdout is closed.
pub fn json_line<T: Serialize>(value: &T) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A line on stdout.
///
/// # Errors
/// Stdout is closed.
pub fn line(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}

/// A line on stderr: what is being done.
pub fn progress(text: &str) {
    // A closed stderr is no reason to stop working.
    let _ = writeln!(std::io::stderr().lock(), "{}", plain(text));
}

/// Text of documents and tools may hold terminal control sequences: everything but line breaks and tabs is shown, not
/// obeyed.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn json<T: Serialize>(value: &T) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn control_sequences_are_shown_not_obeyed() {
        assert_eq!(plain("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\nc");
    }
}
