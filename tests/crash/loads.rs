//! Several `finops run` of one tenant and month at once, each in a workspace of its own: of the same bill, of bills of other
//! sources, of restatements of one source. They begin at random moments, and some are killed: at random moments, or at crash
//! points. Repeating what was killed must bring the month to its total, in whatever order they met.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use platform::failpoint;
use rand::Rng;
use rand::rngs::StdRng;
use tests::attack::battle::note;
use tests::attack::bills::{self, Bill};
use tests::attack::fault::{Deed, Fault};
use tests::attack::oracle;
use tests::attack::program;
use tests::attack::seed::{Seeded, is_long, seeded};
use tests::attack::site::{Site, SiteKind};
use tests::declared;

list!(concurrent_loads, a_load_is_killed_at_each_point);
at_site!(embedded_local, EmbeddedLocal, concurrent_loads, a_load_is_killed_at_each_point);
at_site!(embedded_s3, EmbeddedS3, concurrent_loads, a_load_is_killed_at_each_point);

const TENANT: &str = "acme";
/// Billed beside it, and never killed: what happens to one tenant must not harm another.
const BYSTANDER: &str = "globex";
/// Within this time all processes of a storm begin: less than a run takes.
const SPREAD_MS: u64 = 400;
/// A run is killed at most so long after it began.
const KILLED_WITHIN_MS: u64 = 2_500;
/// By then a run has ended, also one that waits for the place of a killed one.
const RUN_MAX: Duration = Duration::from_secs(120);

/// When a process is killed.
#[derive(Debug, Clone)]
enum Kill {
    Never,
    After(Duration),
    /// At a crash point, if it comes that far.
    At(String),
}

/// One process of a storm.
struct Load {
    tenant: &'static str,
    workspace: String,
    bill: Bill,
    delay: Duration,
    kill: Kill,
}

fn concurrent_loads(kind: SiteKind) {
    let Seeded { seed, mut rng } = seeded("loads");
    let site = Site::open(kind);
    let mut kills = 0;
    // What each account may come to now: any of the versions that were loaded at once.
    let mut possible = BTreeMap::<String, BTreeSet<i128>>::new();
    // A run on a bucket takes several times as long as one on a folder.
    let (rounds, sizes) = match (is_long(), kind) {
        (true, _) => (4, &[2, 4, 8][..]),
        (false, SiteKind::EmbeddedLocal) => (1, &[2, 4, 8][..]),
        (false, _) => (1, &[4][..]),
    };
    for round in 0..rounds {
        for processes in sizes {
            let loads = storm(&site, &mut rng, round, *processes);
            kills += fight(&site, &loads, &mut possible);
        }
    }
    assert_eq!(program::verify(&site)["problems"], serde_json::json!([]));
    let _ = program::done(&site, &["verify"]);
    let count = oracle::judge_all(&site, None);
    let result = "after the killed commands were repeated each month has its total";
    note(Fault::Deed(Deed::ConcurrentLoads), &site, kills, Some(seed), &count, result);
}

/// Crash points of a load.
pub fn points() -> impl Iterator<Item = &'static str> {
    declared::crash_points().into_iter().filter(|name| name.starts_with("producers."))
}

/// It restates a source and is killed; another source is billed at the same time; then it is repeated.
fn a_load_is_killed_at_each_point(kind: SiteKind) {
    let site = Site::open(kind);
    let mut possible = BTreeMap::new();
    let load = |workspace: &str, source, version, kill| {
        let bill = Bill::write(site.folder(), source, version);
        Load { tenant: TENANT, workspace: workspace.into(), bill, delay: Duration::ZERO, kill }
    };
    let mut version = 0;
    let mut next = || {
        version += 1;
        version
    };
    // So that there is something to replace, something to remove after that, and something of another source that stays.
    for (workspace, source) in [("prod", 0), ("prod", 0), ("other", 1)] {
        fight(&site, &[load(workspace, source, next(), Kill::Never)], &mut possible);
    }
    let mut killed_at = Vec::new();
    for point in points() {
        let victim = load("prod", 0, next(), Kill::At(point.to_owned()));
        let other = load("other", 1, next(), Kill::Never);
        let killed = fight(&site, &[victim, other], &mut possible);
        assert_eq!(killed, 1, "no load passes {point}");
        killed_at.push(point);
    }
    let _ = program::done(&site, &["verify"]);
    let count = oracle::judge_all(&site, None);
    for point in killed_at {
        note(Fault::Point(point.to_owned()), &site, 1, None, &count, "repeating the command completes it");
    }
}

