//! The one error that leaves a process: a code for programs, a sentence for people, the next
//! command.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What went wrong, for programs. Each has an exit code and an HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The arguments can't be right: a malformed amount, address, invoice or id.
    Usage,
    /// No such thing: an id, a name, a height.
    NotFound,
    /// It exists, but in a state in which this can't be done: an invoice that was paid.
    Conflict,
    /// Less money than needed.
    InsufficientFunds,
    /// The other side speaks another version of the API.
    Version,
    /// A process that is needed does not run or does not answer.
    NotRunning,
    /// It may still happen, but did not in the time given.
    Timeout,
    /// It was tried and failed.
    Failed,
}

impl Code {
    /// The exit code of the command line: 1 failed, 2 usage, 3 not running, 4 not enough funds,
    /// 5 timed out.
    pub const fn exit(self) -> u8 {
        match self {
            Self::NotFound | Self::Conflict | Self::Version | Self::Failed => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::InsufficientFunds => 4,
            Self::Timeout => 5,
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Usage => 400,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Version => 426,
            Self::InsufficientFunds => 402,
            Self::NotRunning => 503,
            Self::Timeout => 504,
            Self::Failed => 500,
        }
    }
}

/// A next step: what it does and the command that does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hint {
    /// What the command is for: `fund her`.
    pub what: String,
    /// The command, ready to paste.
    pub command: String,
}

/// An error as it goes over HTTP and to the terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, ToSchema)]
#[error("{message}")]
pub struct ApiError {
    /// For programs.
    pub code: Code,
    /// One sentence, with the culprit in it.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
}

impl ApiError {
    /// An error with no hint.
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), hints: Vec::new() }
    }

    /// [`Code::Usage`].
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Code::Usage, message)
    }

    /// [`Code::NotFound`].
    pub fn not_found(message: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// [`Code::Conflict`].
    pub fn conflict(message: impl fmt::Display) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// [`Code::InsufficientFunds`].
    pub fn insufficient(message: impl fmt::Display) -> Self {
        Self::new(Code::InsufficientFunds, message)
    }

    /// [`Code::NotRunning`].
    pub fn not_running(message: impl fmt::Display) -> Self {
        Self::new(Code::NotRunning, message)
    }

    /// [`Code::Timeout`].
    pub fn timeout(message: impl fmt::Display) -> Self {
        Self::new(Code::Timeout, message)
    }

    /// [`Code::Failed`].
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::new(Code::Failed, message)
    }

    /// The same with a next step.
    #[must_use]
    pub fn hint(mut self, what: impl Into<String>, command: impl Into<String>) -> Self {
        self.hints.push(Hint { what: what.into(), command: command.into() });
        self
    }
}

impl axum::response::IntoResponse for ApiError {
    fn into_response(self) -> axum::response::Response {
        let status = axum::http::StatusCode::from_u16(self.code.status()).expect("a valid status");
        (status, axum::Json(self)).into_response()
    }
}
