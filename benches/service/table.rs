//! The one table that a run prints.

use std::io::IsTerminal as _;

use comfy_table::{Cell, CellAlignment, Color};

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    None,
}

impl Target {
    fn met(self, value: Option<f64>) -> Option<bool> {
        match self {
            Self::AtMost(most) => value.map(|value| value <= most),
            Self::AtLeast(least) => value.map(|value| value >= least),
            Self::None => None,
        }
    }
}

/// A measurement, beside what it is compared with.
#[derive(Debug, Default)]
pub(crate) struct Row {
    what: String,
    guli: String,
    reference: String,
    ratio: String,
    target: String,
    met: Option<bool>,
    note: Option<String>,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, guli: impl Into<String>) -> Self {
        Self { what: what.into(), guli: guli.into(), ..Self::default() }
    }

    /// Compared with a reference: the target is for the ratio.
    #[must_use]
    pub(crate) fn against(mut self, reference: impl Into<String>, ratio: f64, target: Target) -> Self {
        self.reference = reference.into();
        self.ratio = format!("{ratio:.2}×");
        self.met = target.met(Some(ratio));
        self.target = match target {
            Target::AtMost(most) => format!("≤ {most}×"),
            Target::AtLeast(least) => format!("≥ {least}×"),
            Target::None => String::new(),
        };
        self
    }

    /// With a target of its own.
    #[must_use]
    pub(crate) fn within(mut self, value: f64, target: Target, unit: &str) -> Self {
        self.met = target.met(Some(value));
        self.target = match target {
            Target::AtMost(most) => format!("≤ {most} {unit}"),
            Target::AtLeast(least) => format!("≥ {least} {unit}"),
            Target::None => String::new(),
        };
        self
    }

    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// Prints all rows, then their notes.
pub(crate) fn print(rows: &[Row]) {
    let mut table =
        guli::table::new(["what", "Guli", "reference", "ratio", "target", ""], std::io::stdout().is_terminal());
    let mut notes = Vec::new();
    for row in rows {
        let mark = match row.met {
            Some(true) => Cell::new("✓").fg(Color::Green),
            Some(false) => Cell::new("✗").fg(Color::Red),
            None => Cell::new(""),
        };
        let what = match &row.note {
            Some(note) => {
                notes.push(note);
                format!("{} [{}]", row.what, notes.len())
            }
            None => row.what.clone(),
        };
        let right = |text: &str| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(what),
            right(&row.guli),
            Cell::new(&row.reference),
            right(&row.ratio),
            right(&row.target),
            mark,
        ]);
    }
    println!("{table}");
    for (n, note) in notes.iter().enumerate() {
        println!("[{}] {note}", n + 1);
    }
}
