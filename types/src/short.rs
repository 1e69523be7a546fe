//! Long ids, named by a part of them.

/// Digits of the start and of the end of an id in [`short_by_both_ends`].
const START: usize = 8;
const END: usize = 4;

/// Whether `wanted` names `id`: its start, or `start-end` as [`short_by_both_ends`] gives it.
pub fn id_fits(id: &str, wanted: &str) -> bool {
    let (start, end) = wanted.split_once('-').unwrap_or((wanted, ""));
    !start.is_empty() && id.starts_with(start) && id.len() >= start.len() + end.len() && id.ends_with(end)
}

/// An id for a table: `cb826a33-82cb`. Ids of channels that one transaction funds differ in their last four
/// digits alone (BOLT 2), so that a start would not tell them apart.
pub fn short_by_both_ends(id: &str) -> String {
    match (id.get(..START), id.len().checked_sub(END).and_then(|at| id.get(at..))) {
        (Some(start), Some(end)) if id.len() > START + END => format!("{start}-{end}"),
        _ => id.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_one_transaction_are_told_apart() {
        let (one, other) = (format!("{}82ca", "cb826a33".repeat(7)), format!("{}82cb", "cb826a33".repeat(7)));
        assert_eq!(short_by_both_ends(&one), "cb826a33-82ca");
        assert!(id_fits(&one, "cb826a33-82ca") && !id_fits(&other, "cb826a33-82ca"));
        for id in [&one, &other] {
            assert!(id_fits(id, "cb82") && id_fits(id, id) && id_fits(id, "c-"));
            assert!(!id_fits(id, "") && !id_fits(id, "-") && !id_fits(id, "-82") && !id_fits(id, "cb83"));
            assert!(!id_fits(id, &format!("{id}-82")), "no digit counts twice");
        }
        assert_eq!(short_by_both_ends("cb826a33"), "cb826a33");
    }
}
