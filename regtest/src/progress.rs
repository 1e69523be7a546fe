//! Progress of long actions, as one-line steps.

pub use crate::api::Progress;

impl Progress {
    /// Step `step` of `of`.
    pub fn new(step: u32, of: u32, label: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { step, of, label: label.into(), detail: detail.into(), bar: None }
    }

    /// A note outside the counted steps.
    pub fn note(label: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(0, 0, label, detail)
    }

    /// The same with a bar: `done` of `all`.
    #[must_use]
    pub fn with_bar(mut self, done: u64, all: u64) -> Self {
        self.bar = Some((done, all));
        self
    }
}

/// Takes progress as it comes.
pub type Report<'a> = &'a (dyn Fn(Progress) + Send + Sync);
