//! The hub's children, by name: started, told to end, and seen when they end by themselves.
//! A child that ends is reported and left down: a silent restart would hide what went wrong.

use super::{ProcessId, Spec, log};
use nix::sys::signal::Signal;
use std::{
    collections::BTreeMap,
    io,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{process::Command, sync::watch};

/// A process can't be started.
#[derive(Debug, thiserror::Error)]
#[error("{name} cannot be started ({program})")]
pub struct StartError {
    /// Its name.
    pub name: String,
    /// The executable.
    pub program: String,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// A child as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id while it runs.
    pub id: Option<ProcessId>,
    /// How it ended, if it did so without being told to.
    pub exit: Option<String>,
}

#[derive(Debug, Default)]
struct Slot {
    running: Option<Running>,
    exit: Option<String>,
}

#[derive(Debug)]
struct Running {
    id: ProcessId,
    told_to_end: bool,
    /// Becomes true when it has ended.
    ended: watch::Receiver<bool>,
}

/// The children of this process.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    slots: Arc<Mutex<BTreeMap<String, Slot>>>,
}

impl Supervisor {
    /// No children yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        // A panic elsewhere leaves the table as it was: each change is one assignment.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a child stands; a name that was never started has neither id nor exit.
    pub fn snapshot(&self, name: &str) -> Snapshot {
        let slots = self.slots();
        let slot = slots.get(name);
        Snapshot {
            id: slot.and_then(|slot| slot.running.as_ref()).map(|running| running.id.clone()),
            exit: slot.and_then(|slot| slot.exit.clone()),
        }
    }

    /// Does it run?
    pub fn runs(&self, name: &str) -> bool {
        self.snapshot(name).id.is_some()
    }

    /// Starts a child, unless it runs already. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The program can't be run, or its log or record can't be written.
    pub fn start(&self, spec: &Spec) -> Result<ProcessId, StartError> {
        let fail = |source| StartError { name: spec.name.clone(), program: spec.program.display().to_string(), source };
        let mut slots = self.slots();
        let slot = slots.entry(spec.name.clone()).or_default();
        // One that has just died is not running, also before its end was noticed.
        if let Some(running) = slot.running.as_ref().filter(|running| running.id.is_alive()) {
            return Ok(running.id.clone());
        }
        let out = log::rotate(&spec.log).map_err(fail)?;
        let err = out.try_clone().map_err(fail)?;
        let mut child = Command::new(&spec.program)
            .args(&spec.args)
            .env(super::MARK, &spec.mark)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            // Ctrl-C in the terminal is for us; we end the children in order.
            .process_group(0)
            .spawn()
            .map_err(fail)?;
        let id = child.id().and_then(ProcessId::of).ok_or_else(|| fail(io::Error::other("it ended at once")))?;
        let (tell, ended) = watch::channel(false);
        slot.exit = None;
        slot.running = Some(Running { id: id.clone(), told_to_end: false, ended });
        drop(slots);
        let (this, name, pid_file, mine) = (self.clone(), spec.name.clone(), spec.pid_file.clone(), id.clone());
        // The record helps people; leftovers are found by their mark.
        if let Err(error) = id.write(&pid_file) {
            tracing::warn!(path = %pid_file.display(), %error, "cannot record a process id");
        }
        tokio::spawn(async move {
            let status = child.wait().await;
            // The record is of no more use, unless there is a next one already; if it stays, its start time
            // tells that it is stale.
            if ProcessId::read(&pid_file).is_some_and(|recorded| recorded == mine) {
                let _ = std::fs::remove_file(&pid_file);
            }
            this.ended(&name, &mine, status);
            tell.send_replace(true);
        });
        Ok(id)
    }

    fn ended(&self, name: &str, id: &ProcessId, status: io::Result<ExitStatus>) {
        let mut slots = self.slots();
        let Some(slot) = slots.get_mut(name) else { return };
        if slot.running.as_ref().is_some_and(|running| running.id != *id) {
            // There is a next one already.
            return;
        }
        let told = slot.running.take().is_some_and(|running| running.told_to_end);
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        if told {
            tracing::info!(name, %how, "ended");
        } else {
            tracing::error!(name, %how, "ended without being told to");
            slot.exit = Some(how);
        }
    }

    /// Ends a child: asked first, by force after its grace. Returns at once if it does not run.
    pub async fn stop(&self, spec: &Spec) {
        let Some((id, mut ended)) = self.tell_to_end(&spec.name) else { return };
        id.signal(Signal::SIGTERM);
        if tokio::time::timeout(spec.kind.grace(), ended.wait_for(|ended| *ended)).await.is_err() {
            tracing::warn!(name = %spec.name, "did not end in time: killed");
            id.signal(Signal::SIGKILL);
            // After SIGKILL the end comes; the channel closes with it at the latest.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    fn tell_to_end(&self, name: &str) -> Option<(ProcessId, watch::Receiver<bool>)> {
        let mut slots = self.slots();
        let slot = slots.get_mut(name)?;
        slot.exit = None;
        let running = slot.running.as_mut()?;
        running.told_to_end = true;
        Some((running.id.clone(), running.ended.clone()))
    }
}
