//! Configuration: defaults < file (`finops.toml`) < environment (`FINOPS_…`) < flags.
//!
//! A service declares its [`Setting`]s in a table; the command puts the tables of all services together,
//! so that one file serves every role. [`ConfigBuilder::resolve`] reports every problem of every source at
//! once, and each value keeps its [`Origin`]. The sources are passed in; only [`load()`] reads file and
//! environment. This module does not know any service's settings.
//!
//! A value is given as `[writer] batch_rows_max = 5` in the file, `FINOPS_WRITER_BATCH_ROWS_MAX=5` in the
//! environment (an empty variable counts as not set), or by the flag that the command ties to the key. In
//! environment and flags the items of a list are separated by commas.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//! use platform::config::{Config, ConfigBuilder, ConfigProblems, Declaration, Setting};
//!
//! const ROWS_MAX: Setting<usize> =
//!     Setting::integer("writer.batch_rows_max", 1..=10_000_000).default("200000").help("rows of a file");
//! const AGE_MAX: Setting<Duration> =
//!     Setting::duration("writer.batch_age_max", Duration::from_secs(1)..=Duration::from_secs(86_400))
//!         .default("60s").help("age at which a batch is written");
//! const TOKEN: Setting<Option<platform::config::Secret>> = Setting::secret("writer.token").optional();
//! const SETTINGS: &[Declaration] = &[ROWS_MAX.declared(), AGE_MAX.declared(), TOKEN.declared()];
//!
//! struct WriterConfig { rows_max: usize, age_max: Duration }
//!
//! impl WriterConfig {
//!     fn from_config(config: &Config) -> Result<Self, ConfigProblems> {
//!         Ok(Self { rows_max: config.get(&ROWS_MAX)?, age_max: config.get(&AGE_MAX)? })
//!     }
//! }
//!
//! let config = ConfigBuilder::new(&[SETTINGS])
//!     .file("finops.toml", "[writer]\nbatch_rows_max = 5_000\n")
//!     .env([("FINOPS_WRITER_BATCH_AGE_MAX", "2m")])
//!     .resolve()?;
//! let writer = WriterConfig::from_config(&config)?;
//! assert_eq!((writer.rows_max, writer.age_max), (5_000, Duration::from_secs(120)));
//! assert_eq!(config.rows()[1].origin, "finops.toml:2");
//! # Ok::<(), ConfigProblems>(())
//! ```

mod builder;
mod file;
mod kind;
mod load;
mod problem;
mod resolved;
mod setting;
pub mod units;
mod value;

pub use builder::{ConfigBuilder, Flag};
pub use load::load;
pub use problem::{ConfigProblem, ConfigProblems, Origin};
pub use resolved::{Config, ConfigRow};
pub use setting::{Declaration, FromValue, Integer, Setting};
pub use value::{Secret, Value};

/// The variable that names the configuration file.
pub const FILE_VARIABLE: &str = "FINOPS_CONFIG";
/// Variables of this program begin with it.
pub const VARIABLE_PREFIX: &str = "FINOPS_";
