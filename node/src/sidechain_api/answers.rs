//! Answers and the reading of parameters.

use crate::api::ApiError;
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt::Display;
use std::str::FromStr;

/// A handler's outcome.
pub(super) type Answer<T> = Result<Found<T>, ApiError>;

/// JSON.
pub(super) struct Found<T>(T);

/// So that a handler ends in `Answer::of(…)`.
pub(super) trait Of<T> {
    /// The answer.
    fn of(value: T) -> Self;
}

impl<T> Of<T> for Answer<T> {
    fn of(value: T) -> Self {
        Ok(Found(value))
    }
}

impl<T: Serialize> IntoResponse for Found<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// Reads a parameter; the error names it.
pub(super) fn parse<T: FromStr<Err: Display>>(what: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error| ApiError::usage(format!("{what}: {text:?}: {error}")))
}
