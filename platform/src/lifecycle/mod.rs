//! How services start and end together: a stop that everybody sees, signals that ask for it, and the
//! supervision of service threads.

mod shutdown;
mod signals;
mod supervise;

pub use shutdown::Shutdown;
pub use signals::stop_on_signals;
pub use supervise::{BoxError, Ended, Outcome, Service, first_failure, supervise};
