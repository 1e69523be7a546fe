//! Durations as people type them: `500ms`, `30s`, `5m`, `1h`.

use std::time::Duration;

/// Reads a duration with a unit.
///
/// # Errors
/// A sentence that says what to write.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration: write for example 500ms, 30s, 5m or 1h");
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| match text {
        "" => "a duration is needed: write for example 30s".to_owned(),
        _ => wrong(),
    })?;
    let seconds_per_unit = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "" => return Err(format!("{text:?} has no unit: write {text}s or {text}m")),
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds_per_unit).map(Duration::from_secs).ok_or_else(wrong)
}

/// A duration for people: `0.6 s`, `1 min 02 s`.
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse("1h"), Ok(Duration::from_secs(3600)));
    }

    #[test]
    fn refusals_say_what_to_write() {
        assert_eq!(parse("5"), Err("\"5\" has no unit: write 5s or 5m".into()));
        for junk in ["", "s", "5 s", "-1s", "1d", "99999999999999999999s", "18446744073709551615h"] {
            assert!(parse(junk).is_err_and(|e| e.contains("write for example")), "{junk}");
        }
    }

    #[test]
    fn shown() {
        assert_eq!(show(Duration::from_millis(620)), "0.6 s");
        assert_eq!(show(Duration::from_secs(62)), "1 min 02 s");
    }
}
