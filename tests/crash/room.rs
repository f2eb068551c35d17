//! No room: on the store's disk, in the broker.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::program::{Role, Service};
use tests::attack::site::{Site, SiteKind};

list!(the_disk_of_the_store_is_full_for_a_while);
at_site!(embedded_local, EmbeddedLocal, the_disk_of_the_store_is_full_for_a_while, the_broker_has_no_room_for_a_while,);

/// Attacks on a broker that is a file; a Kafka without room dies, and is killed elsewhere.
pub mod of_the_broker {
    use super::the_broker_has_no_room_for_a_while;

    list!(the_broker_has_no_room_for_a_while);
}

/// A small file system in memory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    /// Takes all the room there is.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let mut file = File::create(&filler).unwrap();
        for size in [1 << 20, 4_096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn the_disk_of_the_store_is_full_for_a_while(kind: SiteKind) {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("data")) else {
        tests::skip::because("mounting a small file system needs root");
        return;
    };
    let site = Site::open_in(kind, folder);
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Sink, Role::Validator, Role::Exporter]);
        battle.wait_for_work(100, &mut services);
        for _ in 0..2 {
            let filler = disk.fill();
            services[0].wait_for_log("no space left on device");
            std::thread::sleep(Duration::from_secs(1));
            std::fs::remove_file(filler).unwrap();
            battle.wait_for_work(200, &mut services);
        }
        // Started on a full disk, a sink waits as well, and one that dies there leaves nothing wrong.
        let filler = disk.fill();
        services.remove(0).kill();
        services.insert(0, Service::start(&site, Role::Sink));
        std::thread::sleep(Duration::from_secs(1));
        std::fs::remove_file(filler).unwrap();
        battle.wait_for_work(100, &mut services);
        services
    });
    note(Fault::Deed(Deed::StoreFull), &site, 1, None, &count, "waits, and goes on when there is room");
}

fn the_broker_has_no_room_for_a_while(kind: SiteKind) {
    let site = Site::open(kind);
    let count = Battle::begin(&site).fight(|battle| {
        // The limit is that of the process that writes: the load may go on.
        let limit = [("FINOPS_BROKER_BYTES_MAX", "1MiB")];
        let mut services = vec![
            Service::start_with(&site, Role::Validator, &[], &limit),
            Service::start_with(&site, Role::Sink, &[], &[]),
        ];
        services[0].wait_for_log("no space left on the broker's disk");
        std::thread::sleep(Duration::from_secs(1));
        services.iter_mut().for_each(Service::assert_runs);
        let _ = services.remove(0).stop();
        services.push(Service::start(&site, Role::Validator));
        battle.wait_for_work(200, &mut services);
        services
    });
    note(Fault::Deed(Deed::BrokerFull), &site, 0, None, &count, "waits, and goes on when there is room");
}
