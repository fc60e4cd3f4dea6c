//! Writing rows as CSV, `GeoJSON` or `GeoJSONSeq`, in the file's encoding, as they come.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use super::Error;
use super::files::{Format, Text};

/// A file being written.
pub(super) struct Sink {
    out: Out,
}

enum Out {
    Csv { writer: Box<csv::Writer<BufWriter<File>>>, gb18030: bool },
    Json { writer: BufWriter<File>, sequence: bool, rows: u64 },
}

/// One value of a row.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    /// Already in its decimal digits.
    Number(String),
}

impl Value {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
        }
    }

    /// As JSON; what is empty is null.
    fn json(&self, into: &mut String) -> Result<(), Error> {
        match self {
            Self::Text(text) if text.is_empty() => into.push_str("null"),
            Self::Text(text) => into.push_str(&serde_json::to_string(text).map_err(std::io::Error::from)?),
            Self::Number(digits) => into.push_str(if digits.is_empty() { "null" } else { digits }),
        }
        Ok(())
    }
}

impl Sink {
    /// Opens the file and writes what stands before the rows: the headers, or the collection's
    /// beginning with `name`.
    pub(super) fn create(path: &Path, format: Format, headers: &[&str], name: &str) -> Result<Self, Error> {
        let mut file = BufWriter::with_capacity(1 << 16, File::create(path)?);
        let out = match format {
            Format::Csv { delimiter, text, crlf } => {
                if text == Text::Utf8Bom {
                    file.write_all("\u{feff}".as_bytes())?;
                }
                let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
                let writer = csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).from_writer(file);
                Out::Csv { writer: Box::new(writer), gb18030: text == Text::Gb18030 }
            }
            Format::GeoJson | Format::GeoJsonSeq => {
                if format == Format::GeoJson {
                    write!(file, "{{\"type\":\"FeatureCollection\",\"name\":\"{name}\",\"features\":[")?;
                }
                Out::Json { writer: file, sequence: format == Format::GeoJsonSeq, rows: 0 }
            }
        };
        let mut sink = Self { out };
        if matches!(sink.out, Out::Csv { .. }) {
            sink.record(headers.iter().copied())?;
        }
        Ok(sink)
    }

    /// A row of a table.
    pub(super) fn record<'v>(&mut self, values: impl Iterator<Item = &'v str>) -> Result<(), Error> {
        if let Out::Csv { writer, gb18030 } = &mut self.out {
            for value in values {
                if *gb18030 {
                    writer.write_field(encoding_rs::GB18030.encode(value).0.as_ref())?;
                } else {
                    writer.write_field(value)?;
                }
            }
            writer.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    /// A row of a table whose columns are all values.
    pub(super) fn row(&mut self, values: &[Value]) -> Result<(), Error> {
        self.record(values.iter().map(Value::text))
    }

    /// A feature: its geometry as JSON, and its properties.
    pub(super) fn feature(&mut self, geometry: &str, names: &[&str], values: &[Value]) -> Result<(), Error> {
        if let Out::Json { writer, sequence, rows } = &mut self.out {
            let mut line = String::with_capacity(256 + geometry.len());
            if !*sequence {
                line.push_str(if *rows == 0 { "\n" } else { ",\n" });
            }
            line.push_str("{\"type\":\"Feature\",\"properties\":{");
            for (k, (name, value)) in names.iter().zip(values).enumerate() {
                if k > 0 {
                    line.push(',');
                }
                line.push('"');
                line.push_str(name);
                line.push_str("\":");
                value.json(&mut line)?;
            }
            line.push_str("},\"geometry\":");
            line.push_str(geometry);
            line.push('}');
            if *sequence {
                line.push('\n');
            }
            *rows += 1;
            writer.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    /// Writes the end and gives everything to the system.
    pub(super) fn finish(self) -> Result<(), Error> {
        match self.out {
            Out::Csv { mut writer, .. } => writer.flush()?,
            Out::Json { mut writer, sequence, .. } => {
                if !sequence {
                    writer.write_all(b"\n]}\n")?;
                }
                writer.flush()?;
            }
        }
        Ok(())
    }
}
