//! Lines for people and programs: standard output and standard error, for all commands.
//!
//! A name or a caption may hold anything, escape sequences of terminals included; what is no
//! printable character is shown escaped. One call is one line, so that a newline in a name is seen as
//! one. A reader that went away (`tuwen search … | head -1`) ends the program quietly, any other failure
//! to write (a full disk) is an error.

use std::borrow::Cow;
use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Write, stderr, stdout};

use crate::stop;

/// Prints a line to standard output, formatted like `println!`.
macro_rules! say {
    () => { $crate::terminal::line(format_args!("")) };
    ($($arg:tt)*) => { $crate::terminal::line(format_args!($($arg)*)) };
}

/// Prints a line to standard error, formatted like `eprintln!`.
macro_rules! note {
    ($($arg:tt)*) => { $crate::terminal::note_line(format_args!($($arg)*)) };
}

pub(crate) use {note, say};

/// See [`say!`].
pub fn line(text: Arguments<'_>) {
    let text = text.to_string();
    if let Err(error) = writeln!(stdout(), "{}", safe(&text)) {
        end(&error);
    }
}

/// See [`note!`]. Nobody can be told when this fails.
pub fn note_line(text: Arguments<'_>) {
    let text = text.to_string();
    let _ = writeln!(stderr(), "{}", safe(&text));
}

/// Writes bytes to standard output as they are.
pub fn raw(bytes: &[u8]) {
    if let Err(error) = stdout().write_all(bytes).and_then(|()| stdout().flush()) {
        end(&error);
    }
}

fn end(error: &Error) -> ! {
    if error.kind() == ErrorKind::BrokenPipe {
        stop::leave(0);
    }
    note!("error: standard output cannot be written: {error}");
    stop::leave(1)
}

/// What clap has to say: help and version, or what is wrong with the arguments. Ends the program.
pub fn usage(error: &clap::Error) -> ! {
    if error.use_stderr() {
        // An argument may hold anything, too.
        error.render().to_string().lines().for_each(|text| note!("{text}"));
    } else if let Err(error) = error.print().and_then(|()| stdout().flush()) {
        end(&error);
    }
    stop::leave(error.exit_code().try_into().unwrap_or(2))
}

/// Panics say what happened in one line, escaped as everything else.
pub fn show_panics() {
    std::panic::set_hook(Box::new(|panic| note!("error inside tuwen, please report it: {panic}")));
}

/// The text with control characters escaped as in JSON, and those that turn the direction of
/// writing, which would let a line show something else than it says. Tabs stay.
pub fn safe(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if harmful(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(safe("狗\t1"), "狗\t1");
        assert_eq!(safe("a\u{1b}]0;x\u{7}\nb\u{9b}2J"), "a\\u001b]0;x\\u0007\\nb\\u009b2J");
        assert_eq!(safe("gpj.\u{202e}exe"), "gpj.\\u202eexe");
    }
}
