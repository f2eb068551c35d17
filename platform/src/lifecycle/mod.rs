//! How services start and end together: a stop that everybody sees, signals that ask for it, and the
//! supervision of service threads.

mod input;
mod shutdown;
mod signals;
mod supervise;

pub use input::{StoppableInput, Stopped, is_stopped};
pub use shutdown::Shutdown;
pub use signals::{stop_on_signals, stop_on_signals_telling};
pub use supervise::{BoxError, Ended, ServiceOutcome, SupervisedService, first_failure, supervise};
