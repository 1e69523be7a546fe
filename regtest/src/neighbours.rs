//! The networks of this user, in whatever folders. A network's ports are its own from the moment they are chosen, not
//! from the moment its processes listen: without this list, two networks that start at once would choose the same.

use crate::{files, layout::Layout, run::Run};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Where the list is.
#[derive(Debug, Clone)]
pub struct Neighbours {
    folder: PathBuf,
}

/// The list, held by nobody else until it is dropped.
#[derive(Debug)]
pub struct Held {
    _lock: File,
    list: PathBuf,
    roots: BTreeSet<PathBuf>,
}

impl Neighbours {
    /// This user's.
    pub fn of_user() -> Self {
        Self::at(&user_cache())
    }

    /// In `folder`.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Waits for its turn and reads the list. Networks that are gone are left out.
    ///
    /// # Errors
    /// The folder can't be used.
    pub fn hold(&self) -> io::Result<Held> {
        fs::create_dir_all(&self.folder)?;
        let lock = File::options().create(true).truncate(false).write(true).open(self.folder.join("networks.lock"))?;
        lock.lock()?;
        let list = self.folder.join("networks.json");
        // The list can be made anew: what is unreadable is empty.
        let roots: BTreeSet<PathBuf> = files::read_json(&list).ok().flatten().unwrap_or_default();
        let there = |root: &PathBuf| Layout::at(root).is_ok_and(|layout| layout.run_file().exists());
        Ok(Held { _lock: lock, list, roots: roots.into_iter().filter(there).collect() })
    }
}

impl Held {
    /// The ports that all others have written down: free now, perhaps, but theirs at their next start.
    pub fn ports(&self, but: &Layout) -> Vec<u16> {
        let others = self.roots.iter().filter(|root| *root != but.root());
        let runs = others.filter_map(|root| Run::read(&Layout::at(root).ok()?).ok().flatten());
        runs.flat_map(|run| run.ports()).collect()
    }

    /// Adds a network whose `run.json` is written.
    ///
    /// # Errors
    /// The list can't be written.
    pub fn keep(mut self, layout: &Layout) -> io::Result<()> {
        // A path that is no text has no place in JSON; its neighbours have to look for themselves.
        if layout.root().to_str().is_some() {
            self.roots.insert(layout.root().to_owned());
        }
        files::write_json(&self.list, &self.roots)
    }
}

/// `~/.cache/windlass`, or where the environment says.
pub fn user_cache() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("windlass")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bitcoind, ports::Ports, run::Plan};

    fn start(neighbours: &Neighbours, datadir: &Path, name: &str, any: bool) -> Run {
        let layout = Layout::new(datadir, name).expect("a name");
        let plan = Plan::new("/bin/windlass".into());
        let resolved = bitcoind::Resolved {
            path: "/bin/bitcoind".into(),
            version: bitcoind::OLDEST,
            origin: bitcoind::Origin::Path,
            notes: Vec::new(),
        };
        let held = neighbours.hold().expect("the list");
        let mut run =
            Run::read(&layout).expect("readable").unwrap_or_else(|| Run::new(&layout, &plan).expect("a plan"));
        let taken = held.ports(&layout);
        run.prepare(&plan, &resolved, if any { Ports::any(taken) } else { Ports::preferred(taken) }).expect("ports");
        run.write(&layout).expect("written");
        held.keep(&layout).expect("kept");
        assert_eq!(Run::read(&layout).expect("readable"), Some(run.clone()));
        run
    }

    #[test]
    fn ports_stay_from_start_to_start_and_no_two_networks_share_one() {
        let [cache, one, two] = std::array::from_fn(|_| tempfile::tempdir().expect("a folder"));
        let neighbours = Neighbours::at(cache.path());
        // None of them ever listens: what is written down must be enough.
        let starts = [(&one, "a"), (&one, "b"), (&two, "a"), (&two, "b")];
        let runs = starts.map(|(datadir, name)| start(&neighbours, datadir.path(), name, false));
        let all: Vec<u16> = runs.iter().flat_map(Run::ports).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
        assert_eq!(start(&neighbours, one.path(), "a", false), runs[0]);
        assert_eq!(start(&neighbours, two.path(), "b", true), runs[3]);
        // What is deleted gives its ports back.
        drop(one);
        assert_eq!(neighbours.hold().expect("the list").roots.len(), 2);
    }

    #[test]
    fn a_list_that_nobody_can_read_is_made_anew() {
        let [cache, one] = std::array::from_fn(|_| tempfile::tempdir().expect("a folder"));
        fs::write(cache.path().join("networks.json"), "[17").expect("written");
        let neighbours = Neighbours::at(cache.path());
        start(&neighbours, one.path(), "a", true);
        assert_eq!(neighbours.hold().expect("the list").roots.len(), 1);
    }
}
