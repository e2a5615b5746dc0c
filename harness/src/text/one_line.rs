//! Text of others within a message: kept on one line, and unable to steer the terminal.

use core::fmt::{self, Display, Write};

/// Shows its content with control characters escaped. Names and file contents can then neither
/// break a message into lines nor steer a terminal.
///
/// ```
/// use pointwise_harness::text::one_line::OneLine;
/// assert_eq!(OneLine("it's\n\u{1b}[2J").to_string(), r"it's\n\u{1b}[2J");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OneLine<T>(pub T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);
        impl Write for Escaping<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|letter| match letter.is_control() {
                    true => write!(self.0, "{}", letter.escape_default()),
                    false => self.0.write_char(letter),
                })
            }
        }
        write!(Escaping(f), "{}", self.0)
    }
}
