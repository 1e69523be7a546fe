//! Colour, where it is wanted: `--color`, NO_COLOR, and whether a terminal reads.

use std::io::IsTerminal as _;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum When {
    /// Where a terminal reads and NO_COLOR is not set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Paints words, or leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// No colour, whatever reads.
    #[cfg(test)]
    pub const PLAIN: Self = Self { on: false };

    /// Colour, whatever reads.
    #[cfg(test)]
    pub const ALWAYS: Self = Self { on: true };

    /// For stdout.
    pub fn stdout(when: When) -> Self {
        Self::new(when, std::io::stdout().is_terminal())
    }

    /// For stderr.
    pub fn stderr(when: When) -> Self {
        Self::new(when, std::io::stderr().is_terminal())
    }

    fn new(when: When, terminal: bool) -> Self {
        // https://no-color.org: set and not empty.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let on = match when {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !refused,
        };
        Self { on }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Good news.
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Bad news.
    pub fn red(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// What needs a look.
    pub fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What can be skipped.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// `✓` or `✗`.
    pub fn mark(self, ok: bool) -> String {
        if ok { self.green("✓") } else { self.red("✗") }
    }
}
