//! A full disk: processes stop with a clear word or wait, nothing is lost, and everything goes on
//! when there is room again.

use crate::{PROGRAM, number, text};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use windlass_tests::{Network, until};

/// A disk of its own for a network.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Self {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=200m", "none", &at.to_string_lossy()])
            .status()
            .expect("mount runs");
        assert!(status.success(), "only root can mount a small disk");
        Self(at.into())
    }

    /// Takes every free byte.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("fill")).expect("a file");
        let block = vec![0; 1 << 16];
        while file.write_all(&block).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("fill")).expect("the file is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
#[ignore = "mounts a small disk, which takes root: `just full-disk`; .ci/run does it"]
fn a_full_disk_stops_what_must_not_go_on_and_loses_nothing() {
    let network = Network::new(PROGRAM, "full-disk");
    // The network ends before its disk goes: fields are dropped in their order.
    struct Rig {
        network: Network,
        disk: SmallDisk,
    }
    let disk = SmallDisk::mount(network.dir());
    let mut rig = Rig { network, disk };
    let Rig { network, disk } = &mut rig;
    network.start(&[]);
    network.ok(&["channel", "open", "alice", "bob", "1000000sat"]);
    network.ok(&["peg", "in", "alice", "0.5btc"]);
    let side = network.side("alice");
    let invoice = text(&network.ok(&["invoice", "bob", "1000sat"]), "invoice");

    disk.fill();
    // Whatever these say, it is an error and no panic, and it does not take for ever.
    for command in [vec!["transfer", "alice", "bob", "1000sat"], vec!["pay", "alice", &invoice]] {
        let mut arguments = vec!["--timeout", "15s"];
        arguments.extend(command);
        let output = network.run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{said}");
    }
    until("what can't write has stopped", Duration::from_secs(60), || {
        let status = network.ok(&["status"]);
        (status["healthy"] == false).then_some(())
    });

    disk.free();
    until("everything goes on", Duration::from_secs(120), || {
        network.try_json(&["up"]).ok()?;
        (network.ok(&["status"])["healthy"] == true).then_some(())
    });
    // The transfer that was tried on the full disk comes first or never, but not twice.
    network.ok(&["transfer", "alice", "bob", "2000sat"]);
    let moved = side - network.side("alice");
    assert!(moved == 2_000 || moved == 3_000, "{moved}");
    assert_eq!(network.side("bob"), moved);
    let again = text(&network.ok(&["invoice", "bob", "1000sat"]), "invoice");
    network.ok(&["pay", "alice", &again]);
    assert!(number(&network.balance("bob"), "lightning_msat") >= 1_000_000);
    network.ok(&["peg", "out", "alice", "0.1btc"]);
    network.assert_reserves();
    for node in ["alice", "bob"] {
        assert_eq!(network.ok(&["statement", node])["ok"], true);
    }
    network.stop();
}
