//! Tables for a terminal: a rule under the head, colours where somebody looks.

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// An empty table. Without colours it is as wide as its text; with them, as the terminal.
pub fn new<const N: usize>(head: [&str; N], coloured: bool) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(head);
    if coloured {
        table.enforce_styling().set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
    }
    table
}