fn storm(site: &Site, rng: &mut StdRng, round: u64, processes: u64) -> Vec<Load> {
    let points: Vec<&str> = declared::crash_points()
        .into_iter()
        .filter(|name| !site.kind.lacks(name) && ["store.", "producers."].iter().any(|of| name.starts_with(of)))
        .collect();
    let mut loads: Vec<Load> = (0..processes)
        .map(|n| {
            let version = 10 * round + processes;
            let bill = match n % 3 {
                // All the same.
                0 => Bill::write(site.folder(), 0, version),
                // A source that no other process of the storm brings.
                1 => Bill::write(site.folder(), n, version),
                // A restatement of what all bring.
                _ => Bill::write(site.folder(), 0, version + n),
            };
            let kill = match rng.random_range(0..4) {
                0 => Kill::After(Duration::from_millis(rng.random_range(0..KILLED_WITHIN_MS))),
                1 => Kill::At(format!("{}:{}", points[rng.random_range(0..points.len())], rng.random_range(1..4))),
                _ => Kill::Never,
            };
            let delay = Duration::from_millis(rng.random_range(0..SPREAD_MS));
            Load { tenant: TENANT, workspace: format!("w{n}"), bill, delay, kill }
        })
        .collect();
    let bill = Bill::write(site.folder(), 0, 0);
    loads.push(Load { tenant: BYSTANDER, workspace: "w".into(), bill, delay: Duration::ZERO, kill: Kill::Never });
    loads
}

/// Lets all loads go at once, then repeats what was killed or gave up; returns how many were killed.
fn fight(site: &Site, loads: &[Load], possible: &mut BTreeMap<String, BTreeSet<i128>>) -> u64 {
    let ended: Vec<(ExitStatus, String)> = std::thread::scope(|scope| {
        let running: Vec<_> = loads.iter().map(|load| scope.spawn(move || run(site, load))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut killed = 0;
    let mut again = Vec::new();
    for (load, (status, said)) in loads.iter().zip(&ended) {
        let Load { tenant, workspace, kill, .. } = load;
        killed += u64::from(status.signal().is_some());
        match status.code() {
            Some(0) => {}
            // Given up in good order: it may be repeated.
            Some(75) if *tenant == TENANT => again.push(load),
            None if !matches!(kill, Kill::Never) => again.push(load),
            _ => panic!("{tenant}/{workspace}, {kill:?}, ended with {status}: {said}"),
        }
        if *tenant == TENANT {
            possible.entry(load.bill.account.clone()).or_default().insert(load.bill.total);
        }
    }
    // What the manifest names is there also now, and no source has come twice.
    for (account, total) in bills::live(site, TENANT) {
        assert!(possible[&account].contains(&total), "{account} came to {total}, none of {possible:?}");
    }
    for load in again {
        let (status, said) = run(site, &Load { delay: Duration::ZERO, kill: Kill::Never, ..copy(load) });
        assert!(status.success(), "repeated: {}, ended with {status}: {said}", load.workspace);
        possible.insert(load.bill.account.clone(), BTreeSet::from([load.bill.total]));
    }
    let live = bills::live(site, TENANT);
    assert_eq!(live.keys().collect::<Vec<_>>(), possible.keys().collect::<Vec<_>>(), "each source counts");
    for (account, total) in &live {
        assert!(possible[account].contains(total), "{account} came to {total}, none of {possible:?}");
    }
    // The next storm begins with what is there.
    possible.iter_mut().for_each(|(account, totals)| *totals = BTreeSet::from([live[account]]));
    if let Some(bystander) = loads.iter().find(|load| load.tenant == BYSTANDER) {
        assert_eq!(bills::live(site, BYSTANDER).into_values().next(), Some(bystander.bill.total));
    }
    killed
}

fn copy(load: &Load) -> Load {
    let Load { tenant, workspace, bill, delay, kill } = load;
    Load { tenant, workspace: workspace.clone(), bill: bill.clone(), delay: *delay, kill: kill.clone() }
}

/// Runs it to its end; returns how that was, and what it said.
fn run(site: &Site, load: &Load) -> (ExitStatus, String) {
    std::thread::sleep(load.delay);
    let bill = load.bill.path.to_str().unwrap();
    // One checker is enough: facts are what is fought about.
    let checker = "focus.ebs.gp2.to.gp3";
    let arguments =
        ["run", "--tenant", load.tenant, "--workspace", &load.workspace, "--focus", bill, "--checker", checker];
    let mut command = program::command(site, &arguments);
    if let Kill::At(point) = &load.kill {
        command.env(failpoint::VARIABLE, point);
    }
    let said = tempfile::tempfile().unwrap();
    command.stdout(std::process::Stdio::null()).stderr(said.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let began = Instant::now();
    let killed_after = match load.kill {
        Kill::After(after) => after,
        _ => RUN_MAX,
    };
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if began.elapsed() < killed_after => std::thread::sleep(Duration::from_millis(5)),
            None => {
                assert!(matches!(load.kill, Kill::After(_)), "a run has not ended within {RUN_MAX:?}: {}", text(said));
                child.kill().unwrap();
                break child.wait().unwrap();
            }
        }
    };
    (status, text(said))
}

fn text(mut file: std::fs::File) -> String {
    use std::io::{Read, Seek};
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}
