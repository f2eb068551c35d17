//! One attack from beginning to end: load and reader run, the attack does its worst, the services catch up, the oracle
//! counts.

use std::time::{Duration, Instant};

use super::fault::Fault;
use super::load::Load;
use super::matrix::{self, AttackOutcome};
use super::oracle::{self, Count};
use super::program::{Role, Service, WAIT_MAX};
use super::reader::Reader;
use super::site::Site;

/// What is going on while services are attacked.
pub struct Battle<'s> {
    /// Where.
    pub site: &'s Site,
    /// Records come in.
    pub load: Load<'s>,
    /// Files are read.
    pub reader: Reader,
}

impl<'s> Battle<'s> {
    /// Nothing has been published yet.
    #[must_use]
    pub fn begin(site: &'s Site) -> Self {
        Self { site, load: Load::new(site), reader: Reader::start(site, true) }
    }

    /// Attacks under load. What `attack` returns, services that still run, must catch up with all that was published
    /// and then stop in good order.
    pub fn fight(self, attack: impl FnOnce(&Self) -> Vec<Service>) -> Count {
        let services = std::thread::scope(|scope| {
            let _ends = EndOnDrop(&self.load);
            self.load.keep_on(scope);
            attack(&self)
        });
        self.finish(services)
    }

    /// As [`fight`](Self::fight), for an attack that publishes what it needs itself.
    pub fn finish(self, mut services: Vec<Service>) -> Count {
        let produced = oracle::produced(self.site, Some(&self.load));
        let wanted: u64 = produced.values().map(|srcs| srcs.len() as u64).sum();
        self.wait_for_rows(wanted, &mut services);
        for service in services {
            let _ = service.stop();
        }
        let (site, load) = (self.site, self.load);
        let _ = self.reader.end();
        oracle::judge_all(site, Some(&load))
    }

    /// Waits until that many rows are there.
    ///
    /// # Panics
    /// When they do not come, or a service ends.
    pub fn wait_for_rows(&self, wanted: u64, services: &mut [Service]) {
        let deadline = Instant::now() + WAIT_MAX;
        while self.reader.rows() < wanted {
            services.iter_mut().for_each(Service::assert_runs);
            if Instant::now() > deadline {
                let logs: Vec<_> = services.iter().map(|s| format!("{:?}: {}", s.role, s.log())).collect();
                panic!("{} of {wanted} rows after {WAIT_MAX:?}: {}", self.reader.rows(), logs.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until services have written that many rows more than now: they work.
    pub fn wait_for_work(&self, more: u64, services: &mut [Service]) {
        self.wait_for_rows(self.reader.rows() + more, services);
    }

    /// True when services write that many rows more than now within this time.
    #[must_use]
    pub fn works(&self, more: u64, at_most: Duration) -> bool {
        let (wanted, deadline) = (self.reader.rows() + more, Instant::now() + at_most);
        while self.reader.rows() < wanted {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Starts these roles.
    #[must_use]
    pub fn start(&self, roles: &[Role]) -> Vec<Service> {
        roles.iter().map(|role| Service::start(self.site, *role)).collect()
    }
}

struct EndOnDrop<'a, 's>(&'a Load<'s>);

impl Drop for EndOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Notes for the matrix how an attack ended well.
pub fn note(fault: Fault, site: &Site, kills: u64, seed: Option<u64>, count: &Count, result: &str) {
    matrix::note(&AttackOutcome {
        fault,
        site: site.kind.name().to_owned(),
        kills,
        seeds: seed.into_iter().collect(),
        produced: count.produced,
        lost: count.lost,
        duplicated: count.duplicated,
        result: result.to_owned(),
    });
}
