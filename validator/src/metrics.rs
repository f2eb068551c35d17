//! What the validator counts beside what every service does. `code` is a code of the contract's closed list.

use platform::metrics::bounds::SECONDS;

platform::metrics::declare! {
    DEAD_LETTERS = Counter("finops_dead_letters_total", ["code"], "Records the validator refused, by the code of their first violation");
    STEP_SECONDS = Histogram("finops_step_seconds", SECONDS, [], "Time of a validator's atomic step on the broker, with its tries");
}
