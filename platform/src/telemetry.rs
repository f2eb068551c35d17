//! What a process says about itself, on stderr: for people or as one JSON object per line. Data goes to
//! stdout and never passes here.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsStr;
use std::fmt::Debug;
use std::io::{IsTerminal, Write as _};
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{self, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, ConfigProblems, Declaration, Setting};
use crate::terminal::{escaped, escaped_lines};

/// Which messages are written.
pub const LOG_FILTER: Setting<String> = Setting::text("log.filter")
    .default("info")
    .help("messages to write: a level, or levels by module such as info,platform::broker=debug");
/// In which form.
pub const LOG_FORMAT: Setting<String> =
    Setting::one_of("log.format", &["human", "json"]).default("human").help("form of the messages on stderr");
/// The settings of this module.
pub const SETTINGS: &[Declaration] = &[LOG_FILTER.declared(), LOG_FORMAT.declared()];

/// Form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line for people.
    Human,
    /// A JSON object on a line, for log collectors.
    Json,
}

/// What [`init`] needs to know.
#[derive(Debug)]
pub struct TelemetryConfig {
    format: Format,
    filter: EnvFilter,
}

impl TelemetryConfig {
    /// Reads [`SETTINGS`].
    ///
    /// # Errors
    /// When the filter is not one.
    pub fn from_config(config: &Config) -> Result<Self, ConfigProblems> {
        let filter = config.get(&LOG_FILTER)?;
        let filter = EnvFilter::builder()
            .parse(&filter)
            .map_err(|e| config.problem(&LOG_FILTER, format!("{filter:?} is not a filter: {e}")))?;
        let format = if config.get(&LOG_FORMAT)? == "json" { Format::Json } else { Format::Human };
        Ok(Self { format, filter })
    }
}

/// The process has a telemetry already.
#[derive(Debug, thiserror::Error)]
#[error("setting up telemetry: {0}")]
pub struct TelemetryError(#[from] tracing_subscriber::util::TryInitError);

/// Sends messages to stderr from now on, in JSON also panics. Once per process.
///
/// # Errors
/// When it was called before.
pub fn init(config: TelemetryConfig) -> Result<(), TelemetryError> {
    let color = use_color(std::io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let format = config.format;
    subscriber(config, color, std::io::stderr).try_init()?;
    match format {
        Format::Json => std::panic::set_hook(Box::new(report_panic)),
        Format::Human => {
            std::panic::set_hook(Box::new(|panic| drop(std::io::stderr().write_all(panic_text(panic).as_bytes()))));
        }
    }
    Ok(())
}

/// As the standard library reports a panic, but its message may hold what came from a payload.
fn panic_text(panic: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    let message = escaped_lines(panic.payload_as_str().unwrap_or("without a message")).into_owned();
    let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => format!("thread {name:?} panicked{place}:\n{message}\n{backtrace}\n"),
        _ => format!("thread {name:?} panicked{place}:\n{message}\nRUST_BACKTRACE=1 shows where it was called from\n"),
    }
}

/// A collector reads lines of JSON only.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("without a message");
    let backtrace = Backtrace::capture();
    let captured = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(place, backtrace = captured, thread = std::thread::current().name(), "panic: {message}");
}

/// Only for a person who has not declined (`NO_COLOR` counts when it is not empty).
fn use_color(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

fn subscriber<W>(config: TelemetryConfig, color: bool, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(color);
    let filtered = tracing_subscriber::registry().with(config.filter);
    match config.format {
        Format::Human => Box::new(filtered.with(layer.fmt_fields(SafeFields))),
        Format::Json => Box::new(filtered.with(layer.json().flatten_event(true).with_current_span(false))),
    }
}

/// Fields as `name=value`. A value may come from a payload: it must not drive the terminal, nor look like a line of its own.
#[derive(Debug, Clone, Copy)]
struct SafeFields;

impl<'w> FormatFields<'w> for SafeFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> std::fmt::Result {
        let mut visitor = SafeVisitor { writer, is_first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct SafeVisitor<'w> {
    writer: Writer<'w>,
    is_first: bool,
    result: std::fmt::Result,
}

impl SafeVisitor<'_> {
    fn write(&mut self, name: &str, value: &dyn Debug) -> std::fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(' ')?;
        }
        match (name, self.writer.has_ansi_escapes()) {
            ("message", _) => {}
            (name, true) => write!(self.writer, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m")?,
            (name, false) => write!(self.writer, "{name}=")?,
        }
        self.writer.write_str(&escaped(&format!("{value:?}")))
    }
}

impl Visit for SafeVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Where a record of the `log` crate comes from is shown as the target already.
        if self.result.is_ok() && !field.name().starts_with("log.") {
            self.result = self.write(field.name().trim_start_matches("r#"), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::ConfigBuilder;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(file: &str, color: bool) -> String {
        captured(file, color, || {
            tracing::info!(rows = 3, "batch written");
            tracing::debug!("not by default");
        })
    }

    fn captured(file: &str, color: bool, work: impl FnOnce()) -> String {
        let config = ConfigBuilder::new(&[SETTINGS]).file("finops.toml", file).resolve().unwrap();
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = subscriber(TelemetryConfig::from_config(&config).unwrap(), color, move || writer.clone());
        tracing::subscriber::with_default(subscriber, work);
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_person_reads_a_line() {
        let text = written("", false);
        assert!(text.contains(" INFO platform::telemetry::tests: batch written rows=3\n"), "{text}");
        assert_eq!(text.lines().count(), 1);
        assert!(!text.contains('\u{1b}'));
        assert!(written("", true).contains('\u{1b}'));
    }

    #[test]
    fn a_value_cannot_drive_a_terminal_or_forge_a_line() {
        let hostile = "\u{1b}]0;owned\u{7}\u{9b}2J\n2026-01-01 ERROR forged\r\u{202e}";
        for color in [false, true] {
            let text = captured("", color, || {
                tracing::error!(reason = %hostile, detail = hostile, "refused: {hostile}");
                let span = tracing::error_span!("judge", key = %hostile);
                span.in_scope(|| tracing::error!("in a span"));
            });
            assert_eq!(text.lines().count(), 2, "{text}");
            for raw in ["\u{1b}]", "\u{7}", "\u{9b}", "\r", "\u{202e}"] {
                assert!(!text.contains(raw), "{raw:?} in {text:?}");
            }
            assert!(text.contains("refused: \\u{1b}]0;owned\\u{7}"), "{text}");
        }
    }

    #[test]
    fn a_collector_reads_json() {
        let text = written("log.format = 'json'\nlog.filter = 'debug'", false);
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["message"], &lines[0]["rows"]), (&"batch written".into(), &3.into()));
        assert!(lines[0]["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn color_is_for_terminals_of_those_who_want_it() {
        let check = |terminal, no_color: Option<&str>, expected| {
            assert_eq!(use_color(terminal, no_color.map(OsStr::new)), expected, "{terminal} {no_color:?}");
        };
        check(true, None, true);
        check(true, Some(""), true);
        check(true, Some("1"), false);
        check(false, None, false);
    }

    #[test]
    fn a_filter_that_is_none_is_a_problem_of_the_configuration() {
        let config =
            ConfigBuilder::new(&[SETTINGS]).file("finops.toml", "\nlog.filter = 'task=loud'").resolve().unwrap();
        let problems = TelemetryConfig::from_config(&config).unwrap_err().to_string();
        assert!(problems.contains("finops.toml:2: log.filter: \"task=loud\" is not a filter"), "{problems}");
    }
}
