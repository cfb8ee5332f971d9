//! SIGINT and SIGTERM (Ctrl-C and its like on Windows).

use crate::errors::complain;

/// Calls `act` for every signal, with its number from 1, on a thread of its own.
pub(crate) fn on_signal(mut act: impl FnMut(u32) + Send + 'static) {
    let mut number = 0_u32;
    let installed = ctrlc::set_handler(move || {
        number = number.saturating_add(1);
        act(number);
    });
    if let Err(error) = installed {
        complain(&format!("signals cannot be handled ({error}): they end the run at once"));
    }
}
