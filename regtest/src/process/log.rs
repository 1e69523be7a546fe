//! Log files that don't eat the disk.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// At a start, a log beyond this size becomes `<name>.log.1`, which takes the place of the one before.
const LOG_BYTES_MAX: u64 = 8_000_000;

/// Opens a log for appending; a large one is put aside first.
///
/// # Errors
/// The file or its folder can't be written.
pub fn rotate(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if path.metadata().is_ok_and(|meta| meta.len() > LOG_BYTES_MAX) {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".1");
        fs::rename(path, aside)?;
    }
    File::options().create(true).append(true).open(path)
}
