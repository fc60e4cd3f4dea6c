//! `guli export`: a layer to a file or to standard output.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use guli::config::Config;
use guli::export::{Format, Layer};
use guli::local::{Message, Request};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::args::ExportArgs;

/// Writes the layer; what could not be written in full is removed again.
pub(crate) fn run(config: &Config, args: &ExportArgs) -> Result<()> {
    if Layer::parse(&args.layer).is_none() {
        bail!("LAYER: {:?} is none of {}", args.layer, words(Layer::ALL.iter().map(|layer| layer.as_str())));
    }
    let format = format(args)?;
    let request =
        Request::Export { layer: args.layer.clone(), format: format.as_str().to_owned(), query: query(args)? };
    let Some(file) = args.out.as_deref().filter(|file| *file != Path::new("-")) else {
        return match write(config, request, &mut std::io::stdout().lock()) {
            // Whoever reads a few lines only has enough.
            Err(error) if is_closed(&error) => Ok(()),
            other => other,
        };
    };
    let mut out = File::create(file).with_context(|| format!("{}", file.display()))?;
    // What is refused is not the file's fault.
    let written = write(config, request, &mut out).map_err(|error| match error.downcast::<std::io::Error>() {
        Ok(error) => anyhow::Error::from(error).context(file.display().to_string()),
        Err(refused) => refused,
    });
    if written.is_err() && out.metadata().is_ok_and(|data| data.is_file()) {
        let _ = std::fs::remove_file(file);
    }
    written
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// What was said, else what the file's extension says.
fn format(args: &ExportArgs) -> Result<Format> {
    let extension = args.out.as_deref().and_then(Path::extension).and_then(|extension| extension.to_str());
    let named = args.format.as_deref().or(extension).unwrap_or("geojson");
    Format::parse(named).with_context(|| {
        format!("--format: {named:?} is none of {}", words(Format::ALL.iter().map(|format| format.as_str())))
    })
}

fn query(args: &ExportArgs) -> Result<String> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("bbox", &args.bbox), ("crs", &args.crs), ("out_crs", &args.out_crs), ("as_of", &args.as_of)]
    {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    for filter in &args.filter {
        let Some((name, value)) = filter.split_once('=') else {
            bail!("--filter: NAME=VALUES is needed, such as category=0103,0104, got {filter:?}")
        };
        query.append_pair(name, value);
    }
    Ok(query.finish())
}

fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn write(config: &Config, request: Request, out: &mut dyn Write) -> Result<()> {
    let bar = bar();
    let mut failed: Option<std::io::Error> = None;
    let answer = super::ask(config, request, &mut |message| {
        match message {
            Message::Size { features } => measured(&bar, features),
            Message::Data { text, features } => {
                bar.inc(features);
                failed = out.write_all(text.as_bytes()).err();
            }
            _ => {}
        }
        failed.is_none()
    });
    bar.finish_and_clear();
    if let Some(error) = failed {
        return Err(error.into());
    }
    answer?;
    Ok(out.flush()?)
}

/// Counts on a terminal; nothing elsewhere.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Some(style) = style("{spinner} {human_pos} features  {rate}") {
        bar.set_style(style);
    }
    bar
}

/// The same where it is known how many there are.
fn measured(bar: &ProgressBar, features: u64) {
    bar.set_length(features);
    if let Some(style) = style("{wide_bar:.cyan/blue} {human_pos} of {human_len} features  {rate} {eta:>4}") {
        bar.set_style(style);
    }
}

fn style(template: &str) -> Option<ProgressStyle> {
    let style = ProgressStyle::with_template(template).ok()?;
    Some(style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0}/s", state.per_sec());
    }))
}
